"""Random scenes and questions like those of the embedded sample, to train the tiny model on.

`random_example` draws the seed of everything: people, colours, places, times, voices, the order of events and of
options. Among the options of a question every one is right equally often, so that nobody can answer without seeing or
hearing.
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
    GREY,
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
from training_speech import FILLERS, KINDS, SPOKEN, random_voice

SHIRTS = {
    "red": RED, "blue": BLUE, "yellow": YELLOW, "green": GREEN, "purple": PURPLE, "orange": ORANGE, "white": WHITE,
    "pink": PINK, "grey": GREY, "black": BLACK,
}  # fmt: skip
HATS = {"red": RED, "blue": BLUE, "yellow": YELLOW, "purple": PURPLE, "black": BLACK}
SKINS = (LIGHT, TAN, BROWN, DARK)
HAIR = {"woman": ("long", "bun"), "man": ("short", "bald"), "child": ("short", "short")}
PLACES = ("room", "park", "street", "office")
SMALL = (320, 240)


@dataclass(frozen=True)
class Speech:
    """A spoken line of a concept ("" for a filler)."""

    text: str
    voice: Voice
    kind: str
    concept: str
    pause: float


@dataclass(frozen=True)
class Example:
    """A question with what is seen and heard. `scene` is None for a recording; `seconds` is the clip's duration."""

    code: str
    question: Question
    scene: Scene | None
    lines: tuple[Speech, ...]
    seconds: float
    fps: int = 25
    size: tuple[int, int] = SMALL


def look(rng: random.Random, kind: str = "", shirt: str = "", plain: bool = False) -> Look:
    """A random look; `plain` without hat, glasses and other things that may be asked about."""
    kind = kind or rng.choice(KINDS)
    return Look(
        SHIRTS[shirt or rng.choice([*SHIRTS])],
        trousers=rng.choice(("#44506b", "#5b4a3a", "#3d5a4c")),
        skin=rng.choice(SKINS),
        hair=rng.choice(HAIR[kind]),
        hair_colour=rng.choice((BLACK, "#4a3426", "#b9803f", "#c99a4b")),
        hat="" if plain or rng.random() < 0.7 else rng.choice([*HATS.values()]),
        glasses=not plain and rng.random() < 0.25,
    )


def _near(name: str, look: Look, x: float, facing: int, beats: Sequence[Beat], height: float) -> Actor:
    return Actor(name, look, (Beat(0, x=x, facing=facing), *beats), height, ground=1.15 + 0.1 * (height - 0.9))


def _choice(rng: random.Random, kind: str, text: str, right: str, wrong: Sequence[str], many: int) -> Question:
    """A question with `many` options in random order."""
    options = [right, *rng.sample(list(wrong), many - 1)]
    rng.shuffle(options)
    return Question(kind, "", text, string.ascii_uppercase[options.index(right)], tuple(options))


def _pick(rng: random.Random, table: dict[str, str], many: int) -> tuple[str, list[str]]:
    right = rng.choice([*table])
    return right, [text for text in table if text != right]


ACTIONS = {
    "Jumping jacks": "jumping_jack", "Walking": "walk", "Running": "run", "Squatting": "squat", "Sitting": "sit",
    "Eating": "eat", "Kicking": "kick", "Lying on the ground": "lie",
}  # fmt: skip


def _action(rng: random.Random) -> Example:
    right, wrong = _pick(rng, ACTIONS, 4)
    pose, place = ACTIONS[right], rng.choice(PLACES)
    facing, x = rng.choice((-1, 1)), rng.uniform(0.3, 0.7)
    beats = [Beat(-rng.random(), pose, x, facing=facing, mood=rng.choice(MOODS))]
    if pose in ("walk", "run"):
        start = rng.uniform(0.1, 0.3)
        start, end = (start, start + 0.5) if facing > 0 else (1 - start, 0.5 - start)
        beats = [Beat(0, pose, start, facing=facing), Beat(4.2, pose, end)]
    actor = Actor("one", look(rng), tuple(beats), rng.uniform(0.55, 0.75))
    text = f"What is the person in the {place} doing"
    return Example("AR", _choice(rng, "Action_Recognition", text, right, wrong, 4), Scene(place, (actor,)), (), 4)


EMOTIONS = {"Happy": "happy", "Sad": "sad", "Angry": "angry", "Surprised": "surprised"}
MOODS = (*EMOTIONS.values(), "neutral")


def _emotion(rng: random.Random) -> Example:
    kind = "Emotion_Recognition"
    right, wrong = _pick(rng, EMOTIONS, 4)
    if rng.random() < 0.5:
        before = EMOTIONS[rng.choice(wrong)]
        beats = [Beat(0, mood=before), Beat(rng.uniform(1.5, 2.4), mood=EMOTIONS[right])]
        actors = [_near("one", look(rng), rng.uniform(0.4, 0.6), rng.choice((-1, 0, 1)), beats, rng.uniform(0.95, 1.1))]
        text = "How does the person look at the end of the clip"
    else:
        shirts = rng.sample([*SHIRTS], 2)
        moods = [EMOTIONS[right], EMOTIONS[rng.choice(wrong)]]
        places = rng.sample((0.3, 0.7), 2)
        actors = [
            _near(shirt, look(rng, shirt=shirt), x, rng.choice((-1, 0, 1)), [Beat(0.1, mood=mood)], 1.0)
            for shirt, mood, x in zip(shirts, moods, places, strict=True)
        ]
        text = f"Which emotion does the face of the person in the {shirts[0]} shirt show"
    return Example("ER", _choice(rng, kind, text, right, wrong, 4), Scene(rng.choice(PLACES), tuple(actors)), (), 4)


GESTURES = {
    "Thumbs up": "thumbs_up", "Waving": "wave", "Pointing to the side": "point", "Raising both hands": "hands_up",
    "Crossing the arms": "arms_crossed", "Arms to the sides": "arms_wide",
}  # fmt: skip


def _gesture(rng: random.Random) -> Example:
    right, wrong = _pick(rng, GESTURES, 4)
    facing = rng.choice((-1, 0, 1))
    if rng.random() < 0.5:
        text, beats = "Which gesture does the person make", [Beat(-0.5, GESTURES[right])]
    else:
        text = "Which gesture does the person make last"
        before = rng.choice(wrong)
        wrong = [before, *rng.sample([other for other in wrong if other != before], 2)]
        beats = [Beat(-0.5, GESTURES[before]), Beat(rng.uniform(1.5, 2.2), GESTURES[right])]
    actor = _near("one", look(rng), rng.uniform(0.4, 0.6), facing, beats, rng.uniform(0.8, 1.0))
    question = _choice(rng, "Gesture_Recognition", text, right, wrong, 4)
    return Example("GR", question, Scene(rng.choice(PLACES), (actor,)), (), 4)


def _appearance(rng: random.Random) -> Example:
    shirt, hat = rng.choice([*SHIRTS]), rng.choice(["", *HATS])
    glasses, bandage = rng.random() < 0.5, rng.random() < 0.5
    said: list[tuple[str, bool]] = [("Glasses", glasses), ("A bandage", bandage)]
    colour = shirt if rng.random() < 0.5 else rng.choice([other for other in SHIRTS if other != shirt])
    said.append((f"A {colour} shirt", colour == shirt))
    colour = hat if hat and rng.random() < 0.6 else rng.choice([other for other in HATS if other != hat])
    said.append((f"A {colour} hat", colour == hat))
    if not any(true for _, true in said):
        return _appearance(rng)
    rng.shuffle(said)
    answer = "".join(letter for letter, (_, true) in zip("ABCD", said, strict=True) if true)
    options = tuple(text for text, _ in said)
    question = Question("Person_Appearance", "", "What does the person in the clip wear", answer, options, multi=True)
    person = Look(
        SHIRTS[shirt], skin=rng.choice(SKINS), hair=rng.choice(("short", "long", "bun", "bald")),
        hair_colour=rng.choice((BLACK, "#4a3426", "#b9803f")), hat=HATS[hat] if hat else "", glasses=glasses,
        bandage=bandage,
    )  # fmt: skip
    beats = [Beat(0.1, rng.choice(("stand", "reach", "point", "thumbs_up")), mood=rng.choice(MOODS))]
    actor = _near("one", person, rng.uniform(0.4, 0.6), rng.choice((-1, 0, 1)), beats, rng.uniform(0.9, 1.05))
    return Example("PA", question, Scene(rng.choice(PLACES), (actor,)), (), 4)


ABNORMAL = {
    "Someone falls": "fall", "Someone takes the bag of someone else": "bag", "A fight": "fight",
    "Nothing abnormal": "nothing",
}  # fmt: skip


def _abnormal(rng: random.Random) -> Example:
    right, wrong = _pick(rng, ABNORMAL, 4)
    event, at = ABNORMAL[right], rng.uniform(1.0, 2.2)
    first, second = look(rng), look(rng)
    height, left = rng.uniform(0.55, 0.68), rng.random() < 0.5

    def side(x: float) -> float:
        return x if left else 1 - x

    to_right = 1 if left else -1
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...] = ()
    if event == "fall":
        x = side(rng.uniform(0.35, 0.55))
        beats = (Beat(0, "walk", side(0.1), facing=to_right), Beat(at, "lie", x, mood="sad"))
        actors = (Actor("one", first, beats, height),)
    elif event == "bag":
        sitting = (Beat(0, "sit", side(0.38), facing=-to_right), Beat(at + 1, "sit", mood="surprised"))
        thief = (Beat(0, "walk", side(0.95), facing=-to_right), Beat(at, "reach", side(0.74)),
                 Beat(at + 0.5, "run", side(0.74), facing=to_right), Beat(5.5, "run", side(1.0)))  # fmt: skip
        actors = (Actor("one", first, sitting, height), Actor("two", second, thief, height))
        path = ((0, side(0.58), 0.82), (at + 0.2, side(0.58), 0.82), (at + 0.5, side(0.74), 0.7), (5.5, side(1.0), 0.7))
        props = (Prop("bench", ((0, side(0.45), 0.93),), 0.24), Prop("bag", path, 0.17, RED, front=True))
    elif event == "fight":
        actors = (
            Actor("one", first, (Beat(0, x=side(0.38), facing=to_right, mood="angry"), Beat(at, "kick")), height),
            Actor("two", second, (Beat(0, x=side(0.62), facing=-to_right, mood="angry"), Beat(at, "reach")), height),
        )
    else:
        walk = (Beat(0, "walk", side(0.05), facing=to_right), Beat(6, "walk", side(0.9)))
        seated = (Beat(0, "sit", side(0.38), facing=-to_right),)
        actors = (Actor("two", second, walk, height),)
        if rng.random() < 0.6:
            actors = (Actor("one", first, seated, height), *actors)
            props = (Prop("bench", ((0, side(0.45), 0.93),), 0.24),)
            if rng.random() < 0.6:
                props = (*props, Prop("bag", ((0, side(0.58), 0.82),), 0.17, RED, front=True))
    text = "What abnormal event happens in the clip"
    question = _choice(rng, "Abnormal_Classification", text, right, wrong, 4)
    return Example("AC", question, Scene(rng.choice(PLACES), actors, props), (), 6)


MOVES = {
    "Walks": "walk", "Jumps": "jumping_jack", "Squats": "squat", "Runs": "run", "Raises the arms": "hands_up",
    "Crosses the arms": "arms_crossed",
}  # fmt: skip


def _motion(rng: random.Random) -> Example:
    kind, way = "Complex_Motion", rng.random()
    moves = rng.sample([*MOVES], 3)
    facing, x = rng.choice((-1, 1)), rng.uniform(0.4, 0.6)
    beats = [Beat(k * 2.0 - 0.3, MOVES[move], x, facing=facing) for k, move in enumerate(moves)]
    if way < 0.25:
        pose = rng.choice(("run", "walk"))
        verb = {"run": "run", "walk": "walk"}[pose]
        beats = [*beats[:2], Beat(3.7, pose, x, facing=facing), Beat(6, pose, x + 0.3 * facing)]
        text = f"To which side of the picture does the person {verb} at the end"
        sides = ["To the left", "To the right"]
        question = _choice(rng, kind, text, sides[facing > 0], [sides[facing < 0]], 2)
    elif way < 0.6:
        index = rng.choice((0, 2))
        others = [move for k, move in enumerate(moves) if k != index]
        text = f"What does the person do {'first' if index == 0 else 'last'}"
        question = _choice(rng, kind, text, moves[index], others, 3)
    else:
        a, b, c = moves
        orders = [[a, b, c], [b, a, c], [c, b, a], [a, c, b]]
        texts = [", ".join([order[0], *(move.lower() for move in order[1:])]) for order in orders]
        question = _choice(rng, kind, "In which order does the person move", texts[0], texts[1:], 3)
    actor = Actor("one", look(rng), tuple(beats), rng.uniform(0.6, 0.75))
    return Example("CM", question, Scene(rng.choice(PLACES), (actor,)), (), 6)


def _counting(rng: random.Random) -> Example:
    place, verb = rng.choice((("park", "walk through the park"), ("street", "cross the street")))
    many = rng.randint(1, 5)
    shirts = rng.sample([*SHIRTS], many)
    looks = [look(rng, shirt=shirt) for shirt in shirts]
    again = rng.sample(looks, min(many, rng.randint(0, 2)))
    crossing, walkers = looks + again, []
    step = rng.uniform(1.1, 1.4)
    for k, person in enumerate(crossing):
        back, start = k >= many, 0.1 + step * k
        begin, end = (1.15, -0.15) if back else (-0.15, 1.15)
        beats = (Beat(start, "walk", begin, facing=-1 if back else 1), Beat(start + 3.2, "stand", end))
        walkers.append(Actor(str(k), person, beats, 0.62))
    question = Question("Human_Counting", "", f"How many different people {verb}?", many)
    return Example("HC", question, Scene(place, tuple(walkers)), (), 10)


def _lie(rng: random.Random) -> Example:
    did, says = rng.random() < 0.5, rng.random() < 0.5
    truth = did == says
    child = [Beat(0, x=0.8, facing=-1)]
    cake = [Prop("cake", ((0, 0.5, 0.79),), 0.17, PINK)]
    if did:
        child += [Beat(0.6, "walk", 0.8), Beat(1.4, "eat", 0.66, mood="happy"), Beat(3.6, "stand"),
                  Beat(4.0, "walk", 0.66, facing=1), Beat(4.6, "stand", 0.8, facing=-1)]  # fmt: skip
        cake = [Prop("plate", ((0, 0.5, 0.79),), 0.17, CRUMBS), Prop("cake", ((0, 0.5, 0.79),), 0.17, PINK, end=2.2)]
    else:
        child += [Beat(0.6, rng.choice(("walk", "stand", "wave")), 0.8), Beat(4.6, "stand", 0.8)]
    child.append(Beat(5.4, "nod" if says else "shake_head", bubble="Yes, I ate it." if says else "No, it was not me!"))
    props = (Prop("table", ((0, 0.45, 0.94),), 0.22), *cake)
    actor = Actor("child", look(rng, "child"), tuple(child), rng.uniform(0.48, 0.58))
    adult = Actor("adult", look(rng), (Beat(3.6, "walk", -0.2, facing=1), Beat(5.2, "stand", 0.16)), 0.66)
    wrong, right = ("No, the child lies", "Yes, the child tells the truth")[:: 1 if truth else -1]
    question = _choice(rng, "Lie_Detection", "Does the child tell the truth about the cake", right, [wrong], 2)
    return Example("LD", question, Scene("room", (actor, adult), props), (), 8)


def _dialogue(rng: random.Random, concept: str, many: int = 3) -> tuple[Speech, ...]:
    """Two voices in turns, of whose lines one or two have the concept and the others say nothing of it."""
    voices = [(kind, random_voice(rng, kind)) for kind in (rng.choice(KINDS), rng.choice(KINDS))]
    texts = [(concept, text) for text in rng.sample(SPOKEN[concept], rng.randint(1, 2))]
    texts += [("", text) for text in rng.sample(FILLERS, rng.randint(0, many - len(texts)))]
    rng.shuffle(texts)
    return tuple(
        Speech(text, voices[k % 2][1], voices[k % 2][0], about, rng.uniform(0.2, 0.7))
        for k, (about, text) in enumerate(texts)
    )


def _two_people(rng: random.Random) -> Scene:
    poses = ("stand", "arms_crossed", "reach", "nod", "wave")
    actors = [
        _near(name, look(rng), x, facing, [Beat(0.1, rng.choice(poses), mood=rng.choice(MOODS))], rng.uniform(0.85, 1))
        for name, x, facing in (("left", 0.3, 1), ("right", 0.7, -1))
    ]
    return Scene(rng.choice(PLACES), tuple(actors))


def _heard(code: str, kind: str, text: str, table: dict[str, str], many: int) -> Callable[[random.Random], Example]:
    """A task that asks which concept is heard; the options are the texts of `table`, by concept."""

    def make(rng: random.Random) -> Example:
        concept = rng.choice([*table])
        wrong = [other for about, other in table.items() if about != concept]
        question = _choice(rng, kind, text, table[concept], wrong, min(many, len(table)))
        scene = None if code in ("FR2", "PC") else _two_people(rng)
        return Example(code, question, scene, _dialogue(rng, concept), 10.2, fps=30)

    return make


CALLS = {
    "gift_cards": "The numbers of gift cards", "password": "A password or a secret number",
    "transfer": "A transfer of money", "parcel": "A time for a parcel", "repair": "A date for a repair",
    "table": "A table in a restaurant",
}  # fmt: skip
FRAUDS = ("gift_cards", "password", "transfer")
_wants = _heard("FR2", "Fraud_Recognition", "What does the caller want", CALLS, 4)
WORRIES = {
    "exam": "An exam", "quarrel": "A quarrel", "moved": "A new town", "work": "A lost job", "sleep": "A bad sleep",
}  # fmt: skip
REPLIES = {
    "exam": "A short walk may calm you before the exam.", "quarrel": "Shall we think about how to make peace?",
    "moved": "Shall we look for a music group in your town?", "work": "Let us look at other jobs together.",
    "sleep": "A quiet evening may help you to sleep.",
}  # fmt: skip
_worry = _heard("PC", "Psychological_Chat", "What worries the person who speaks first", WORRIES, 4)
_reply = _heard("PC", "Psychological_Chat", "Which reply helps the person best now", REPLIES, 4)


def _fraud(rng: random.Random) -> Example:
    if rng.random() < 0.5:
        return _wants(rng)
    concept = rng.choice([*CALLS])
    options = ("Yes, it is a fraud", "No, it is an ordinary call")[:: 1 if concept in FRAUDS else -1]
    question = _choice(rng, "Fraud_Recognition", "Is this phone call a fraud", options[0], options[1:], 2)
    return Example("FR2", question, None, _dialogue(rng, concept), 0)


def _chat(rng: random.Random) -> Example:
    return (_worry if rng.random() < 0.5 else _reply)(rng)


ITEMS = {"juice": "apple juice", "bread": "bread", "cheese": "cheese", "salad": "salad"}


def _talking(rng: random.Random) -> Example:
    shirts, kinds = rng.sample([*SHIRTS], 3), rng.sample(KINDS, 3)
    heights = {"woman": 0.85, "man": 0.9, "child": 0.62}
    poses = ("stand", "nod", "wave", "reach")
    actors = [
        Actor(shirt, look(rng, kind, shirt, plain=True),
              (Beat(0, x=x, facing=0), Beat(0.1, rng.choice(poses), mood=rng.choice(MOODS))), heights[kind], ground=1.0)
        for shirt, kind, x in zip(shirts, kinds, (0.18, 0.5, 0.82), strict=True)
    ]  # fmt: skip
    speakers = rng.sample(range(3), 2)
    items = rng.sample([*ITEMS], 2)
    lines = tuple(
        Speech(rng.choice(SPOKEN[item]), random_voice(rng, kinds[who]), kinds[who], item, rng.uniform(0.3, 0.8))
        for who, item in zip(speakers, items, strict=True)
    )
    first = rng.random() < 0.5
    index = 0 if first else rng.randrange(2)
    text = "Who speaks first" if first else f"Who says that they will bring the {ITEMS[items[index]]}"
    people = [f"The person in the {shirt} shirt" for shirt in shirts]
    right = people[speakers[index]]
    question = _choice(rng, "Talkingperson_Recognition", text, right, [one for one in people if one != right], 3)
    return Example("TR", question, Scene(rng.choice(PLACES), tuple(actors)), lines, 10.2, fps=30)


FAMILIARITIES = {
    "first_meeting": "They meet for the first time", "old_friends": "They are old friends",
    "siblings": "They are brother and sister",
}  # fmt: skip
RELATIONS = {
    "doctor": "Doctor and patient", "teacher": "Teacher and pupil", "seller": "Seller and customer",
    "parent": "Parent and child", "colleagues": "Colleagues",
}  # fmt: skip
RAPPORTS = {
    "warm": "High: they are warm", "polite": "Medium: they are polite but distant",
    "cold": "Low: one wants to be left alone",
}  # fmt: skip
STRATEGIES = {
    "accept": "Accepts the feeling", "change": "Changes the subject", "blame": "Blames the others",
    "play_down": "Tells that it does not matter",
}  # fmt: skip

MAKERS: dict[str, Callable[[random.Random], Example]] = {
    "AR": _action, "ER": _emotion, "GR": _gesture, "PA": _appearance, "AC": _abnormal, "CM": _motion, "HC": _counting,
    "TR": _talking,
    "FR1": _heard("FR1", "Familiarity_Recognition", "How well do the two people know each other", FAMILIARITIES, 3),
    "FR2": _fraud, "LD": _lie,
    "RR1": _heard("RR1", "Relation_Recognition", "What is the relation between the two people", RELATIONS, 4),
    "RR2": _heard("RR2", "Rapport_Recognition", "How is the rapport between the two people", RAPPORTS, 3),
    "ES": _heard("ES", "Emo_Strategy", "Which strategy is used to help", STRATEGIES, 4),
    "PC": _chat,
}  # fmt: skip
"""The maker of a random example for each task."""


def random_example(code: str, seed: str) -> Example:
    """A random example of a task, always the same for the same seed."""
    return MAKERS[code](random.Random(f"{code} {seed}"))


def meanings() -> list[tuple[str, str]]:
    """Texts of options, and the attributes (see `training_inputs.ATTRIBUTES`) of what they speak of."""
    pairs = [(name, f"{what} {name}") for what, names in (("shirt", SHIRTS), ("hat", HATS)) for name in names]
    pairs += [(text, f"pose {pose}") for table in (ACTIONS, GESTURES, MOVES) for text, pose in table.items()]
    pairs += [*EMOTIONS.items(), ("Glasses", "glasses"), ("bandage", "bandage")]
    pairs += [("falls", "pose lie"), ("fight", "pose kick"), ("bag", "bag taken"), ("left", "left"), ("right", "right")]
    for table in (CALLS, WORRIES, REPLIES, ITEMS, FAMILIARITIES, RELATIONS, RAPPORTS, STRATEGIES):
        pairs += [(text, concept) for concept, text in table.items()]
    return pairs
