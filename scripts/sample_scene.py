"""Scenes of the embedded sample: people with a look, who do something at certain times, among a few things.

A scene is plain data: ``sample_clips.py`` declares the clips without drawing code, and ``sample_drawing.py`` draws them
without knowing what they are about. This module also holds the poses and the moods, whose names the data use, and
computes what a person does at a moment (:func:`state_at`).
Positions are fractions of the picture (x to the right, y downwards), times are seconds and angles are degrees.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

BLEND_SECONDS = 0.3  # how long a person takes to go from one pose to the next


@dataclass(frozen=True)
class Look:
    """How a person looks; an empty ``hat`` or ``bag`` means that they have none."""

    shirt: str
    trousers: str = "#44506b"
    skin: str = "#e8b48c"
    hair: str = "short"  # short, long, bun or bald
    hair_colour: str = "#4a3426"
    hat: str = ""
    bag: str = ""
    glasses: bool = False
    bandage: bool = False  # around the forearm on the side to which the person faces


@dataclass(frozen=True)
class Beat:
    """What a person does from the time ``at`` on; a field that is None keeps its last value.

    ``x`` is where the person is at that moment: between two beats with an ``x`` they move in a straight line.
    """

    at: float
    pose: str = "stand"
    x: float | None = None
    mood: str | None = None
    facing: int | None = None  # -1 to the left, 0 to the viewer, 1 to the right
    bubble: str = ""


@dataclass(frozen=True)
class Actor:
    """A person in a scene: ``height`` and ``ground`` (their feet) are fractions of the picture's height."""

    name: str
    look: Look
    beats: tuple[Beat, ...]
    height: float = 0.6
    ground: float = 0.92


@dataclass(frozen=True)
class Prop:
    """A thing, visible from ``start`` to ``end``, on a ``path`` of (time, x, y); ``size`` as a person's height."""

    kind: str
    path: tuple[tuple[float, float, float], ...]
    size: float = 0.2
    colour: str = "#b5834f"
    start: float = 0.0
    end: float = math.inf
    front: bool = False  # in front of the people


@dataclass(frozen=True)
class Scene:
    """Everything that a clip shows."""

    background: str
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...] = ()


class Joints(NamedTuple):
    """A posture. Limbs: the angle from hanging down, outwards positive. ``tilt`` leans the body to where it faces."""

    arm_r: float = 10  # the limbs with _r are those on the side to which the person faces
    fore_r: float = 5
    arm_l: float = 10
    fore_l: float = 5
    leg_r: float = 7
    shin_r: float = 4
    leg_l: float = 7
    shin_l: float = 4
    lift: float = 0  # height above the ground
    tilt: float = 0
    turn: float = 0  # of the face, sideways
    nod: float = 0  # of the face, downwards
    side: float = 0  # 1: seen from the side, so the shoulders and hips are narrow


class Pose(NamedTuple):
    """Joints as a function of time, and the shape of the hand on the side to which the person faces."""

    joints: Callable[[float], Joints]
    hand: str = "fist"


class Mood(NamedTuple):
    """A face: the mouth's curve (1 smiles), how far it is open, and the eyebrows' slant and height."""

    curve: float = 0
    opening: float = 0
    slant: float = 0
    raised: float = 0
    tear: bool = False


MOODS = {
    "neutral": Mood(curve=0.15),
    "happy": Mood(curve=1, raised=0.2),
    "sad": Mood(curve=-1, slant=-1, raised=0.3, tear=True),
    "angry": Mood(curve=-0.6, slant=1.2, raised=-0.4),
    "surprised": Mood(opening=1, raised=1),
}


def _wave(t: float, period: float) -> float:
    """A sine wave between -1 and 1."""
    return math.sin(2 * math.pi * t / period)


def _walk(t: float) -> Joints:
    s = _wave(t, 0.9)
    return Joints(22 * s, 22 * s + 12, 22 * s, 22 * s - 12, 24 * s, 24 * s - 8, 24 * s, 24 * s + 8, side=1)


def _run(t: float) -> Joints:
    s = _wave(t, 0.5)
    legs = (42 * s, 42 * s - 30, 42 * s, 42 * s + 30)
    return Joints(45 * s, 45 * s + 80, 45 * s, 45 * s - 80, *legs, lift=0.03 * abs(s), tilt=10, side=1)


def _jump(t: float) -> Joints:
    up = max(0.0, _wave(t, 1.0))
    return Joints(30 + 120 * up, 40 + 125 * up, 30 + 120 * up, 40 + 125 * up, 14, -8, 14, -8, lift=0.3 * up)


def _jumping_jack(t: float) -> Joints:
    k = 0.5 - 0.5 * math.cos(2 * math.pi * t)
    arm, leg = 12 + 148 * k, 4 + 24 * k
    return Joints(arm, arm + 8, arm, arm + 8, leg, leg, leg, leg, lift=0.06 * abs(_wave(t, 1.0)))


def _still(**joints: float) -> Callable[[float], Joints]:
    """A posture that does not move."""
    return lambda t: Joints(**joints)


POSES = {
    "stand": Pose(_still()),
    "walk": Pose(_walk),
    "run": Pose(_run),
    "jump": Pose(_jump),
    "jumping_jack": Pose(_jumping_jack),
    "sit": Pose(_still(arm_r=18, fore_r=50, arm_l=-12, fore_l=-45, leg_r=82, shin_r=2, leg_l=-78, shin_l=-2)),
    "squat": Pose(_still(arm_r=80, fore_r=86, arm_l=80, fore_l=86, leg_r=72, shin_r=-22, leg_l=72, shin_l=-22)),
    "lie": Pose(_still(arm_r=-10, fore_r=-30, arm_l=35, fore_l=60, lift=0.1, tilt=84)),
    "wave": Pose(lambda t: Joints(arm_r=105, fore_r=172 + 28 * _wave(t, 0.6)), "open"),
    "thumbs_up": Pose(_still(arm_r=42, fore_r=128), "thumb"),
    "point": Pose(_still(arm_r=88, fore_r=90), "point"),
    "hands_up": Pose(_still(arm_r=150, fore_r=172, arm_l=150, fore_l=172), "open"),
    "arms_wide": Pose(_still(arm_r=90, fore_r=90, arm_l=90, fore_l=90), "open"),
    "arms_crossed": Pose(_still(arm_r=28, fore_r=-82, arm_l=28, fore_l=-96)),
    "hold_hand": Pose(lambda t: Joints(arm_r=50, fore_r=84 + 7 * _wave(t, 0.5))),
    "comfort": Pose(_still(arm_r=65, fore_r=75)),
    "kick": Pose(_still(arm_r=-25, fore_r=-10, arm_l=45, fore_l=60, leg_r=62, shin_r=66, tilt=-8)),
    "eat": Pose(lambda t: Joints(arm_r=62, fore_r=-160 + 14 * _wave(t, 0.7))),
    "reach": Pose(_still(arm_r=62, fore_r=78), "open"),
    "shake_head": Pose(lambda t: Joints(turn=_wave(t, 0.7), arm_r=35, fore_r=105, arm_l=35, fore_l=105), "open"),
    "nod": Pose(lambda t: Joints(nod=max(0.0, _wave(t, 0.8)))),
    "head_down": Pose(_still(nod=1, arm_r=6, arm_l=6)),
}


class State(NamedTuple):
    """What a person does at one moment."""

    x: float
    joints: Joints
    hand: str
    mood: str
    facing: int
    bubble: str


def interpolate(path: Sequence[tuple[float, float]], t: float) -> float:
    """The value at ``t`` on the straight lines between (time, value) points."""
    for (t0, a), (t1, b) in pairwise(path):
        if t < t1:
            return a + (b - a) * max(0.0, t - t0) / (t1 - t0)
    return path[-1][1]


def state_at(actor: Actor, t: float) -> State:
    """What a person does at ``t``, by their beats; poses blend into each other, moods and directions change at once."""
    past = [beat for beat in actor.beats if beat.at <= t] or [actor.beats[0]]
    now, before = past[-1], past[-2] if len(past) > 1 else past[-1]
    share = min(1.0, (t - now.at) / BLEND_SECONDS)
    old, new = POSES[before.pose].joints(t - before.at), POSES[now.pose].joints(t - now.at)
    joints = Joints(*(a + (b - a) * share for a, b in zip(old, new, strict=True)))
    places: list[tuple[float, float]] = []
    for beat in actor.beats:
        x = beat.x if beat.x is not None else places[-1][1]
        places.append((beat.at, x))
    mood = next((beat.mood for beat in reversed(past) if beat.mood is not None), "neutral")
    facing = next((beat.facing for beat in reversed(past) if beat.facing is not None), 0)
    return State(interpolate(places, t), joints, POSES[now.pose].hand, mood, facing, now.bubble)
