"""The questions from which one sees what arrives at a model, and what is concluded."""

import numpy as np
import pytest

from lmms_humansense.models.inputs.senses import (
    CLIP,
    HEARD,
    LONGER,
    OTHER_FRAMES,
    OTHER_SOUND,
    TEXT,
    Outcome,
    local_senses,
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
    assert list(hearing) == [TEXT, LONGER, HEARD, OTHER_SOUND]
    assert hearing[HEARD].videos == []
    assert hearing[HEARD].messages[0]["content"][0] == {"type": "audio"}


def outcomes(clip: int, heard: int, said: str = "", text: int = 20) -> dict[str, Outcome]:
    """What a server reports: its tokens of a clip, and of one with sound. `said`: the four answers about media."""
    answers = said or "same"
    return {
        TEXT: Outcome(text, "a"),
        LONGER: Outcome(text * 2, "b"),
        CLIP: Outcome(clip, answers[0]),
        OTHER_FRAMES: Outcome(clip, answers[0] if not said else answers[1]),
        HEARD: Outcome(heard, answers[0]),
        OTHER_SOUND: Outcome(heard, answers[0] if not said else answers[3]),
    }


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
        ({name: Outcome(20, "same") for name in outcomes(1, 1)}, "unknown", "unknown"),
    ],
)
def test_what_is_concluded_of_a_server(found: dict[str, Outcome], sight: str, sound: str) -> None:
    senses = served_senses(found)
    assert (senses.sight, senses.sound) == (sight, sound)


def test_a_refusal_is_told_from_a_server_that_answers_nothing() -> None:
    refusing = {**outcomes(148, 0), HEARD: Outcome(refused="no audio"), OTHER_SOUND: Outcome(refused="no audio")}
    senses = served_senses(refusing)
    assert (senses.sight, senses.sound, senses.because) == ("arrives", "refused", "no audio")
    away = served_senses({name: Outcome(refused="no reply") for name in outcomes(1, 1)})
    assert (away.sight, away.sound) == ("unknown", "unknown")


def test_logits_that_differ_by_less_than_noise_are_the_same() -> None:
    found = {
        CLIP: Outcome(9, (1.0, 2.0)),
        OTHER_FRAMES: Outcome(9, (1.0, 2.5)),
        HEARD: Outcome(9, (1.0, 2.0)),
        OTHER_SOUND: Outcome(9, (1.00001, 2.0)),
    }
    senses = local_senses(found)
    assert (senses.sight, senses.sound) == ("arrives", "dropped")
