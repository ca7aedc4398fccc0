"""The media of the embedded sample as data: the cast with their looks and voices, the clips and the recordings.

The questions about them are in ``sample_questions.py``. ``make_sample.py`` writes a clip's frame rate, its number of
frames and the spoken words into the questions, so they cannot differ from the media.
"""

from dataclasses import dataclass
from fractions import Fraction

from sample_scene import Actor, Beat, Look, Prop, Scene


@dataclass(frozen=True)
class Voice:
    """A speaker: a voice variant of espeak-ng, its pitch (0 to 99) and its speed in words per minute."""

    variant: str
    pitch: int = 50
    speed: int = 170


@dataclass(frozen=True)
class Line:
    """A spoken line, ``pause`` seconds after the line before it; without a ``voice``, that of ``who`` in ``VOICES``."""

    who: str
    text: str
    pause: float = 0.35
    voice: Voice | None = None


@dataclass(frozen=True)
class Clip:
    """A video.

    ``fps_value`` is the frame rate as the questions write it: its type varies, as in the release. ``tune`` (notes as
    MIDI numbers) is the sound of a clip without speech; without lines and tune the clip has no sound track.
    ``shown_as`` is the optional field ``video_or_clip`` of the clip's items.
    """

    path: str
    size: tuple[int, int]
    fps: Fraction
    fps_value: int | float | str
    seconds: float
    scene: Scene
    lines: tuple[Line, ...] = ()
    tune: tuple[int, ...] = ()
    sound_rate: int = 16000
    stereo: bool = False
    shown_as: str = ""


@dataclass(frozen=True)
class Recording:
    """A sound file in which people speak."""

    path: str
    lines: tuple[Line, ...]
    sound_rate: int


NTSC = Fraction(30000, 1001)

# Skin tones and hair of the cast are varied on purpose; nothing asked depends on a skin tone.
LIGHT, TAN, BROWN, DARK = "#f2c9a8", "#e0aa7c", "#b57f55", "#8a5a3c"
RED, BLUE, GREEN, YELLOW, PURPLE = "#d8423c", "#3f74d1", "#4c9f50", "#f0c437", "#8c5fb5"
ORANGE, WHITE, PINK, GREY, BLACK = "#ee8a35", "#f7f7f7", "#ea8fb0", "#8d949c", "#34343c"
WOOD, CRUMBS = "#a87b4f", "#9c6237"

VOICES = {
    "ana": Voice("en-us+f2", 58),
    "ben": Voice("en-us+m3", 38),
    "cleo": Voice("en-gb+f4", 66),
    "dan": Voice("en-gb+m1", 48),
    "eli": Voice("en-us+m7", 78, 165),
    "doctor": Voice("en-gb+f3", 50, 160),
    "agent": Voice("en-us+m2", 60, 185),
    "driver": Voice("en-gb+m4", 44, 175),
}

ANA = Look(YELLOW, skin=TAN, hair="long", hair_colour=BLACK, glasses=True)
BEN = Look(BLUE, skin=LIGHT)
BEN_BANDAGED = Look(BLUE, skin=LIGHT, bandage=True)
CLEO = Look(RED, skin=DARK, hair="bun", hair_colour=BLACK)
CLEO_HAT = Look(RED, skin=DARK, hair="bun", hair_colour=BLACK, hat=PURPLE)
DAN = Look(GREEN, skin=BROWN, hair_colour=BLACK)
DAN_HAT = Look(GREEN, skin=BROWN, hair_colour=BLACK, hat=RED, glasses=True)
ELI = Look(ORANGE, skin=LIGHT, hair_colour="#b9803f")
DOCTOR = Look(WHITE, trousers=GREY, skin=BROWN, hair="bun", hair_colour=BLACK, glasses=True)
THIEF = Look(GREY, skin=LIGHT, hat=BLACK)

# Ten people who cross the street one after the other. No two have the same shirt; three of them wear a hat.
PARADE = (
    Look(RED, skin=LIGHT),
    Look(BLUE, skin=DARK, hair="bun", hair_colour=BLACK),
    Look(YELLOW, skin=TAN, hair="long", hat=BLACK),
    Look(GREEN, skin=BROWN, hair="bald"),
    Look(PURPLE, skin=LIGHT, hair="long", hair_colour="#c99a4b"),
    Look(ORANGE, skin=DARK, hair_colour=BLACK, hat=BLUE),
    Look(WHITE, skin=TAN, glasses=True),
    Look(PINK, skin=BROWN, hair="bun", hair_colour=BLACK),
    Look(BLACK, skin=LIGHT, hair="bald", hat=RED),
    Look(GREY, skin=TAN, hair="long", hair_colour=BLACK, bag=RED),
)


def _passing(name: str, look: Look, start: float, seconds: float, height: float, back: bool = False) -> Actor:
    """A person who walks through the picture, to the right or back to the left."""
    begin, end, facing = (1.15, -0.15, -1) if back else (-0.15, 1.15, 1)
    return Actor(name, look, (Beat(start, "walk", begin, facing=facing), Beat(start + seconds, "stand", end)), height)


def _near(name: str, look: Look, x: float, facing: int, *beats: Beat, height: float = 1.05) -> Actor:
    """A person near the viewer, seen to about the knees, who stays at ``x``."""
    return Actor(name, look, (Beat(0, x=x, facing=facing), *beats), height, ground=1.25)


THUMBS_UP = Scene("room", (_near("dan", DAN_HAT, 0.5, 0, Beat(0.8, "thumbs_up", mood="happy")),))

WAVE_AND_POINT = Scene(
    "park",
    (
        Actor(
            "cleo",
            CLEO,
            (Beat(0, x=0.45), Beat(0.5, "wave", mood="happy"), Beat(2.4, "stand"), Beat(3.0, "point")),
            height=0.68,
        ),
    ),
)

JUMPING_JACKS = Scene("park", (Actor("eli", ELI, (Beat(0, "jumping_jack", x=0.45, mood="happy"),), height=0.68),))

BALL = Scene(
    "park",
    (
        Actor(
            "cleo",
            CLEO,
            (Beat(0, "walk", 0.02, facing=1), Beat(1.2, "stand", 0.2), Beat(1.4, "kick"), Beat(2.0, "stand")),
        ),
        Actor("ben", BEN, (Beat(0, x=0.85, facing=-1), Beat(2.6, "hands_up", mood="happy"))),
    ),
    (Prop("ball", ((0, 0.3, 0.92), (1.6, 0.3, 0.92), (2.5, 0.78, 0.92)), 0.1, ORANGE),),
)

MOVES = Scene(
    "park",
    (
        Actor(
            "dan",
            DAN,
            (
                Beat(0, "walk", 0.1, facing=1),
                Beat(2.4, "stand", 0.5, facing=0),
                Beat(2.7, "jump"),
                Beat(4.7, "stand"),
                Beat(5.0, "squat"),
                Beat(6.2, "run", 0.5, facing=-1),
                Beat(7.8, "stand", -0.1),
            ),
        ),
    ),
)

ARMS = Scene(
    "room",
    (
        Actor(
            "ana",
            ANA,
            (Beat(0, x=0.5), Beat(0.6, "arms_wide"), Beat(1.9, "hands_up"), Beat(3.3, "arms_crossed")),
            height=0.72,
        ),
    ),
)

FOUR_PEOPLE = Scene(
    "park",
    (
        _passing("red", PARADE[0], 0.0, 3.2, 0.62),
        _passing("green", DAN, 1.0, 3.2, 0.62),
        _passing("blue", Look(BLUE, skin=TAN, hair="long", hat=YELLOW), 2.4, 3.2, 0.62),
        _passing("purple", Look(PURPLE, skin=LIGHT, hair="bun", hat=BLACK), 4.2, 3.2, 0.62, back=True),
        _passing("red again", PARADE[0], 6.2, 3.2, 0.62, back=True),
    ),
)

TEN_PEOPLE = Scene(
    "street",
    (
        *(_passing(f"walker {k}", look, 0.2 + 2.1 * k, 3.6, 0.52) for k, look in enumerate(PARADE)),
        _passing("walker 0 again", PARADE[0], 21.2, 3.6, 0.52, back=True),
    ),
)

FALL = Scene(
    "street",
    (
        Actor(
            "ben",
            BEN,
            (
                Beat(0, "walk", -0.1, facing=1),
                Beat(2.0, "lie", 0.42, mood="surprised"),
                Beat(2.6, "lie", 0.42, mood="sad"),
            ),
        ),
    ),
    (Prop("peel", ((0, 0.44, 0.93),), 0.07, YELLOW),),
)

BAG_TAKEN = Scene(
    "park",
    (
        Actor("ana", ANA, (Beat(0, "sit", 0.38, facing=-1), Beat(4.4, "sit", facing=1, mood="surprised"))),
        Actor(
            "thief",
            THIEF,
            (
                Beat(0, "walk", 1.1, facing=-1),
                Beat(2.2, "reach", 0.74),
                Beat(3.0, "run", 0.74, facing=1),
                Beat(4.6, "run", 1.3),
            ),
        ),
    ),
    (
        Prop("bench", ((0, 0.45, 0.93),), 0.24),
        Prop("bag", ((0, 0.58, 0.82), (2.4, 0.58, 0.82), (3.0, 0.74, 0.7), (4.6, 1.3, 0.7)), 0.17, RED, front=True),
    ),
)

GIFT = Scene(
    "room",
    (_near("ana", ANA, 0.4, 0, Beat(1.6, "hands_up", mood="surprised")),),
    (
        Prop("gift", ((0, 0.78, 0.95),), 0.26, PURPLE, end=1.5, front=True),
        Prop("open_gift", ((0, 0.78, 0.95),), 0.26, PURPLE, start=1.5, front=True),
    ),
)

MEETING = Scene(
    "office",
    (
        _near("ana", ANA, 0.18, 0, height=0.9),
        _near("ben", BEN, 0.5, 0, height=0.9),
        _near("cleo", CLEO_HAT, 0.82, 0, height=0.9),
    ),
    (Prop("desk", ((0, 0.5, 1.27),), 0.84, WOOD, front=True),),
)

FIRST_DAY = Scene(
    "office",
    (
        Actor(
            "dan",
            DAN,
            (Beat(0, x=0.34, facing=1, mood="happy"), Beat(2.0, "hold_hand"), Beat(4.2, "stand")),
            height=0.8,
            ground=1.0,
        ),
        Actor(
            "ana",
            ANA,
            (
                Beat(0, "walk", 1.05, facing=-1, mood="happy"),
                Beat(2.0, "hold_hand", 0.6),
                Beat(4.2, "stand"),
                Beat(9.6, "wave"),
            ),
            height=0.8,
            ground=1.0,
        ),
    ),
)

OLD_FRIENDS = Scene(
    "room",
    (
        _near("cleo", CLEO, 0.32, 1, Beat(0.1, mood="happy")),
        _near("ben", BEN, 0.68, -1, Beat(0.1, mood="happy")),
    ),
    (Prop("desk", ((0, 0.5, 1.05),), 0.4, WOOD, front=True),),
)

CONSULTATION = Scene(
    "office",
    (
        _near("doctor", DOCTOR, 0.27, 1, Beat(9.0, "nod")),
        _near("ben", BEN_BANDAGED, 0.73, -1, Beat(4.5, "reach"), Beat(7.0, "stand", mood="happy")),
    ),
)

COLD_ANSWERS = Scene(
    "street",
    (_near("eli", ELI, 0.3, 1), _near("dan", DAN, 0.7, 1, Beat(0.1, "arms_crossed", mood="angry"))),
)

AFTER_THE_RACE = Scene(
    "park",
    (
        Actor(
            "eli",
            ELI,
            (Beat(0, "head_down", 0.62, facing=-1, mood="sad"), Beat(10.5, "stand", mood="happy")),
            height=0.6,
            ground=1.0,
        ),
        Actor(
            "cleo",
            CLEO,
            (Beat(0, "stand", 0.22, facing=1), Beat(3.6, "walk", 0.22), Beat(4.4, "comfort", 0.33)),
            height=0.85,
            ground=1.05,
        ),
    ),
)

CAKE = Scene(
    "room",
    (
        Actor(
            "ana",
            ANA,
            (
                Beat(0, x=0.12, facing=1),
                Beat(2, "stand", bubble="I will be right back."),
                Beat(4.5, "walk", 0.12, facing=-1),
                Beat(6, "stand", -0.25),
                Beat(14.5, "walk", -0.25, facing=1),
                Beat(16.3, "stand", 0.14),
                Beat(17, "stand", mood="surprised"),
                Beat(18, "point", bubble="Did you eat the cake?"),
                Beat(21, "stand"),
            ),
            height=0.66,
        ),
        Actor(
            "eli",
            ELI,
            (
                Beat(0, x=0.85, facing=-1),
                Beat(6.4, "walk", 0.85),
                Beat(7.2, "reach", 0.68),
                Beat(7.9, "eat", mood="happy"),
                Beat(12.8, "stand"),
                Beat(13.2, "walk", 0.68, facing=1, mood="neutral"),
                Beat(14.0, "stand", 0.85, facing=-1),
                Beat(21, "shake_head", bubble="No, it was not me!"),
            ),
            height=0.5,
        ),
    ),
    (
        Prop("table", ((0, 0.45, 0.94),), 0.22),
        Prop("plate", ((0, 0.5, 0.79),), 0.17, CRUMBS),
        Prop("cake", ((0, 0.5, 0.79),), 0.17, PINK, end=8.1),
        Prop("cake", ((0, 0.5, 0.79),), 0.12, PINK, start=8.1, end=10.4),
        Prop("cake", ((0, 0.5, 0.79),), 0.07, PINK, start=10.4, end=12.4),
    ),
)

PLANT = Scene(
    "room",
    (
        Actor(
            "dan",
            DAN,
            (
                Beat(0, "walk", 0.95, facing=-1),
                Beat(1.4, "reach", 0.66),
                Beat(4.2, "stand"),
                Beat(8.2, "nod", bubble="Yes, I did."),
            ),
            height=0.66,
        ),
        Actor(
            "ana",
            ANA,
            (
                Beat(4.4, "walk", -0.2, facing=1),
                Beat(5.6, "stand", 0.16),
                Beat(5.8, "stand", bubble="Did you water the plant?"),
                Beat(8.2, "stand", mood="happy"),
            ),
            height=0.62,
        ),
    ),
    (
        Prop("table", ((0, 0.4, 0.94),), 0.2),
        Prop("plant", ((0, 0.4, 0.8),), 0.17, "#58b060"),
        Prop("watering_can", ((0, 0.53, 0.64),), 0.16, BLUE, start=1.6, end=4.2, front=True),
    ),
)

MEETING_LINES = (
    Line("ben", "Good morning. Shall we begin?", 0.4),
    Line("ana", "Yes. The picnic is on Sunday."),
    Line("cleo", "I will bring the apple juice."),
    Line("ben", "Then I will bring the bread."),
)
FIRST_DAY_LINES = (
    Line("dan", "Hello! I do not think we have met. My name is Omar.", 1.2),
    Line("ana", "Nice to meet you, Omar. I am Lena. Today is my first day in this office."),
)
OLD_FRIENDS_LINES = (
    Line("cleo", "You still make the best soup, just like when we were ten."),
    Line("ben", "And you still burn the toast! Do you remember our tree house?"),
    Line("cleo", "How could I forget? We built it every summer!"),
)
CONSULTATION_LINES = (
    Line("doctor", "Good afternoon. How is your arm today?"),
    Line("ben", "Much better, but it still hurts when I lift it."),
    Line("doctor", "Then keep the bandage for one more week, and come to see me again on Monday."),
    Line("ben", "Thank you, doctor."),
)
COLD_LINES = (
    Line("eli", "Did you enjoy the film?"),
    Line("dan", "No."),
    Line("eli", "Shall we walk home together?"),
    Line("dan", "I would rather walk alone. Please stop asking.", 0.6),
)
RACE_LINES = (
    Line("eli", "Mum, I came last in the race, and I practised so much."),
    Line("cleo", "I am sorry, my dear. You worked hard, and it is fine to be sad.", 0.6),
    Line("cleo", "Shall we train together tomorrow?"),
)

SMALL, WIDE, PORTRAIT = (320, 240), (426, 240), (240, 320)

# The lengths reach every branch of the release's rule for sampling frames: up to 300 frames, between 300 and 600
# (arm, old_friends), 600 and more (cake), and exactly 300 frames that last so long that more than 24 would be
# sampled (parade). Two clips have the same file name, so that only their folders distinguish them.
CLIPS = (
    Clip("gesture/clip_01.mp4", SMALL, Fraction(25), 25, 4, THUMBS_UP),
    Clip("gesture/portrait.mp4", PORTRAIT, Fraction(15), "15", 5, WAVE_AND_POINT, shown_as="clip"),
    Clip(
        "action/clip_01.mp4",
        SMALL,
        Fraction(20),
        20,
        4,
        JUMPING_JACKS,
        tune=(60, 67, 64, 67),
        sound_rate=44100,
        stereo=True,
    ),
    Clip("action/ball.mp4", SMALL, Fraction(25), 25, 4, BALL, shown_as="clip"),
    Clip("motion/sequence.mp4", WIDE, NTSC, 29.97, 8, MOVES),
    Clip("motion/arms.mp4", SMALL, Fraction(12), 12, 5, ARMS, tune=(57, 60, 64)),
    Clip("count/park.mp4", WIDE, Fraction(24), "24", 10, FOUR_PEOPLE, shown_as="clip"),
    Clip(
        "count/parade.mp4",
        SMALL,
        Fraction(12),
        12,
        25,
        TEN_PEOPLE,
        tune=(60, 62, 64, 65, 67, 65, 64, 62),
        sound_rate=22050,
    ),
    Clip("abnormal/fall.mp4", SMALL, Fraction(25), 25, 4, FALL),
    Clip("abnormal/bag.mp4", WIDE, Fraction(30), "30", 6, BAG_TAKEN, tune=(52, 55, 52, 57)),
    Clip("emotion/gift.mp4", SMALL, Fraction(24), 24, 4, GIFT, tune=(64, 71), sound_rate=48000),
    Clip("talk/meeting.mp4", WIDE, Fraction(30), "30", 9.5, MEETING, MEETING_LINES, shown_as="video"),
    Clip("dialogue/first_day.mp4", WIDE, Fraction(25), 25, 11, FIRST_DAY, FIRST_DAY_LINES),
    Clip("dialogue/old_friends.mp4", WIDE, NTSC, 29.97, 11, OLD_FRIENDS, OLD_FRIENDS_LINES),
    Clip("dialogue/arm.mp4", SMALL, Fraction(25), 25, 15, CONSULTATION, CONSULTATION_LINES),
    Clip("dialogue/cold.mp4", SMALL, Fraction(24), 24, 9, COLD_ANSWERS, COLD_LINES),
    Clip("dialogue/race.mp4", SMALL, Fraction(20), 20.0, 12, AFTER_THE_RACE, RACE_LINES, shown_as="video"),
    Clip("lie/cake.mp4", SMALL, Fraction(25), 25, 25, CAKE, shown_as="video"),
    Clip("lie/plant.mp4", SMALL, Fraction(15), 15, 11, PLANT, tune=(60, 64, 67, 64)),
)

RECORDINGS = (
    Recording(
        "calls/call_01.wav",
        (
            Line("agent", "Congratulations! You have won a golden bicycle.", 0.2),
            Line("agent", "To get it, buy five gift cards now, and read me the numbers on them."),
            Line("ben", "But I did not enter any competition."),
            Line("agent", "Please hurry, and tell nobody! The offer ends in ten minutes."),
            Line("ben", "No, thank you. Goodbye."),
        ),
        8000,
    ),
    Recording(
        "calls/call_02.wav",
        (
            Line("driver", "Good morning, this is the parcel service. I have a box for you.", 0.2),
            Line("driver", "Are you at home this afternoon?"),
            Line("ana", "Yes, until five o'clock."),
            Line("driver", "Good, then I will ring at four. There is nothing to pay."),
            Line("ana", "Thank you. See you later."),
        ),
        8000,
    ),
    Recording(
        "chat/exam.wav",
        (
            Line("cleo", "I have an exam tomorrow, and I can not sleep. I am afraid to forget everything.", 0.2),
            Line("doctor", "That sounds tiring. What helped you before the last exam?", 0.5),
            Line("cleo", "A walk with my sister."),
        ),
        16000,
    ),
    Recording(
        "chat/new_town.wav",
        (
            Line("dan", "Since I moved to this town, the evenings feel long.", 0.2),
            Line("doctor", "It is hard to leave friends behind. What did you enjoy together?", 0.5),
            Line("dan", "We played music every Friday."),
        ),
        11025,
    ),
)
