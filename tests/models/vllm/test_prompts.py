"""Where the media of a prompt lie, and what identifies them."""

from pathlib import Path
from typing import Any

import av
import pytest
import torch

from lmms_humansense.models.local.collation import IDS, MEL, MEL_MASK, SECONDS, EncodedPrompt
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.request import EncodingResult
from lmms_humansense.models.vllm.encoder import VllmEncoder
from lmms_humansense.models.vllm.prompts import AUDIO, IMAGE, VIDEO, MediaDigests, VllmPrompt, placed
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT

TOKENS = {IMAGE: 1, VIDEO: 2, AUDIO: 3}
TEXT, BEGIN, END = 7, 8, 9
Tensors = dict[str, torch.Tensor]
PARK, PARADE = (str(ROOT / "videos" / "count" / f"{name}.mp4") for name in ("park", "parade"))


def video(grid: tuple[int, int, int] = (1, 2, 4), seconds: float = 1.0) -> Tensors:
    count = grid[0] * grid[1] * grid[2]
    return {
        "pixel_values_videos": torch.zeros(count, 6),
        "video_grid_thw": torch.tensor([grid]),
        SECONDS: torch.tensor([seconds]),
    }


def frames(value: int = 0) -> torch.Tensor:
    return torch.full((2, 3, 4, 4), value, dtype=torch.uint8)


def sound(value: float = 0.0, frames: int = 8, shown: int = 8) -> dict[str, torch.Tensor]:
    return {MEL: torch.full((1, 4, frames), value), MEL_MASK: (torch.arange(frames) < shown).int()[None]}


def prompt(ids: list[int], tensors: Tensors, heard: bool = False) -> EncodedPrompt:
    return EncodedPrompt({IDS: torch.tensor([ids]), **tensors}, heard, SECONDS in tensors and not heard)


def test_media_are_placed_in_the_order_of_their_tokens() -> None:
    ids = [TEXT, BEGIN, 3, 3, END, TEXT, BEGIN, 2, 2, END, TEXT]
    found = placed(prompt(ids, video() | sound()), [frames()], TOKENS, MediaDigests())
    assert [(one.kind, one.offset, one.length, one.tokens) for one in found] == [
        (AUDIO, 2, 2, None), (VIDEO, 7, 2, None),
    ]  # fmt: skip


def test_a_heard_video_and_its_sound_share_a_place_with_the_marks_of_the_sound() -> None:
    ids = [TEXT, BEGIN, BEGIN, 2, 2, 3, 2, 3, END, END, TEXT]
    seen, heard = placed(prompt(ids, video() | sound(), heard=True), [frames()], TOKENS, MediaDigests())
    assert (seen.kind, seen.offset, seen.length) == (VIDEO, 2, 7)
    assert (heard.kind, heard.offset, heard.length) == (AUDIO, 2, 7)
    assert seen.tokens is not None
    assert heard.tokens is not None
    assert seen.tokens.tolist() == [False, True, True, False, True, False, False]
    assert heard.tokens.tolist() == [False, False, False, True, False, True, False]


def test_the_identity_of_a_heard_video_names_its_sound() -> None:
    """vLLM knows all tokens of the range of a heard video by the identity of the video, also those of its sound."""

    def identities(value: float) -> list[str]:
        ids = [BEGIN, 2, 3, 2, 3, END, TEXT]
        made = prompt(ids, video() | sound(value), heard=True)
        return [one.identity for one in placed(made, [frames()], TOKENS, MediaDigests())]

    (seen, heard), (seen_with_other, other) = identities(0.0), identities(1.0)
    assert identities(0.0) == [seen, heard]
    assert len({seen, heard, seen_with_other, other}) == 4


def test_a_sound_before_a_heard_video_is_refused() -> None:
    """vLLM pairs heard videos with the first sounds."""
    ids = [BEGIN, 3, END, BEGIN, 2, 3, END]
    two = {name: torch.cat([tensor, tensor]) for name, tensor in sound().items()}
    with pytest.raises(ValueError, match="vLLM confuses a sound with that of a heard video after it"):
        placed(prompt(ids, video() | two, heard=True), [frames()], TOKENS, MediaDigests())
    assert (
        len(placed(prompt([BEGIN, 2, 3, END, 3, END], video() | two, heard=True), [frames()], TOKENS, MediaDigests()))
        == 3
    )


def identity(kind: str, tensors: Tensors, heard: bool = False, value: int = 0) -> str:
    (found,) = MediaDigests().of(prompt([], tensors, heard), kind, [frames(value)])
    return found


def test_what_is_shown_alike_has_one_identity() -> None:
    assert identity(VIDEO, video(), value=1) == identity(VIDEO, video(), value=1)
    assert identity(AUDIO, sound(1.0)) == identity(AUDIO, sound(1.0))


@pytest.mark.parametrize(
    "other",
    [
        (video(), False, 1),
        (video(grid=(2, 2, 2)), False, 0),
        (video(grid=(1, 4, 2)), False, 0),
        (video(seconds=2.0), False, 0),
        (video(), True, 0),
    ],
    ids=["content", "steps", "size", "time axis", "heard"],
)
def test_what_is_shown_otherwise_has_another_identity(other: Any) -> None:
    assert identity(VIDEO, *other) != identity(VIDEO, video())


def test_sounds_of_other_content_or_length_have_other_identities() -> None:
    found = {identity(AUDIO, sound()), identity(AUDIO, sound(1.0)), identity(AUDIO, sound(shown=7))}
    assert len(found) == 3


def test_each_of_several_videos_has_an_identity_of_its_own() -> None:
    both = {name: torch.cat([video()[name], video()[name]]) for name in video()}
    found = placed(prompt([2, 2, TEXT, 2, 2], both), [frames(), frames(1)], TOKENS, MediaDigests())
    assert [one.identity for one in found] == [identity(VIDEO, video()), identity(VIDEO, video(), value=1)]


def test_shared_media_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    digests, shown = MediaDigests(), frames()
    first = digests.of(prompt([], video()), VIDEO, [shown])
    monkeypatch.setattr(torch, "split", None)
    assert digests.of(prompt([TEXT], video()), VIDEO, [shown]) == first


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> VllmEncoder:
    return VllmEncoder(read_local_settings({"pretrained": str(tiny_model)}), "qwen2_5_omni")


def encoded(encoder: VllmEncoder, *asked: tuple[str, dict[str, Any]]) -> list[VllmPrompt]:
    said = [
        [{"role": "user", "content": [{"type": "video", "url": clip, **how}, {"type": "text", "text": "Who?"}]}]
        for clip, how in asked
    ]
    results = encoder.encode([encoder.read(messages) for messages in said])
    return [result.encoded for result in results if isinstance(result.encoded, VllmPrompt)]


def test_clips_are_known_by_content_and_rule_not_by_name(encoder: VllmEncoder, tmp_path: Path) -> None:
    copy = tmp_path / "other.mp4"
    copy.write_bytes(Path(PARK).read_bytes())
    once: dict[str, Any] = {"fps": 1.0}
    asked = [
        (PARK, once),
        (str(copy), once),
        (PARADE, once),
        (PARK, {"fps": 0.5}),
        (PARK, {**once, "time_axis": "release"}),
    ]
    first, same, *others = [one.media[0].identity for one in encoded(encoder, *asked)]
    assert first == same
    assert len({first, *others}) == 4


def test_an_encoding_error_stays_the_result(encoder: VllmEncoder) -> None:
    said = [{"role": "user", "content": [{"type": "video", "url": "/no/such.mp4"}]}]
    (result,) = encoder.encode([encoder.read(said)])
    assert result.encoded is None
    assert "/no/such.mp4" in result.reason


def test_sounds_are_placed_without_pictures(tiny_qwen2_audio: Path) -> None:
    encoder = VllmEncoder(read_local_settings({"pretrained": str(tiny_qwen2_audio)}), "qwen2_audio")
    waveform = {"array": torch.zeros(35 * 16_000).numpy(), "sampling_rate": 16_000}
    said = [{"role": "user", "content": [{"type": "audio", "url": waveform}, {"type": "text", "text": "Who?"}]}]
    (result,) = encoder.encode([encoder.read(said)])
    assert isinstance(result.encoded, VllmPrompt), result.reason
    assert [(one.kind, one.tokens) for one in result.encoded.media] == [(AUDIO, None)] * 2  # two windows


def test_prompts_are_the_same_with_and_without_a_store(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips, heard and silent, and a sound."""
    docs = [utils.docs(code, str(ROOT), complete=False)[0] for code in ("ar", "tr", "fr2")]

    def prompts(**arguments: Any) -> list[EncodingResult]:
        encoder = VllmEncoder(read_local_settings({"pretrained": str(tiny_model), **arguments}), "qwen2_5_omni")
        said = [encoder.read(utils.doc_to_messages(doc, {"wrapper": "humansense_omni"})) for doc in docs]
        return encoder.encode(said)

    plain = prompts()
    filling = prompts(media_cache=str(tmp_path))

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(av, "open", refused)
    stored = prompts(media_cache=str(tmp_path))
    assert {medium.kind for one in plain for medium in prompt_of(one).media} == {VIDEO, AUDIO}
    for results in (filling, stored):
        for one, expected in zip(results, plain, strict=True):
            assert (one.stats, one.remarks) == (expected.stats, expected.remarks)
            assert [each.identity for each in prompt_of(one).media] == [
                each.identity for each in prompt_of(expected).media
            ]
            tensors = prompt_of(expected).prompt.tensors
            assert prompt_of(one).prompt.tensors.keys() == tensors.keys()
            for name, tensor in tensors.items():
                assert torch.equal(prompt_of(one).prompt.tensors[name], tensor), name


def prompt_of(result: EncodingResult) -> VllmPrompt:
    assert isinstance(result.encoded, VllmPrompt), result.reason
    return result.encoded
