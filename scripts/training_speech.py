"""What people say in the training scenes: short spoken lines by what they reveal, and the voices that say them.

Every line belongs to one concept. What an option of a question says is true if its concept is heard, so that the answer
follows from the sound and never from the text.
"""

import random

from sample_clips import Voice

FILLERS = ("Good morning.", "Let me think.", "Yes, of course.", "One moment.", "I see.", "Well, well.")

SPOKEN: dict[str, tuple[str, ...]] = {
    # How well two people know each other.
    "first_meeting": ("Nice to meet you.", "Who are you?"),
    "old_friends": ("My dear old friend!", "Friends for thirty years."),
    "siblings": ("Call our mother.", "Dad is at home."),
    # What the relation is.
    "doctor": ("Take this medicine.", "Show me your arm."),
    "teacher": ("Open your book.", "Do your homework."),
    "seller": ("That costs five euros.", "A bag of apples?"),
    "parent": ("Mummy, I am hungry.", "My child, go to bed."),
    "colleagues": ("The boss wants a report.", "Welcome to the office."),
    # How the rapport is.
    "warm": ("I love to talk with you.", "You make me laugh!"),
    "polite": ("Thank you for your letter.", "How kind of you."),
    "cold": ("Leave me alone.", "Stop asking."),
    # Which strategy is used.
    "accept": ("It is fine to cry.", "I understand you."),
    "change": ("What is for dinner?", "Look at the sunshine."),
    "blame": ("They all cheated.", "It was the judge."),
    "play_down": ("It does not matter.", "Only a silly game."),
    # What a caller wants.
    "gift_cards": ("Buy five gift cards.", "Gift cards, please."),
    "password": ("Tell me your password.", "Your secret number?"),
    "transfer": ("Transfer the money.", "Send us dollars."),
    "parcel": ("Your parcel is here.", "A parcel for you."),
    "repair": ("Your car is repaired.", "We fix the heater."),
    "table": ("A table for two.", "Your table is ready."),
    # What worries somebody.
    "exam": ("I fear my exam.", "The exam is tomorrow."),
    "quarrel": ("We had a quarrel.", "My sister shouted."),
    "moved": ("This town is new.", "I miss my home."),
    "work": ("I lost my job.", "I have no work."),
    "sleep": ("I can not sleep.", "Awake all night."),
}  # fmt: skip

FRAUDS = ("gift_cards", "password", "transfer")
CALLS = (*FRAUDS, "parcel", "repair", "table")
KINDS = ("woman", "man", "child")

_SPEAKERS = {
    "woman": (("f2", "f3"), (45, 60)),
    "man": (("m1", "m3"), (15, 35)),
    "child": (("f5",), (92, 99)),
}


def random_voice(rng: random.Random, kind: str) -> Voice:
    """A voice of a kind of person."""
    variants, pitches = _SPEAKERS[kind]
    return Voice(f"en-us+{rng.choice(variants)}", rng.randint(*pitches), rng.randint(165, 185))
