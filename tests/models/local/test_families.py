"""Each family with its tiny checkpoint: batches answer as single prompts do, and all media reach the model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lmms_humansense.models.local.batching import pick_batch
from lmms_humansense.models.local.collation import MEL_MASK, SECONDS, EncodedPrompt
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.tasks.humansense.prompts import SYSTEM_PROMPT
from tests.helpers import clips
from tests.helpers.engines import decoded, encoded

GREEDY = {"max_new_tokens": 8, "until": []}
SEEING = ["tiny_model", "tiny_qwen3"]
ALL = [*SEEING, "tiny_qwen2_audio"]
# In a batch, the mask of Qwen2-Audio's encoder has another width, so sums are made in another order.
TOLERANCE = {"tiny_model": 1e-5, "tiny_qwen3": 1e-5, "tiny_qwen2_audio": 5e-5}


@pytest.fixture(scope="module")
def engine_of(request: pytest.FixtureRequest) -> Callable[[str], Engine]:
    loaded: dict[str, Engine] = {}

    def engine(fixture: str) -> Engine:
        if fixture not in loaded:
            folder = request.getfixturevalue(fixture)
            loaded[fixture] = Engine(read_local_settings({"pretrained": str(folder), "device": "cpu"}))
        return loaded[fixture]

    return engine


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Messages of many forms: each kind of content, alone and together with others."""
    folder = tmp_path_factory.mktemp("clips")
    heard, other, silent = (str(folder / name) for name in ("heard.mp4", "other.mp4", "silent.mp4"))
    clips.write_sound(Path(heard), clips.tones(16_000, 2, seconds=5.7), 16_000, "aac", pictures=31)
    clips.write_sound(Path(other), clips.tones(48_000, 1, seconds=9.1), 48_000, "aac", pictures=47)
    clips.write_video(Path(silent), frames=40)
    # With this length, Qwen3-Omni's own padding in a batch would change the number of audio tokens.
    speech = {"array": clips.tones(16_000, 1, seconds=80_037 / 16_000)[0], "sampling_rate": 16_000}
    hum = {"array": clips.tones(8_000, 2, seconds=2.0), "sampling_rate": 8_000}
    picture = Image.fromarray(clips.picture(3, 90, 70))
    wide = Image.fromarray(clips.picture(9, 200, 60))
    image, text = {"type": "image", "url": picture}, {"type": "text", "text": "What is it?"}
    film, film_sound = {"type": "video", "url": heard}, {"type": "audio", "url": heard}
    longer, longer_sound = {"type": "video", "url": other, "fps": 0.7}, {"type": "audio", "url": other}
    still, sound = {"type": "video", "url": silent, "fps": 0.5}, {"type": "audio", "url": speech}
    released = {"type": "video", "url": silent, "fps": 0.5, "max_pixels": 151_200, "time_axis": "release"}
    forms = {
        "text": [text],
        "image": [image, text],
        "two images": [image, text, {"type": "image", "url": wide}],
        "sound": [sound, text],
        "two sounds": [text, sound, {"type": "audio", "url": hum}],
        "sound and image": [sound, image, text],
        "silent video": [still, text],
        "silent video as released": [released, text],
        "two silent videos of other rates": [still, longer, text],
        "heard video": [film, film_sound, text],
        "other heard video": [text, longer, longer_sound],
        "heard video as released": [{**film, "time_axis": "release"}, film_sound, text],
        "heard video, sound and image": [sound, film, film_sound, image, text],
        "heard and silent video": [film, film_sound, still, text],
    }
    turns = {name: [{"role": "user", "content": content}] for name, content in forms.items()}
    turns["several turns"] = [
        {"role": "user", "content": [image, text]},
        {"role": "assistant", "content": "A ball."},
        {"role": "user", "content": [sound, {"type": "text", "text": "And this?"}]},
    ]
    turns["long text"] = [{"role": "user", "content": "What is it? " * 60}]
    return turns


def all_encoded(engine: Engine, shown: dict[str, Any]) -> dict[str, EncodedPrompt]:
    takes = [name for name, turns in shown.items() if engine.family.sees or not _shows_pictures(turns)]
    return {name: encoded(engine, shown[name]) for name in takes}


def logits_of(engine: Engine, prompts: Sequence[EncodedPrompt]) -> torch.Tensor:
    """Logits of shape (prompts, tokens of the vocabulary) for the first token of each response."""
    family = engine.family
    extras = family.generation_extras(any(prompt.has_heard_video for prompt in prompts))
    with torch.inference_mode():
        return family.model(**family._batch(prompts), **extras).logits[:, -1]


def _shows_pictures(turns: list[dict[str, Any]]) -> bool:
    contents = [item for turn in turns if isinstance(turn["content"], list) for item in turn["content"]]
    return any(item["type"] in ("image", "video") for item in contents)


def batches_of(prompts: Sequence[EncodedPrompt], size: int) -> list[list[int]]:
    left, batches = list(range(len(prompts))), []
    while left:
        batches.append([left[place] for place in pick_batch([prompts[number] for number in left], size)])
        left = [number for number in left if number not in batches[-1]]
    return batches


@pytest.mark.parametrize("fixture", ALL)
@pytest.mark.parametrize("size", [3, 16])
def test_a_batch_answers_as_its_prompts_do_alone(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str, size: int
) -> None:
    engine = engine_of(fixture)
    prompts = list(all_encoded(engine, shown).values())
    alone = [engine.respond([prompt], GREEDY)[0] for prompt in prompts]
    logits = [logits_of(engine, [prompt])[0] for prompt in prompts]
    assert len({answer.text for answer in alone}) > 2, "answers that are all the same would hide a difference"
    batches = batches_of(prompts, size)
    assert sorted(number for batch in batches for number in batch) == list(range(len(prompts)))
    assert any(len(batch) > 2 for batch in batches)
    for batch in batches:
        together = [prompts[number] for number in batch]
        assert engine.respond(together, GREEDY) == [alone[number] for number in batch]
        difference = logits_of(engine, together) - torch.stack([logits[number] for number in batch])
        assert difference.abs().max() < TOLERANCE[fixture]


@pytest.mark.parametrize("fixture", SEEING)
def test_heard_and_silent_videos_share_no_batch(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str
) -> None:
    prompts = list(all_encoded(engine_of(fixture), shown).values())
    for batch in batches_of(prompts, len(prompts)):
        kinds = {(prompts[number].has_heard_video, prompts[number].has_silent_video) for number in batch}
        assert not {(True, False), (False, True)} <= kinds


@pytest.mark.parametrize("fixture", SEEING)
def test_all_media_reach_the_model(engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str) -> None:
    engine = engine_of(fixture)
    for name, prompt in all_encoded(engine, shown).items():
        prepared = decoded(engine, shown[name])
        tensors = prompt.tensors
        assert len(tensors.get("image_grid_thw", ())) == len(prepared.images), name
        assert len(tensors.get("video_grid_thw", ())) == len(prepared.videos), name
        assert len(tensors.get("input_features", ())) == len(prepared.sounds), name
        for frames, grid in zip(prepared.videos, tensors.get("video_grid_thw", ()), strict=True):
            assert grid[0] * 2 == len(frames), name
            assert tuple(grid[1:]) == tuple(side * 2 // engine.family.frame_factor for side in frames.shape[2:])
        for sound, mask in zip(prepared.sounds, tensors.get(MEL_MASK, ()), strict=True):
            assert int(mask.sum()) == pytest.approx(len(sound) / 160, abs=1), name


@pytest.mark.parametrize("fixture", SEEING)
@pytest.mark.parametrize("max_pixels", [20_000, 2_000_000])
def test_frames_reach_the_model_in_the_requested_size(
    engine_of: Callable[[str], Engine], tmp_path: Path, fixture: str, max_pixels: int
) -> None:
    engine = engine_of(fixture)
    clips.write_video(tmp_path / "wide.mp4", frames=10, size=(1920, 1080))
    item = {"type": "video", "url": str(tmp_path / "wide.mp4"), "max_pixels": max_pixels}
    prepared = decoded(engine, [{"role": "user", "content": [item]}])
    _, _, height, width = prepared.videos[0].shape
    assert 0.5 * min(max_pixels, 500_000) < height * width <= max_pixels
    grid = engine.family.encode(prepared).tensors["video_grid_thw"][0]
    patch = engine.family.frame_factor // 2
    assert (int(grid[1]) * patch, int(grid[2]) * patch) == (height, width)


@pytest.mark.parametrize("fixture", SEEING)
def test_sounds_and_pictures_change_the_answer(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str
) -> None:
    engine = engine_of(fixture)
    prompts = all_encoded(engine, shown)
    logits = {name: logits_of(engine, [prompt])[0] for name, prompt in prompts.items()}
    for one, other in [
        ("text", "image"), ("text", "sound"), ("image", "sound and image"), ("sound", "two sounds"),
        ("heard video", "heard video as released"), ("silent video", "silent video as released"),
        ("heard video", "heard video, sound and image"), ("heard and silent video", "silent video"),
    ]:  # fmt: skip
        assert (logits[one] - logits[other]).abs().max() > 1e-3, (one, other)


@pytest.mark.parametrize("fixture", SEEING)
def test_each_video_has_its_own_time_axis(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str
) -> None:
    engine = engine_of(fixture)
    prepared = decoded(engine, shown["two silent videos of other rates"])
    first, second = prepared.rates
    assert first is not None and second is not None and first != second
    seconds = engine.family.encode(prepared).tensors[SECONDS]
    assert seconds.tolist() == [2 / first, 2 / second]


@pytest.mark.parametrize(("fixture", "default"), [("tiny_model", 1.0), ("tiny_qwen3", 2.0)])
def test_the_releases_time_axis_is_the_processors_default(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str, default: float
) -> None:
    engine = engine_of(fixture)
    prompt = encoded(engine, shown["heard video as released"])
    assert prompt.tensors[SECONDS].tolist() == [default]


@pytest.mark.parametrize("fixture", ALL)
def test_sound_longer_than_the_extractors_window_is_heard_completely(
    engine_of: Callable[[str], Engine], fixture: str
) -> None:
    engine = engine_of(fixture)
    seconds = 310
    long = {"array": np.random.default_rng(0).normal(0, 0.1, seconds * 16_000), "sampling_rate": 16_000}
    prepared = decoded(engine, [{"role": "user", "content": [{"type": "audio", "url": long}]}])
    assert prepared.stats.seconds_heard == seconds
    frames = int(engine.family.encode(prepared).tensors[MEL_MASK].sum())
    assert frames == pytest.approx(seconds * 100, abs=seconds // 30 + 1)


def test_qwen2_audio_refuses_pictures(engine_of: Callable[[str], Engine], shown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="type qwen2_audio takes sounds, but no pictures or videos"):
        decoded(engine_of("tiny_qwen2_audio"), shown["image"])


@pytest.mark.parametrize(
    ("fixture", "system"),
    [
        ("tiny_model", SYSTEM_PROMPT),
        ("tiny_qwen3", None),
        ("tiny_qwen2_audio", "helpful assistant"),
    ],
)
def test_each_family_has_its_own_system_prompt(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str, system: str | None
) -> None:
    engine = engine_of(fixture)
    prompt = engine.family.processor.tokenizer.decode(all_encoded(engine, shown)["text"].tensors["input_ids"][0])
    assert ("system" in prompt) == (system is not None)
    assert (system or "What is it?") in prompt


def test_a_checkpoint_that_lacks_weights_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in tiny_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["thinker.lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights, such as lm_head.weight: it is not complete"):
        Engine(read_local_settings({"pretrained": str(tmp_path), "device": "cpu"}))


def test_a_truncated_checkpoint_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    for path in tiny_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"pretrained={tmp_path} cannot be loaded: SafetensorError"):
        Engine(read_local_settings({"pretrained": str(tmp_path), "device": "cpu"}))


def test_a_response_is_truncated_if_nothing_ends_it_before_the_limit(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of("tiny_model")
    prompt, other = list(all_encoded(engine, shown).values())[:2]
    limit = {"max_new_tokens": 6}
    (cut_off,) = engine.respond([prompt], limit)
    assert (cut_off.tokens, cut_off.truncated) == (6, True)
    (stopped,) = engine.respond([prompt], {**limit, "until": [cut_off.text[-1]]})
    assert (stopped.text, stopped.truncated) == (cut_off.text[: cut_off.text.index(cut_off.text[-1])], False)
    ids = engine.family.processor.tokenizer(cut_off.text, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(engine.family, "_ends", [*engine.family._ends, ids[-1]])
    (ended,) = engine.respond([prompt], limit)
    assert (ended.tokens, ended.truncated) == (ids.index(ids[-1]) + 1, False)
    pair = engine.respond([prompt, other], limit)
    assert pair == [ended, *engine.respond([other], limit)]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_answers(tiny_model: Path, shown: dict[str, Any], dtype: str) -> None:
    engine = Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu", "dtype": dtype}))
    assert engine.info["dtype"] == dtype
    prompt = encoded(engine, shown["heard video"])
    assert engine.respond([prompt], GREEDY)[0][0]


@pytest.mark.parametrize("fixture", SEEING)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_does_not_shift_sound_and_pictures(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fixture: str, dtype: str
) -> None:
    """8 or 11 bits are not enough for the seconds of the time axis."""
    clips.write_sound(tmp_path / "long.mp4", clips.tones(16_000, 1, seconds=61.0), 16_000, "aac", pictures=305)
    path = str(tmp_path / "long.mp4")
    content = [{"type": "video", "url": path, "fps": 24 / 61}, {"type": "audio", "url": path}]
    positions: list[torch.Tensor] = []
    for name in ("float32", dtype):
        pretrained = str(request.getfixturevalue(fixture))
        engine = Engine(read_local_settings({"pretrained": pretrained, "device": "cpu", "dtype": name}))
        asked = engine.family.model.get_rope_index

        def noting(*arguments: Any, asked: Any = asked, **more: Any) -> Any:
            found = asked(*arguments, **more)
            positions.append(found[0].float())
            return found

        monkeypatch.setattr(engine.family.model, "get_rope_index", noting)
        engine.respond([encoded(engine, [{"role": "user", "content": content}])], {"max_new_tokens": 1})
    first, second = positions
    assert torch.equal(first, second)


@pytest.mark.parametrize("device_map", ["auto", "cpu"])
def test_a_device_map_answers_as_one_device_does(
    engine_of: Callable[[str], Engine], tiny_model: Path, shown: dict[str, Any], device_map: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("auto would choose a GPU, whose sums differ")
    engine = Engine(read_local_settings({"pretrained": str(tiny_model), "device_map": device_map}))
    prompt = encoded(engine, shown["heard video"])
    assert engine.respond([prompt], GREEDY) == engine_of("tiny_model").respond([prompt], GREEDY)


def test_quantised_weights_answer(tiny_model: Path, shown: dict[str, Any]) -> None:
    pytest.importorskip("bitsandbytes")
    engine = Engine(read_local_settings({"pretrained": str(tiny_model), "quantization": "8bit"}))
    assert any(parameter.dtype == torch.int8 for parameter in engine.family.model.parameters())
    assert engine.respond([encoded(engine, shown["heard video"])], GREEDY)[0][0]


@pytest.mark.gpu
@pytest.mark.parametrize("fixture", SEEING)
def test_a_batch_on_a_gpu_answers_as_its_prompts_do_alone(
    request: pytest.FixtureRequest, shown: dict[str, Any], fixture: str
) -> None:
    engine = Engine(read_local_settings({"pretrained": str(request.getfixturevalue(fixture)), "dtype": "float32"}))
    assert engine.info["device"].startswith("cuda")
    prompts = list(all_encoded(engine, shown).values())
    alone = [engine.respond([prompt], GREEDY)[0] for prompt in prompts]
    for batch in batches_of(prompts, 8):
        assert engine.respond([prompts[number] for number in batch], GREEDY) == [alone[number] for number in batch]


@pytest.mark.parametrize("fixture", SEEING)
def test_a_checkpoint_of_the_thinker_alone_answers_as_the_whole(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], tmp_path: Path, fixture: str
) -> None:
    """Fine-tunes are often saved like this."""
    whole = engine_of(fixture)
    whole.family.model.save_pretrained(tmp_path)
    whole.family.processor.save_pretrained(tmp_path)
    alone = Engine(read_local_settings({"pretrained": str(tmp_path), "device": "cpu"}))
    assert alone.info["model_type"] == f"{whole.info['model_type']}_thinker"
    for name in ("heard video", "sound and image"):
        prompt = encoded(alone, shown[name])
        assert alone.respond([prompt], GREEDY) == whole.respond([prompt], GREEDY)


@pytest.mark.parametrize("fixture", ALL)
def test_prompts_that_are_encoded_together_are_equal_to_those_encoded_alone(
    engine_of: Callable[[str], Engine], shown: dict[str, Any], fixture: str
) -> None:
    engine = engine_of(fixture)
    takes = [name for name, turns in shown.items() if engine.family.sees or not _shows_pictures(turns)]
    twice = [engine.encoder.read(shown[name]) for name in [*takes, *takes]]
    together = engine.encoder.encode(twice)
    for name, result in zip([*takes, *takes], together, strict=True):
        assert isinstance(result.encoded, EncodedPrompt), result.reason
        alone = encoded(engine, shown[name]).tensors
        assert result.encoded.tensors.keys() == alone.keys(), name
        assert all(torch.equal(result.encoded.tensors[key], alone[key]) for key in alone), name
