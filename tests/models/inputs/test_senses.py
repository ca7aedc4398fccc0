"""The questions from which one sees what arrives at a model, and what is concluded."""

import numpy as np
import pytest

from lmms_humansense.models.inputs.conversation import read_messages
from lmms_humansense.models.inputs.senses import (
    ALONE,
    CLIP,
    HEARD,
    LONGER,
    OTHER_ALONE,
    OTHER_FRAMES,
    OTHER_SOUND,
    TEXT,
    Outcome,
    local_senses,
    needed,
    probes,
    served_senses,
)
from lmms_humansense.models.media.types import SAMPLE_RATE


def test_the_questions_differ_in_one_thing_each() -> None:
    asked = probes()
    assert list(asked) == [TEXT, LONGER, CLIP, OTHER_FRAMES, HEARD, OTHER_SOUND]
    clip, other, heard, another = (asked[name] for name in (CLIP, OTHER_FRAMES, HEARD, OTHER_SOUND))
    assert clip.videos[0].shape == other.videos[0].shape == (4, 3, 224, 224)
    assert not (clip.videos[0] == other.videos[0]).all()
    assert (heard.videos[0] == clip.videos[0]).all()
    assert heard.interleaved and not clip.interleaved
    assert len(heard.sounds[0]) == len(another.sounds[0]) == 2 * SAMPLE_RATE
    assert not np.array_equal(heard.sounds[0], another.sounds[0])
    assert len({str(question.messages) for question in (clip, other, heard, another)}) == 1


def test_a_model_without_eyes_or_ears_is_asked_less() -> None:
    assert list(probes(hears=False)) == [TEXT, LONGER, CLIP, OTHER_FRAMES]
    hearing = probes(sees=False)
    assert list(hearing) == [TEXT, LONGER, ALONE, OTHER_ALONE]
    assert hearing[ALONE].videos == []
    assert hearing[ALONE].messages[0]["content"][0] == {"type": "audio"}


def outcomes(clip: int, heard: int, said: str = "1111", text: int = 20) -> dict[str, Outcome]:
    """What a server reports: its tokens of a clip, and of one with sound. `said`: the four answers about media."""
    return {
        TEXT: Outcome(text, "a"),
        LONGER: Outcome(text * 2, "b"),
        CLIP: Outcome(clip, said[0]),
        OTHER_FRAMES: Outcome(clip, said[1]),
        HEARD: Outcome(heard, said[2]),
        OTHER_SOUND: Outcome(heard, said[3]),
    }


AWAY = Outcome(unanswered="HTTP 429: too many")


def alone(sound: int, other: str = "1") -> dict[str, Outcome]:
    """What a server reports that refuses pictures, about sounds alone."""
    refused = Outcome(refused="no pictures")
    found = {**outcomes(0, 0), CLIP: refused, OTHER_FRAMES: refused}
    del found[HEARD], found[OTHER_SOUND]
    return {**found, ALONE: Outcome(sound, "1"), OTHER_ALONE: Outcome(sound, other)}


@pytest.mark.parametrize(
    ("found", "sight", "sound"),
    [
        (outcomes(148, 198), "arrives", "arrives"),
        (outcomes(148, 148), "arrives", "dropped"),
        (outcomes(148, 150), "arrives", "dropped"),  # a mark that something was left out
        (outcomes(20, 70), "dropped", "arrives"),
        (outcomes(20, 20), "dropped", "dropped"),
        (outcomes(20, 20, said="1234"), "unknown", "unknown"),
        (outcomes(0, 0, text=0), "unknown", "unknown"),
        # Tokens are reported for texts only, or are counted for texts only.
        (outcomes(0, 0), "unknown", "unknown"),
        (outcomes(20, 20, said="1211"), "unknown", "unknown"),
        # Tokens that a server knows from an earlier question are not counted.
        ({**outcomes(440, 90), OTHER_FRAMES: Outcome(20, "1")}, "arrives", "unknown"),
        ({**outcomes(20, 60), OTHER_FRAMES: Outcome(440, "1")}, "unknown", "arrives"),
        # A sentence in place of each picture, and of the sound: the answers decide.
        (outcomes(36, 46), "unknown", "unknown"),
        (outcomes(36, 46, said="1222"), "arrives", "unknown"),
        (outcomes(36, 46, said="1112"), "unknown", "arrives"),
        # Pictures of eight tokens each, and a sound of ten for each second.
        (outcomes(52, 72), "arrives", "arrives"),
        # No answer is no refusal.
        ({**outcomes(148, 198), CLIP: AWAY, OTHER_FRAMES: AWAY}, "unknown", "unknown"),
        ({**outcomes(148, 198), OTHER_FRAMES: AWAY, OTHER_SOUND: AWAY}, "arrives", "arrives"),
        ({**outcomes(148, 148), OTHER_SOUND: AWAY}, "arrives", "unknown"),
        ({**outcomes(148, 198), HEARD: AWAY}, "arrives", "unknown"),
        (alone(70), "refused", "arrives"),
        (alone(20), "refused", "dropped"),
        (alone(20, other="2"), "refused", "unknown"),
        ({name: Outcome(20, "same") for name in outcomes(1, 1)}, "unknown", "unknown"),
    ],
)
def test_what_is_concluded_of_a_server(found: dict[str, Outcome], sight: str, sound: str) -> None:
    senses = served_senses(found)
    assert (senses.sight, senses.sound) == (sight, sound)


def test_a_refusal_is_told_from_a_server_that_answers_nothing() -> None:
    refusing = {**outcomes(148, 0), HEARD: Outcome(refused="no audio"), OTHER_SOUND: Outcome(refused="no audio")}
    senses = served_senses(refusing)
    assert (senses.sight, senses.sound, senses.refusals) == ("arrives", "refused", {"sounds": "no audio"})
    assert senses.because == "Prompt tokens: text alone 20, longer text 40, clip 148, clip with other frames 148."
    assert senses.faults == {"sounds": "refused"}
    away = served_senses(dict.fromkeys(outcomes(1, 1), AWAY))
    assert (away.sight, away.sound, away.faults) == ("unknown", "unknown", {})
    assert away.because == "The server gave no answer to one question (text alone): HTTP 429: too many."
    without_key = served_senses({name: Outcome(refused="no key") for name in outcomes(1, 1)})
    assert (without_key.sight, without_key.sound, without_key.refusals) == ("unknown", "unknown", {})
    assert without_key.because == "Texts alone are refused (no key), so nothing can be concluded."


@pytest.mark.parametrize(
    ("content", "media"),
    [
        ([], set()),
        ([{"type": "video", "url": "a.mp4"}], {"pictures"}),
        ([{"type": "video", "url": "a.mp4"}, {"type": "audio", "url": "a.mp4"}], {"pictures", "sounds"}),
        ([{"type": "audio", "url": "a.wav"}], {"sounds"}),
        ([{"type": "audio", "url": "a.webm"}], {"pictures", "sounds"}),
        ([{"type": "image", "url": "a.png"}], {"pictures"}),
    ],
)
def test_what_a_question_needs_is_what_it_shows(content: list[dict[str, str]], media: set[str]) -> None:
    said = [{"role": "user", "content": [*content, {"type": "text", "text": "Who?"}]}]
    assert needed(read_messages(said)) == media


def test_logits_that_differ_by_less_than_noise_are_the_same() -> None:
    found = {
        CLIP: Outcome(9, (1.0, 2.0)),
        OTHER_FRAMES: Outcome(9, (1.0, 2.5)),
        HEARD: Outcome(9, (1.0, 2.0)),
        OTHER_SOUND: Outcome(9, (1.00001, 2.0)),
    }
    senses = local_senses(found)
    assert (senses.sight, senses.sound) == ("arrives", "dropped")
