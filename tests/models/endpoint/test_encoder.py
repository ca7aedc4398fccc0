"""Requests to a server contain what a local model gets."""

import base64
import io
import json
import os
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.payload import Payload
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.endpoint.vllm import MENDED, VllmServer, heard_as, identity_of, movie
from lmms_humansense.models.inputs.omni_families import QWEN2_5_OMNI, QWEN3_OMNI
from lmms_humansense.models.inputs.vllm_faults import BETWEEN, ENDS, PARTS, POSITIONS, faults_of
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.request import EncodingResult, bytes_of
from lmms_humansense.models.vllm import mends
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.engines import decoded

SNAPSHOTS = Path(__file__).with_name("snapshots")
CODES = ("ar", "pa", "hc", "tr", "es", "ld", "fr2", "pc", "asr_silent_tr", "blind_tr", "think_hc")


SERVERS = {"qwen2_5_omni": VllmServer(QWEN2_5_OMNI, "0.32.0"), "qwen3_omni_moe": VllmServer(QWEN3_OMNI, "0.32.0")}


def encoder_for(media: str = "frames", family: str = "qwen2_5_omni", **arguments: Any) -> EndpointEncoder:
    given = {"base_url": "http://localhost:8000/v1", "model": "served", "media": media, **arguments}
    return EndpointEncoder(read_endpoint_settings(given), SERVERS[family] if media == "vllm" else None)


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


def test_packed_parts_are_made_again_after_a_change_that_neither_size_nor_time_shows(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    content = Path(messages_of("ar")[0]["content"][0]["url"]).read_bytes()
    clip.write_bytes(content)
    messages = [{"role": "user", "content": [{"type": "video", "url": str(clip)}, {"type": "text", "text": "What?"}]}]
    encoder = encoder_for()
    body_of(sent(encoder, messages)[0])
    times = clip.stat()
    other = tmp_path / "other"
    other.write_bytes(bytes(len(content)))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(clip)
    (changed,) = sent(encoder, messages)
    assert "is not an audio or video file" in changed.reason


@pytest.mark.parametrize("media", ["frames", "frames-only", "vllm"])
def test_requests_are_the_same_with_and_without_a_store(
    media: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [code for code in CODES if media != "frames-only" or code in ("hc", "blind_tr", "think_hc")]

    def bodies(**arguments: Any) -> list[tuple[Any, ...]]:
        encoder = encoder_for(media, **arguments)
        results = [result for code in codes for result in sent(encoder, messages_of(code))]
        assert not any(result.reason for result in results)
        return [(body_of(one).messages, body_of(one).fields, one.stats, one.remarks) for one in results]

    plain = bodies()
    filling = bodies(media_cache=str(tmp_path))
    entries = len(list(tmp_path.glob("??/*.parquet")))
    assert entries > 0
    monkeypatch.setattr(av, "open", only_writing(av.open))
    stored = bodies(media_cache=str(tmp_path))
    assert filling == plain
    assert stored == plain
    assert len(list(tmp_path.glob("??/*.parquet"))) == entries


def only_writing(av_open: Any) -> Any:
    """PyAV's `open`, which reads no file: media=vllm writes clips with it."""

    def opened(file: Any, mode: str = "r", **options: Any) -> Any:
        assert mode == "w", "a file was opened"
        return av_open(file, mode, **options)

    return opened


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


# What vLLM is sent.


def unpacked(part: dict[str, Any]) -> tuple[torch.Tensor, Any]:
    """The frames and the samples in the file of a `video_url` part."""
    kind, _, content = part["video_url"]["url"].partition(",")
    assert kind == "data:video/quicktime;base64"
    with av.open(io.BytesIO(base64.b64decode(content))) as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    samples = None
    with av.open(io.BytesIO(base64.b64decode(content))) as file:
        if file.streams.audio:
            assert file.streams.audio[0].rate == 16_000
            samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), samples


def exact_waveform(part: dict[str, Any]) -> Any:
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(part["input_audio"]["data"])), dtype="float32")
    assert (rate, samples.ndim) == (16_000, 1)
    return samples


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("axis", ["release", "true"])
def test_vllm_gets_exactly_what_the_local_model_gets(name: str, axis: str, engine: Engine) -> None:
    encoder = encoder_for("vllm", time_axis=axis)
    (result,) = sent(encoder, messages_of(name))
    local = engine.encoder.decode(encoder.read(messages_of(name)))
    messages = json.loads(body_of(result).messages)
    assert messages[0]["content"][0]["text"] == engine.encoder.system_prompt
    *media, text = parts_of(result)
    assert text["text"] == local.messages[-1]["content"][-1]["text"]
    fields = body_of(result).fields
    assert (fields == {}) == (not local.videos)
    if local.videos:
        frames, samples = unpacked(media[0])
        assert torch.equal(frames, local.videos[0])
        assert np.array_equal(samples, local.sounds[0]) if local.interleaved else samples is None
        assert fields["media_io_kwargs"]["video"] == {"video_backend": "opencv", "num_frames": len(frames)}
        processor = fields["mm_processor_kwargs"]
        assert processor["use_audio_in_video"] is local.interleaved
        assert processor["second_per_grid_ts"] == [1.0 if axis == "release" else 2 / (local.rates[0] or 0)]
        assert processor.get("fps") == local.rates[0]
    elif local.sounds:
        assert np.array_equal(exact_waveform(media[0]), local.sounds[0])
    faults = faults_of(local, "qwen2_5_omni")
    assert result.stats == replace(local.stats, vllm_faults=faults)
    assert bool(faults) == local.interleaved


def test_what_a_server_may_do_otherwise_is_noted_with_each_sample() -> None:
    for version, faults in (("0.32.0", (POSITIONS, PARTS, ENDS, BETWEEN)), ("0.32.0" + MENDED, (BETWEEN,))):
        settings = encoder_for("vllm", time_axis="true").settings
        (result,) = sent(EndpointEncoder(settings, VllmServer(QWEN3_OMNI, version)), messages_of("tr"))
        assert result.stats.vllm_faults == faults


def test_qwen3_omni_gets_its_own_sizes_and_rate_and_no_system_prompt() -> None:
    encoder = encoder_for("vllm", "qwen3_omni_moe")
    (result,) = sent(encoder, messages_of("tr"))
    assert [message["role"] for message in json.loads(body_of(result).messages)] == ["user"]
    frames, _ = unpacked(parts_of(result)[0])
    assert frames.shape[2] % 32 == frames.shape[3] % 32 == 0
    assert body_of(result).fields["mm_processor_kwargs"]["second_per_grid_ts"] == [2.0]


def test_a_corrected_vllm_is_known_by_what_the_corrections_add_to_its_version() -> None:
    assert mends.MENDED == MENDED


def test_only_a_corrected_vllm_gets_the_end_of_a_sound_that_fills_no_frame_of_the_spectrogram() -> None:
    sound = np.zeros(16_100, np.float32)
    for family, version, samples in (
        (QWEN3_OMNI, "0.32.0", 16_000),
        (QWEN3_OMNI, "0.32.0" + MENDED, 16_100),
        (QWEN2_5_OMNI, None, 16_100),
    ):
        assert len(heard_as(sound, VllmServer(family, version))) == samples


def test_clips_with_equal_frames_and_other_sounds_are_different_ones_for_vllm() -> None:
    """vLLM would otherwise give one the order of tokens of the other."""
    frames = torch.zeros(2, 3, 28, 28, dtype=torch.uint8)
    files = [movie(frames, sound) for sound in (None, np.zeros(16_000, np.float32), np.ones(16_000, np.float32))]
    assert len({identity_of(file) for file in files}) == 3
    assert movie(frames, None) == files[0]
    (result,) = sent(encoder_for("vllm"), messages_of("tr"))
    clip = parts_of(result)[0]
    assert clip["uuid"] == identity_of(base64.b64decode(clip["video_url"]["url"].partition(",")[2]))


def test_media_that_one_request_to_vllm_cannot_show_are_a_failure(tmp_path: Path) -> None:
    clip = next(part for part in messages_of("ar")[0]["content"] if part["type"] == "video")
    other = next(part for part in messages_of("hc", 1)[0]["content"] if part["type"] == "video")
    Image.new("RGB", (56, 56)).save(tmp_path / "picture.png")
    picture = {"type": "image", "url": str(tmp_path / "picture.png")}
    text = {"type": "text", "text": "What?"}
    rates, mixed, alike = sent(
        encoder_for("vllm", time_axis="true"),
        [{"role": "user", "content": [{**clip, "fps": 1.0}, {**other, "fps": 2.0}, text]}],
        [{"role": "user", "content": [picture, clip, text]}],
        [{"role": "user", "content": [{**clip, "start_time": 1, "end_time": 2}, text]}],
    )
    assert "media=vllm gives all clips of a question one frame rate" in rates.reason
    assert "media=vllm cannot show pictures beside clips" in mixed.reason
    assert alike.encoded is not None


REQUESTS: dict[str, dict[str, Any]] = {
    **{f"vllm_{name}": {"media": "vllm"} for name in ("ar", "tr", "fr2", "blind_tr")},
    "vllm_tr_true": {"media": "vllm", "time_axis": "true"},
    # What vendors' endpoints get; it was never sent to one.
    "frames_tr": {"media": "frames"},
    "frames_fr2": {"media": "frames"},
    "frames-only_tr": {"media": "frames-only"},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_frozen(name: str) -> None:
    """Without the content of media. If you change the snapshots, say in CHANGELOG.md which scores change."""
    encoder = encoder_for(**REQUESTS[name])
    (result,) = sent(encoder, messages_of(name.partition("_")[2].removesuffix("_true")))
    endpoint = EndpointClient(encoder.settings)
    generation = {"max_new_tokens": 1024, "do_sample": False, "until": []}
    request = json.loads(bytes(endpoint.content(body_of(result), generation)))
    for part in request["messages"][-1]["content"]:
        if part["type"] in ("video_url", "image_url"):
            part[part["type"]]["url"] = part[part["type"]]["url"].partition(",")[0]
        elif part["type"] == "input_audio":
            part["input_audio"]["data"] = "samples"
        if "uuid" in part:
            part["uuid"] = f"{len(part['uuid'])} digits"
    text = json.dumps(request, indent=1, ensure_ascii=False) + "\n"
    assert text == (SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8")
