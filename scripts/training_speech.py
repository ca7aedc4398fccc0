"""What people say in the training scenes: spoken lines by what they reveal, and the voices that say them.

Every line belongs to one concept. What an option of a question says is true if its concept is heard, so that the answer
follows from the sound and never from the text.
"""

import random

from sample_clips import Voice

FILLERS = (
    "Good morning.", "Let me think for a moment.", "Yes, of course.", "That is right.", "I see what you mean.",
    "Well, it is a long day.", "Please sit down.", "One moment, please.",
)  # fmt: skip

SPOKEN: dict[str, tuple[str, ...]] = {
    # How well two people know each other.
    "first_meeting": (
        "Nice to meet you. My name is Omar.", "I do not think we have met before.", "Hello, who are you?",
    ),
    "old_friends": (
        "Do you remember our tree house?", "You still make the best soup, as when we were ten.",
        "We have been friends for thirty years.",
    ),
    "siblings": (
        "Our mother sends you her love.", "You were always the favourite of our parents.", "Shall we call our dad?",
    ),
    # What the relation is.
    "doctor": (
        "Take this medicine twice a day.", "How is your arm today? Does it hurt?", "Keep the bandage for a week.",
    ),
    "teacher": (
        "Open your book and read the first page.", "Did you finish your homework?", "You may write the test again.",
    ),
    "seller": ("That costs five euros.", "Would you like a bag for the apples?", "The shoes are cheaper today."),
    "parent": ("Mum, I came last in the race.", "Daddy, may I go out and play?", "My child, it is time for bed."),
    "colleagues": (
        "The boss wants our report by Friday.", "Today is my first day in this office.", "The meeting begins at nine.",
    ),
    # How the rapport is.
    "warm": ("I am so happy that you came!", "It is wonderful to talk with you.", "You always make me laugh."),
    "polite": ("I thank you for your letter.", "I hope you had a pleasant journey.", "It was kind of you to write."),
    "cold": ("Please stop asking.", "I would rather walk alone.", "Leave me in peace."),
    # Which strategy is used.
    "accept": ("It is fine to be sad.", "I understand how you feel.", "I am sorry, that must be hard."),
    "change": ("By the way, what is for dinner?", "Look, the sun is shining.", "Let us talk about the weather."),
    "blame": ("The others cheated.", "It was the fault of the judge.", "Those runners pushed you."),
    "play_down": ("It does not matter at all.", "It was only a game.", "Nobody cares about that."),
    # What a caller wants.
    "gift_cards": ("Buy five gift cards now.", "Read me the numbers on the gift cards.", "Pay with gift cards only."),
    "password": ("Tell me the password of your bank.", "I need the secret number of your card.", "Type your password."),
    "transfer": ("Send the money to this account.", "You must pay a fine at once.", "Transfer two thousand dollars."),
    "parcel": ("I have a parcel for you.", "The driver will bring your box at four.", "This is the parcel service."),
    "repair": ("Your washing machine will be repaired.", "We can mend the heater on Monday.", "Your car is ready."),
    "table": ("Your table for two is booked.", "Would you like a table by the window?", "Dinner is served at seven."),
    # What worries somebody.
    "exam": ("I have an exam tomorrow.", "I am afraid that I fail the exam.", "I studied, but I forget everything."),
    "quarrel": ("I had a quarrel with my sister.", "My sister and I shouted.", "My friend does not speak to me."),
    "moved": ("Since I moved here, I am lonely.", "In this new town I know nobody.", "I miss my old home."),
    "work": ("I lost my job last week.", "My office is closing down.", "I have no work and little money."),
    "sleep": ("I lie awake all night.", "I can not fall asleep.", "I wake up at three every night."),
    # What somebody brings.
    "juice": ("I will bring the apple juice.", "The juice comes from me."),
    "bread": ("I will bring the bread.", "I baked the bread myself."),
    "cheese": ("I will bring the cheese.", "Cheese is what I bring."),
    "salad": ("I will bring the salad.", "The green salad is mine."),
}  # fmt: skip

KINDS = ("woman", "man", "child")

_SPEAKERS = {
    "woman": (("f1", "f2", "f3", "f4"), (42, 60)),
    "man": (("m1", "m2", "m3", "m4"), (15, 42)),
    "child": (("f2", "f5", "f4"), (92, 99)),
}


def random_voice(rng: random.Random, kind: str) -> Voice:
    """A voice of a kind of person."""
    variants, pitches = _SPEAKERS[kind]
    accent = rng.choice(("en-us", "en-gb"))
    return Voice(f"{accent}+{rng.choice(variants)}", rng.randint(*pitches), rng.randint(160, 190))
