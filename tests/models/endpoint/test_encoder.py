"""Requests to a server contain what a local model gets, and requests to vLLM have its documented form."""

import base64
import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.payload import Payload
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.request import EncodingResult, bytes_of
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.engines import decoded

SNAPSHOTS = Path(__file__).with_name("snapshots")
CODES = ("ar", "pa", "hc", "tr", "es", "ld", "fr2", "pc", "asr_silent_tr", "blind_tr", "think_hc")


def encoder_for(media: str = "frames", **arguments: Any) -> EndpointEncoder:
    given = {"base_url": "http://localhost:8000/v1", "model": "served", "media": media, **arguments}
    return EndpointEncoder(read_endpoint_settings(given))


def messages_of(name: str, place: int = 0) -> list[dict[str, Any]]:
    return utils.doc_to_messages(utils.docs(name, str(ROOT), complete=False)[place], {"wrapper": "humansense_omni"})


def sent(encoder: EndpointEncoder, *conversations: list[dict[str, Any]]) -> list[EncodingResult]:
    return encoder.encode([encoder.read(messages) for messages in conversations])


def body_of(result: EncodingResult) -> Payload:
    assert isinstance(result.encoded, Payload), result.trace
    return result.encoded


def parts_of(result: EncodingResult) -> list[dict[str, Any]]:
    """The content of the last message."""
    parts: list[dict[str, Any]] = json.loads(body_of(result).messages)[-1]["content"]
    return parts


def picture(part: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))


def waveform(part: dict[str, Any]) -> Any:
    with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 2**15


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu"}))


@pytest.mark.parametrize("name", CODES)
def test_frames_and_sounds_are_those_that_the_local_model_gets(name: str, engine: Engine) -> None:
    local = decoded(engine, messages_of(name))
    (result,) = sent(encoder_for(frame_format="png"), messages_of(name))
    parts = parts_of(result)
    kinds = [part["type"] for part in parts]
    assert kinds == [
        *["image_url"] * sum(len(video) for video in local.videos), *["input_audio"] * len(local.sounds), "text"
    ]  # fmt: skip
    frames = [torch.from_numpy(np.array(picture(part))) for part in parts if part["type"] == "image_url"]
    if frames:
        assert torch.equal(torch.stack(frames).permute(0, 3, 1, 2), torch.cat(local.videos))
    for part, sound in zip([part for part in parts if part["type"] == "input_audio"], local.sounds, strict=True):
        assert np.abs(waveform(part) - np.clip(sound, -1, 1)).max() <= 2**-15  # 16 bits
    assert parts[-1]["text"] == local.messages[-1]["content"][-1]["text"]
    assert (result.stats.frames, result.stats.seconds_heard) == (local.stats.frames, local.stats.seconds_heard)


def test_jpeg_is_similar_and_small() -> None:
    (exact,), (packed,) = (
        sent(encoder_for(frame_format="png"), messages_of("ar")),
        sent(encoder_for(), messages_of("ar")),
    )
    assert parts_of(packed)[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    one, other = (np.array(picture(parts_of(result)[0])).astype(int) for result in (exact, packed))
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 2
    assert len(body_of(packed).messages) < len(body_of(exact).messages)


def test_frames_only_sends_no_sound_and_refuses_questions_about_one() -> None:
    encoder = encoder_for("frames-only")
    (result,) = sent(encoder, messages_of("tr"))
    assert {part["type"] for part in parts_of(result)} == {"image_url", "text"}
    assert result.stats.seconds_heard == 0
    with pytest.raises(ValueError, match=r"media=frames-only sends no sound, .* humansense_video, or set media=frames"):
        encoder.read(messages_of("pc"))


def test_questions_about_one_clip_share_its_packed_parts() -> None:
    conversations = [messages_of("tr", 0), messages_of("tr", 1)]
    for media in ("frames", "vllm"):
        results = sent(encoder_for(media), *conversations)
        sizes = [len(body_of(result).messages) for result in results]
        assert bytes_of([one.encoded for one in results if one.encoded]) < max(sizes) * 1.01, media
        assert parts_of(results[0])[:-1] == parts_of(results[1])[:-1]
        assert parts_of(results[0])[-1] != parts_of(results[1])[-1]


def test_packed_parts_are_kept_while_questions_are_about_the_same_unchanged_files(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(Path(messages_of("ar")[0]["content"][0]["url"]).read_bytes())
    messages = [{"role": "user", "content": [{"type": "video", "url": str(clip)}, {"type": "text", "text": "What?"}]}]
    encoder = encoder_for()
    first, again = (body_of(sent(encoder, messages)[0]).pieces[1] for _ in range(2))
    assert again is first
    sent(encoder, messages_of("hc"))
    (after_another,) = sent(encoder, messages)
    assert body_of(after_another).pieces[1] is not first
    assert body_of(after_another).pieces[1] == first
    clip.write_bytes(Path(messages_of("hc")[0]["content"][0]["url"]).read_bytes())
    (changed,) = sent(encoder, messages)
    assert parts_of(changed)[0] == parts_of(sent(encoder_for(), messages)[0])[0]
    assert body_of(changed).pieces[1][:1000] != first[:1000]


def test_media_in_memory_are_not_kept_for_the_next_question() -> None:
    encoder = encoder_for()
    sound = {"array": np.zeros(16_000, np.float32), "sampling_rate": 16_000}
    messages = [{"role": "user", "content": [{"type": "audio", "url": sound}, {"type": "text", "text": "What?"}]}]
    first, second = (body_of(sent(encoder, messages)[0]).pieces[1] for _ in range(2))
    assert first is not second
    assert first == second


def test_a_system_prompt_is_the_first_message(tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("Be kind, and “brief”.")
    (result,) = sent(encoder_for(system_prompt=str(tmp_path / "system.txt")), messages_of("blind_ar"))
    first, second = json.loads(body_of(result).messages)
    assert first == {"role": "system", "content": [{"type": "text", "text": "Be kind, and “brief”."}]}
    assert second["role"] == "user"


def test_a_clip_that_cannot_be_read_does_not_affect_others(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    messages = [{"role": "user", "content": [{"type": "video", "url": str(broken)}, {"type": "text", "text": "What?"}]}]
    for media in ("frames", "vllm"):
        bad, good = sent(encoder_for(media), messages, messages_of("ar"))
        assert bad.reason.startswith(f"MediaError: {broken} is not an audio or video file")
        assert bad.encoded is None
        assert good.encoded is not None


# Clips that vLLM decodes itself.


@pytest.mark.parametrize("name", ["hc", "tr", "ld"])
@pytest.mark.parametrize("axis", ["release", "true"])
def test_vllm_gets_the_options_with_which_the_local_model_is_shown_clips(name: str, axis: str, engine: Engine) -> None:
    encoder = encoder_for("vllm", time_axis=axis)
    (result,) = sent(encoder, messages_of(name))
    local = decoded(engine, messages_of(name))
    fields = body_of(result).fields
    assert fields["media_io_kwargs"] == {"video": {"num_frames": len(local.videos[0])}}
    processor = fields["mm_processor_kwargs"]
    assert processor["use_audio_in_video"] is local.interleaved
    height, width = local.videos[0].shape[2:]
    assert processor["min_pixels"] * 0.9 <= height * width <= processor["max_pixels"] == 360 * 420
    assert result.stats.frames == local.stats.frames
    assert result.stats.time_axis == axis
    if axis == "release":
        assert processor["fps"] == 2.0
    else:
        true = engine.encoder.decode(encoder_for("frames", time_axis="true").read(messages_of(name)))
        assert processor["fps"] == true.rates[0]


def test_a_file_is_sent_whole_or_by_its_address(tmp_path: Path) -> None:
    clip = next(part["url"] for part in messages_of("ar")[0]["content"] if part["type"] == "video")
    (whole,) = sent(encoder_for("vllm"), messages_of("ar"))
    kind, _, content = parts_of(whole)[0]["video_url"]["url"].partition(",")
    assert kind == "data:video/mp4;base64"
    assert base64.b64decode(content) == Path(clip).read_bytes()
    (named,) = sent(encoder_for("vllm", allowed_path=str(ROOT)), messages_of("ar"))
    assert parts_of(named)[0]["video_url"]["url"] == Path(clip).resolve().as_uri()
    (refused,) = sent(encoder_for("vllm", allowed_path=str(tmp_path)), messages_of("ar"))
    assert f"{clip} is not in allowed_path={tmp_path}" in refused.reason


def test_clips_that_one_request_to_vllm_cannot_show_are_a_failure() -> None:
    clip = next(part for part in messages_of("ar")[0]["content"] if part["type"] == "video")
    other = next(part for part in messages_of("hc", 1)[0]["content"] if part["type"] == "video")
    text = {"type": "text", "text": "What?"}
    part_of_clip, two = sent(
        encoder_for("vllm"),
        [{"role": "user", "content": [{**clip, "start_time": 1, "end_time": 2}, text]}],
        [{"role": "user", "content": [clip, other, text]}],
    )
    assert "media=vllm sends whole clips" in part_of_clip.reason
    assert "with the same number of frames, frame rate, size and sound" in two.reason


REQUESTS = {"ar": {}, "tr": {}, "fr2": {}, "blind_tr": {}, "tr_true": {"time_axis": "true"}}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_to_vllm_are_frozen(name: str) -> None:
    """Follow vLLM's documented schema. If you change the snapshots, say in CHANGELOG.md which scores change."""
    encoder = encoder_for("vllm", allowed_path=str(ROOT), **REQUESTS[name])
    (result,) = sent(encoder, messages_of(name.removesuffix("_true")))
    endpoint = EndpointClient(encoder.settings)
    generation = {"max_new_tokens": 1024, "do_sample": False, "until": []}
    request = json.loads(bytes(endpoint.content(body_of(result), generation)))
    check(request)
    text = json.dumps(request, indent=1, ensure_ascii=False).replace(ROOT.as_uri(), "file:///allowed") + "\n"
    assert text == (SNAPSHOTS / f"vllm_{name}.json").read_text(encoding="utf-8")


def check(request: dict[str, Any]) -> None:
    """Check the form of a request: OpenAI's chat request with vLLM's content parts and extra fields."""
    kinds = {"text": str, "video_url": {"url"}, "audio_url": {"url"}}
    assert set(request) <= {"model", "messages", "max_tokens", "temperature", "mm_processor_kwargs", "media_io_kwargs"}
    for message in request["messages"]:
        assert set(message) == {"role", "content"}
        for part in message["content"]:
            form = kinds[part["type"]]
            assert set(part) == {"type", part["type"]}
            held = part[part["type"]]
            assert isinstance(held, str) if form is str else set(held) == form
    processor = request.get("mm_processor_kwargs", {})
    assert set(processor) in (set(), {"use_audio_in_video", "fps", "min_pixels", "max_pixels"})
    assert set(request.get("media_io_kwargs", {})) <= {"video"}
    assert ("mm_processor_kwargs" in request) == any(
        part["type"] == "video_url" for message in request["messages"] for part in message["content"]
    )
