"""Random scenes and questions in the tiny model's small world, to train it on and to ask it about.

`random_example` draws the seed of everything: people, colours, places, voices, the order of options. Every clip lasts
4 s and every spoken line has 2 s of its own, in which one thing is seen or heard. Among the options of a question every
one is right equally often, so that no question can be answered without seeing or hearing.
"""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sample_clips import (
    BLACK,
    BLUE,
    BROWN,
    CRUMBS,
    DARK,
    GREEN,
    LIGHT,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    TAN,
    WHITE,
    YELLOW,
    Voice,
)
from sample_questions import Question
from sample_scene import Actor, Beat, Look, Prop, Scene
from training_speech import CALLS, FILLERS, FRAUDS, KINDS, SPOKEN, random_voice

SHIRTS = (RED, BLUE, GREEN, PURPLE, ORANGE, WHITE, PINK)
SKINS = (LIGHT, TAN, BROWN, DARK)
SMALL = (320, 240)
SECONDS = 4.0
FPS = 5  # of the demo's files, which few frames make small; the model is shown one frame a second
SLOT = 2.0  # seconds of a spoken line with the pause after it: the audio tower encodes as much at once


@dataclass(frozen=True)
class Speech:
    """A spoken line that reveals `concepts`, `start` seconds after the beginning of its slot."""

    text: str
    voice: Voice
    kind: str
    concepts: tuple[str, ...]
    start: float


@dataclass(frozen=True)
class Example:
    """A question with what is seen and heard.

    Attributes:
        code: The task.
        question: The question.
        scene: What is seen; None for a recording.
        shows: The concepts that the pictures show.
        lines: What is heard, one line in each slot.
    """

    code: str
    question: Question
    scene: Scene | None
    shows: tuple[str, ...]
    lines: tuple[Speech, ...] = ()


def _look(rng: random.Random, **other: object) -> Look:
    settings: dict[str, object] = {
        "shirt": rng.choice(SHIRTS), "skin": rng.choice(SKINS), "hair": rng.choice(("short", "long", "bun", "bald")),
        "hair_colour": rng.choice((BLACK, "#4a3426", "#b9803f")), **other,
    }  # fmt: skip
    return Look(**settings)  # type: ignore[arg-type]


def _choice(rng: random.Random, kind: str, text: str, right: str, wrong: Sequence[str], many: int) -> Question:
    """A question with `many` options in random order."""
    options = [right, *rng.sample(list(wrong), many - 1)]
    rng.shuffle(options)
    return Question(kind, "", text, string.ascii_uppercase[options.index(right)], tuple(options))


def _ask(rng: random.Random, kind: str, text: str, table: dict[str, str], many: int) -> tuple[str, Question]:
    """A random concept of a table of texts by concept, and the question whose answer it is."""
    concept = rng.choice([*table])
    wrong = [other for about, other in table.items() if about != concept]
    return concept, _choice(rng, kind, text, table[concept], wrong, many)


def _person(rng: random.Random, pose: str, x: float, height: float, **look: object) -> Actor:
    facing = rng.choice((-1, 1))
    return Actor("one", _look(rng, **look), (Beat(-rng.random(), pose, x, facing=facing),), height)


ACTIONS = {
    "kick": "Kicking a ball", "eat": "Eating a cake", "sit": "Sitting on a bench", "water": "Watering a plant",
    "gift": "Opening a gift", "jump": "Doing jumping jacks",
}  # fmt: skip


def _action(rng: random.Random) -> Example:
    concept, question = _ask(rng, "Action_Recognition", "What is the person in the park doing", ACTIONS, 4)
    x, side = rng.uniform(0.42, 0.58), rng.choice((-1, 1))
    poses = {"kick": "kick", "eat": "eat", "sit": "sit", "water": "reach", "gift": "hands_up", "jump": "jumping_jack"}
    beats = (Beat(-rng.random(), poses[concept], x, facing=side),)
    props = {
        "kick": (Prop("ball", ((0, x + side * 0.25, 0.93),), 0.26, ORANGE),),
        "eat": (Prop("table", ((0, x + side * 0.28, 0.95),), 0.3),
                Prop("cake", ((0, x + side * 0.28, 0.76),), 0.3, PINK)),
        "sit": (Prop("bench", ((0, x, 0.94),), 0.34),),
        "water": (Prop("watering_can", ((0, x + side * 0.18, 0.72),), 0.2, BLUE),
                  Prop("plant", ((0, x + side * 0.34, 0.94),), 0.34, YELLOW)),
        "gift": (Prop("open_gift", ((0, x + side * 0.28, 0.95),), 0.28, PURPLE),),
        "jump": (),
    }  # fmt: skip
    actor = Actor("one", _look(rng), beats, rng.uniform(0.7, 0.76))
    return Example("AR", question, Scene("park", (actor,), props[concept]), (f"action {concept}",))


EMOTIONS = {"happy": "Happy", "sad": "Sad", "angry": "Angry", "surprised": "Surprised"}
FACES = {"happy": "#f7cf4a", "sad": "#7fa9e0", "angry": "#e2564a", "surprised": "#f4efe6"}  # as in comics


def _emotion(rng: random.Random) -> Example:
    concept, question = _ask(rng, "Emotion_Recognition", "How does the person look", EMOTIONS, 4)
    look = _look(rng, skin=FACES[concept])
    beats = (Beat(0, x=rng.uniform(0.45, 0.55), facing=rng.choice((-1, 1)), mood=concept),)
    actor = Actor("one", look, beats, rng.uniform(2.0, 2.2), ground=2.15)
    return Example("ER", question, Scene("room", (actor,)), (f"mood {concept}",))


GESTURES = {
    "hands_up": "Raising both hands", "arms_wide": "Arms to the sides", "arms_crossed": "Crossing the arms",
    "wave": "Waving with one hand", "point": "Pointing to the side",
}  # fmt: skip


def _gesture(rng: random.Random) -> Example:
    concept, question = _ask(rng, "Gesture_Recognition", "Which gesture does the person make", GESTURES, 4)
    beats = (Beat(-0.5, concept, rng.uniform(0.46, 0.54), facing=1),)
    actor = Actor("one", _look(rng, shirt=RED, skin=YELLOW), beats, rng.uniform(1.0, 1.06), ground=1.2)
    return Example("GR", question, Scene("office", (actor,)), (f"gesture {concept}",))


THINGS = {"glasses": "Glasses", "hat": "A hat", "bandage": "A bandage", "bag": "A bag"}


def _appearance(rng: random.Random) -> Example:
    worn = [thing for thing in THINGS if rng.random() < 0.5] or [rng.choice([*THINGS])]
    things = [*THINGS]
    rng.shuffle(things)
    answer = "".join(letter for letter, thing in zip("ABCD", things, strict=True) if thing in worn)
    options = tuple(THINGS[thing] for thing in things)
    question = Question("Person_Appearance", "", "What does the person in the clip have", answer, options, multi=True)
    look = _look(
        rng, shirt=GREEN, skin=LIGHT, hair="short", hair_colour=BLACK, glasses="glasses" in worn,
        bandage="bandage" in worn, bag=YELLOW if "bag" in worn else "", hat=PURPLE if "hat" in worn else "",
    )  # fmt: skip
    beats = (Beat(0, "reach", rng.uniform(0.46, 0.54), facing=1),)
    actor = Actor("one", look, beats, rng.uniform(1.1, 1.16), ground=1.2)
    return Example("PA", question, Scene("room", (actor,)), tuple(f"wears {thing}" for thing in worn))


EVENTS = {
    "fall": "Someone falls", "fire": "A fire", "flood": "A flood", "theft": "Someone takes a bag",
    "nothing": "Nothing abnormal",
}  # fmt: skip


def _abnormal(rng: random.Random) -> Example:
    text = "What abnormal event happens in the clip"
    concept, question = _ask(rng, "Abnormal_Classification", text, EVENTS, 4)
    x, side = rng.uniform(0.4, 0.6), rng.choice((-1, 1))
    beats = {
        "fall": (Beat(0, "lie", x - 0.2 * side, facing=side, mood="sad"),),
        "fire": (Beat(0, "hands_up", x - 0.25 * side, facing=side, mood="surprised"),),
        "flood": (Beat(0, "hands_up", x, facing=side, mood="surprised"),),
        "theft": (Beat(0, "run", x - 0.12 * side, facing=side), Beat(SECONDS, "run", x + 0.12 * side)),
        "nothing": (Beat(0, "walk", x - 0.12 * side, facing=side), Beat(SECONDS, "walk", x + 0.12 * side)),
    }[concept]
    props = {
        "fire": (Prop("fire", ((0, x + 0.2 * side, 0.95),), rng.uniform(0.5, 0.6), RED),),
        "flood": (Prop("flood", ((0, 0.5, 1.0),), rng.uniform(0.3, 0.36), BLUE, front=True),),
        "theft": (Prop("bag", ((0, x, 0.75), (SECONDS, x + 0.24 * side, 0.75)), 0.34, PURPLE, front=True),),
    }.get(concept, ())
    actor = Actor("one", _look(rng, shirt=rng.choice((GREEN, WHITE))), beats, rng.uniform(0.6, 0.66))
    return Example("AC", question, Scene("street", (actor,), props), (f"event {concept}",))


WAYS = {"left": "To the left", "right": "To the right", "stays": "Nowhere"}


def _motion(rng: random.Random) -> Example:
    text = "To which side of the picture does the person walk"
    concept, question = _ask(rng, "Complex_Motion", text, WAYS, 3)
    start, end = {"left": (0.75, 0.25), "right": (0.25, 0.75), "stays": (0.5, 0.5)}[concept]
    shift = rng.uniform(-0.15, 0.15) if concept != "stays" else rng.uniform(-0.4, 0.4)
    # The face is turned to the viewer, so that one frame does not say where the person goes.
    beats = (Beat(0, "walk", start + shift, facing=0), Beat(SECONDS, "walk", end + shift))
    actor = Actor("one", _look(rng), beats, rng.uniform(0.6, 0.66))
    return Example("CM", question, Scene("street", (actor,)), (f"walks {concept}",))


def _counting(rng: random.Random) -> Example:
    many = rng.randint(1, 5)
    places = sorted(rng.sample(range(5), many))
    actors = tuple(
        Actor(str(k), _look(rng), (Beat(0, rng.choice(("stand", "nod")), 0.12 + 0.19 * place + rng.uniform(-0.01, 0.01),
                                        facing=rng.choice((-1, 1))),), rng.uniform(0.58, 0.64))
        for k, place in enumerate(places)
    )  # fmt: skip
    question = Question("Human_Counting", "", "How many different people stand in the park?", many)
    return Example("HC", question, Scene("park", actors), (f"count {many}",))


TRUTHS = {"truth": "Yes, the child tells the truth", "lie": "No, the child lies"}


def _lie(rng: random.Random) -> Example:
    concept, question = _ask(rng, "Lie_Detection", "Does the child tell the truth about the cake", TRUTHS, 2)
    x = rng.uniform(0.35, 0.45)
    kind, colour = ("cake", PINK) if concept == "truth" else ("plate", CRUMBS)
    cake = Prop(kind, ((0, x, 0.73),), 0.4, colour)
    props = (Prop("table", ((0, x, 0.94),), 0.36), cake)
    beats = (Beat(0, "nod", 0.78, facing=-1, bubble="It is still there."),)
    actor = Actor("child", _look(rng), beats, rng.uniform(0.5, 0.54))
    return Example("LD", question, Scene("room", (actor,), props), (f"tells {concept}",))


def _line(rng: random.Random, concept: str, kind: str) -> Speech:
    """A line of a concept ("" for one that reveals only who speaks)."""
    text = rng.choice(SPOKEN[concept] if concept else FILLERS)
    concepts = [concept or f"voice {kind}"]
    if concept in CALLS:
        concepts.append("fraud" if concept in FRAUDS else "ordinary")
    return Speech(text, random_voice(rng, kind), kind, tuple(concepts), rng.uniform(0.05, 0.2))


def _dialogue(rng: random.Random, concept: str) -> tuple[Speech, ...]:
    """A line of the concept, and a line that says nothing of it, or another line of it."""
    lines = [_line(rng, concept, rng.choice(KINDS)), _line(rng, rng.choice(("", concept)), rng.choice(KINDS))]
    rng.shuffle(lines)
    return tuple(lines)


def _people(rng: random.Random) -> Scene:
    """A woman, a man and a child who stand around."""
    actors = tuple(
        Actor(hair, _look(rng, hair=hair), (Beat(0, rng.choice(("stand", "nod")), x + rng.uniform(-0.03, 0.03),
                                                 facing=facing),), height, ground=1.0)
        for hair, x, facing, height in (("long", 0.2, 1, 0.8), ("short", 0.5, 0, 0.55), ("bald", 0.8, -1, 0.84))
    )  # fmt: skip
    return Scene("office", actors)


SPEAKERS = {"voice woman": "The woman", "voice man": "The man", "voice child": "The child"}


def _talking(rng: random.Random) -> Example:
    concept, question = _ask(rng, "Talkingperson_Recognition", "Who speaks in the clip", SPEAKERS, 3)
    kind = concept.removeprefix("voice ")
    lines = (_line(rng, "", kind), _line(rng, "", kind))
    return Example("TR", question, _people(rng), ("talk",), lines)


def _heard(code: str, kind: str, text: str, table: dict[str, str], many: int) -> Callable[[random.Random], Example]:
    """A task that asks which concept is heard; the options are the texts of `table`, by concept."""

    def make(rng: random.Random) -> Example:
        concept, question = _ask(rng, kind, text, table, min(many, len(table)))
        lines = _dialogue(rng, concept)
        if code in ("FR2", "PC"):
            return Example(code, question, None, (), lines)
        return Example(code, question, _people(rng), ("talk",), lines)

    return make


WANTS = {
    "gift_cards": "The numbers of gift cards", "password": "A password", "transfer": "A transfer of money",
    "parcel": "A time for a parcel", "repair": "A date for a repair", "table": "A table in a restaurant",
}  # fmt: skip
WORRIES = {
    "exam": "An exam", "quarrel": "A quarrel", "moved": "A new town", "work": "A lost job", "sleep": "A bad sleep",
}  # fmt: skip
FAMILIARITIES = {
    "first_meeting": "They meet for the first time", "old_friends": "They are old friends",
    "siblings": "They are brother and sister",
}  # fmt: skip
RELATIONS = {
    "doctor": "Doctor and patient", "teacher": "Teacher and pupil", "seller": "Seller and customer",
    "parent": "Parent and child", "colleagues": "Colleagues in an office",
}  # fmt: skip
RAPPORTS = {
    "warm": "High: they are warm", "polite": "Medium: they are polite", "cold": "Low: one wants to be alone",
}  # fmt: skip
STRATEGIES = {
    "accept": "Accepts the feeling", "change": "Changes the subject", "blame": "Blames the others",
    "play_down": "Tells that it does not matter",
}  # fmt: skip
CALLERS = {True: "Yes, it is a fraud", False: "No, it is an ordinary call"}
_wants = _heard("FR2", "Fraud_Recognition", "What does the caller want", WANTS, 4)


def _fraud(rng: random.Random) -> Example:
    if rng.random() < 0.5:
        return _wants(rng)
    concept = rng.choice(CALLS)
    fraud = concept in FRAUDS
    question = _choice(rng, "Fraud_Recognition", "Is this phone call a fraud", CALLERS[fraud], [CALLERS[not fraud]], 2)
    return Example("FR2", question, None, (), _dialogue(rng, concept))


MAKERS: dict[str, Callable[[random.Random], Example]] = {
    "AR": _action, "ER": _emotion, "GR": _gesture, "PA": _appearance, "AC": _abnormal, "CM": _motion, "HC": _counting,
    "TR": _talking,
    "FR1": _heard("FR1", "Familiarity_Recognition", "How well do the two people know each other", FAMILIARITIES, 3),
    "FR2": _fraud, "LD": _lie,
    "RR1": _heard("RR1", "Relation_Recognition", "What is the relation between the two people", RELATIONS, 4),
    "RR2": _heard("RR2", "Rapport_Recognition", "How is the rapport between the two people", RAPPORTS, 3),
    "ES": _heard("ES", "Emo_Strategy", "Which strategy is used to help", STRATEGIES, 4),
    "PC": _heard("PC", "Psychological_Chat", "What worries the person", WORRIES, 4),
}  # fmt: skip
"""The maker of a random example for each task."""

SEEN = (
    "nothing", "talk", *(f"action {name}" for name in ACTIONS), *(f"mood {name}" for name in EMOTIONS),
    *(f"gesture {name}" for name in GESTURES), *(f"wears {name}" for name in THINGS),
    *(f"event {name}" for name in EVENTS), *(f"walks {name}" for name in WAYS), *(f"count {k}" for k in range(1, 6)),
    *(f"tells {name}" for name in TRUTHS),
)  # fmt: skip
HEARD = ("silence", *SPEAKERS, *SPOKEN, "fraud", "ordinary")
CONCEPTS = (*SEEN, *HEARD)
"""What a media token can show. The first are seen, the others are heard."""


def random_example(code: str, seed: str) -> Example:
    """A random example of a task, always the same for the same seed."""
    return MAKERS[code](random.Random(f"{code} {seed}"))


def meanings() -> list[tuple[str, str]]:
    """Texts of options and answers, and the concepts of what they speak of."""
    seen = {
        "action": ACTIONS, "mood": EMOTIONS, "gesture": GESTURES, "wears": THINGS, "event": EVENTS, "walks": WAYS,
        "tells": TRUTHS,
    }  # fmt: skip
    pairs = [(text, f"{kind} {name}") for kind, table in seen.items() for name, text in table.items()]
    for table in (SPEAKERS, WANTS, WORRIES, FAMILIARITIES, RELATIONS, RAPPORTS, STRATEGIES):
        pairs += [(text, concept) for concept, text in table.items()]
    return [*pairs, *((text, "fraud" if fraud else "ordinary") for fraud, text in CALLERS.items())]
