"""Digests of what an answer depends on: they change with everything that matters, and with no other thing."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qwen_omni_utils.v2_5 import vision_process

from lmms_humansense.models.caching import cache_key
from lmms_humansense.models.caching.cache_key import (
    UnknownContentError,
    describe,
    digest_of,
    digest_of_code,
    digest_of_folder,
    frame_limits,
)
from lmms_humansense.models.inputs.conversation import AudioPart, ImagePart, TextPart, VideoPart, read_messages
from lmms_humansense.models.inputs.policy import Policy
from lmms_humansense.models.local.families import modules_of_others
from lmms_humansense.models.local.families.qwen2_5_omni import Qwen25Omni
from lmms_humansense.models.local.families.qwen2_audio import Qwen2Audio
from lmms_humansense.models.local.families.qwen3_omni_moe import Qwen3OmniMoe
from lmms_humansense.models.media.digests import FileDigests, sha256_of

PLAIN = Policy()
Content = dict[str, Any]


def digest(*content: Content, policy: Policy = PLAIN, role: str = "user") -> str:
    """The digest of one turn with this content."""
    return digest_of(describe(read_messages([{"role": role, "content": list(content)}], policy), FileDigests()))


def all_differ(digests: dict[str, str]) -> bool:
    alike = {name: [other for other in digests if digests[other] == digests[name]] for name in digests}
    assert not {name: others for name, others in alike.items() if len(others) > 1}
    return True


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that digests read in several blocks. It is not a real video."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 10_000)
    return path


def video(path: Path, **hints: Any) -> Content:
    return {"type": "video", "url": str(path), **hints}


def audio(path: Path) -> Content:
    return {"type": "audio", "url": str(path)}


def text(words: str) -> Content:
    return {"type": "text", "text": words}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


# What a conversation shows and says


def test_equal_content_has_one_digest_in_any_folder_and_under_any_name(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "copy.MP4"
    other.parent.mkdir()
    shutil.copy(clip, other)
    for kinds in ([video], [video, audio], [audio]):
        one, two = ([kind(path) for kind in kinds] for path in (clip, other))
        assert digest(*one, text("Who?")) == digest(*two, text("Who?"))


def test_spellings_of_one_path_are_one_file(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    urls = [str(clip), f"file://{clip}", "clip.mp4", "./clip.mp4", clip, {"path": str(clip)}]
    assert len({digest({"type": "video", "url": url}) for url in urls}) == 1


def test_the_extension_counts_because_decoders_use_it(clip: Path) -> None:
    assert digest(video(clip)) != digest(video(Path(shutil.copy(clip, clip.with_suffix(".mkv")))))


@pytest.mark.parametrize("place", [0, 1_280_000, -1])
def test_one_bit_anywhere_in_a_file_changes_it(clip: Path, place: int) -> None:
    before, content = digest(video(clip)), clip.read_bytes()
    clip.write_bytes(flipped(content, place % len(content)))
    assert digest(video(clip)) != before


def test_a_file_that_grows_changes(clip: Path) -> None:
    before = digest(video(clip))
    with clip.open("ab") as file:
        file.write(b"\0")
    assert digest(video(clip)) != before


def test_everything_that_messages_and_settings_say_of_a_clip_counts(clip: Path) -> None:
    assert all_differ(
        {
            "silent": digest(video(clip)),
            "fps": digest(video(clip, fps=1.0)),
            "another fps": digest(video(clip, fps=2.0)),
            "max_pixels": digest(video(clip, max_pixels=100_352)),
            "start": digest(video(clip, start_time=1.0)),
            "end": digest(video(clip, end_time=1.0)),
            "the release's time axis": digest(video(clip, time_axis="release")),
            "heard": digest(video(clip), audio(clip)),
            "heard if there is sound": digest(video(clip), policy=Policy(use_audio_in_video="always")),
            "only heard": digest(audio(clip)),
            "a picture": digest({"type": "image", "url": str(clip)}),
            "video_reader of the settings": digest(video(clip), policy=Policy(video_reader="decord")),
            "nframes of the settings": digest(video(clip), policy=Policy(nframes=8)),
            "fps of the settings": digest(video(clip), policy=Policy(fps=4.0)),
            "max_pixels of the settings": digest(video(clip), policy=Policy(max_pixels=50_176)),
        }
    )


def test_settings_with_the_effect_of_messages_have_the_same_digest(clip: Path) -> None:
    same = [
        (video(clip, fps=1.0), video(clip), Policy(fps=1.0)),
        (video(clip), video(clip, fps=1.0), Policy(frames="model")),
        (video(clip, time_axis="release"), video(clip), Policy(time_axis="release")),
        (video(clip), video(clip, time_axis="release"), Policy(time_axis="true")),
    ]
    for hinted, overridden, policy in same:
        assert digest(hinted) == digest(overridden, policy=policy) != digest(overridden)
    never = Policy(use_audio_in_video="never")
    assert digest(video(clip), audio(clip), policy=never) == digest(video(clip))


def test_a_sound_that_may_be_a_clip_counts_with_how_that_would_be_shown(clip: Path) -> None:
    webm = clip.rename(clip.with_suffix(".webm"))
    assert all_differ(
        {
            "heard": digest(audio(webm)),
            "another rate of frames": digest({**audio(webm), "fps": 1.0}),
            "not heard with pictures": digest(audio(webm), policy=Policy(use_audio_in_video="never")),
        }
    )
    other = shutil.copy(webm, webm.with_name("other.webm"))
    assert digest(audio(Path(other))) == digest(audio(webm))


def test_words_roles_and_order_count(clip: Path) -> None:
    who, what = text("Who?"), text("What?")
    assert all_differ(
        {
            "who": digest(who),
            "what": digest(what),
            "who, then what": digest(who, what),
            "what, then who": digest(what, who),
            "both in one": digest(text("Who?What?")),
            "the system": digest(who, role="system"),
            "question first": digest(who, video(clip)),
            "clip first": digest(video(clip), who),
            "empty": digest(),
        }
    )


def test_turns_count() -> None:
    def of(*roles: str) -> str:
        return digest_of(describe(read_messages([{"role": role, "content": "Hm."} for role in roles]), FileDigests()))

    assert all_differ({str(roles): of(*roles) for roles in (("user",), ("user", "user"), ("user", "assistant"), ())})


# Media that are not files


def test_sounds_in_memory_count_by_samples_format_shape_and_rate() -> None:
    samples = np.arange(8, dtype=np.int16)

    def of(array: Any, rate: int = 16_000) -> str:
        return digest({"type": "audio", "url": {"array": array, "sampling_rate": rate}})

    changed = samples.copy()
    changed[4] += 1
    assert all_differ(
        {
            "samples": of(samples),
            "one is louder": of(changed),
            "another rate": of(samples, 8_000),
            "another format of equal bytes": of(samples.view(np.float16)),
            "another format of equal numbers": of(samples.astype(np.float32)),
            "two channels": of(samples.reshape(2, 4)),
            "four channels": of(samples.reshape(4, 2)),
        }
    )
    assert of(samples) == of(samples.copy()) == of(np.repeat(samples, 2)[::2])
    assert of([0.0, 0.5]) == of(np.array([0.0, 0.5]))


def test_a_file_in_memory_counts_by_content_and_extension() -> None:
    def of(content: bytes, path: str | None = None) -> str:
        return digest({"type": "audio", "url": {"bytes": content, "path": path}})

    assert all_differ({"a": of(b"a"), "b": of(b"b"), "wav": of(b"a", "x.wav"), "mp3": of(b"a", "x.mp3")})
    assert of(b"a", "x.wav") == of(b"a", "folder/y.WAV")


def test_images_count_by_their_pixels_mode_and_palette() -> None:
    def of(image: Image.Image) -> str:
        return digest({"type": "image", "url": image})

    grey = Image.frombytes("L", (4, 2), bytes(range(8)))
    brighter = grey.copy()
    brighter.putpixel((3, 1), 9)
    palettes = {}
    for name, first in (("red", [255, 0, 0]), ("blue", [0, 0, 255])):
        palettes[name] = Image.frombytes("P", (4, 2), bytes(range(8)))
        palettes[name].putpalette(first + [0] * 765)
    through = palettes["red"].copy()
    through.info["transparency"] = 0
    assert all_differ(
        {
            "grey": of(grey),
            "one pixel": of(brighter),
            "another shape of equal bytes": of(Image.frombytes("L", (2, 4), bytes(range(8)))),
            "equal numbers with a palette": of(palettes["red"]),
            "another palette": of(palettes["blue"]),
            "a palette with a hole": of(through),
            "colour": of(grey.convert("RGB")),
            "other colours of equal bytes": of(Image.frombytes("HSV", (4, 2), grey.convert("RGB").tobytes())),
            "alpha": of(grey.convert("RGBA")),
        }
    )
    assert of(grey) == of(grey.copy())


def test_an_image_has_one_digest_whether_or_not_it_was_loaded_before(tmp_path: Path) -> None:
    Image.frombytes("L", (4, 2), bytes(range(8))).save(tmp_path / "grey.png")
    loaded, lazy = Image.open(tmp_path / "grey.png"), Image.open(tmp_path / "grey.png")
    loaded.load()
    assert digest({"type": "image", "url": loaded}) == digest({"type": "image", "url": lazy})


def test_data_urls_count_by_their_content() -> None:
    one, other = ({"type": "image", "url": f"data:image/png;base64,{data}"} for data in ("AAAA", "AAAB"))
    assert digest(one) != digest(other)
    assert digest(one) == digest(dict(one))


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_the_content_of_a_url_is_unknown(kind: str) -> None:
    with pytest.raises(UnknownContentError, match=r"https://example\.org/a"):
        digest({"type": kind, "url": "https://example.org/a"})


def test_the_content_of_an_unknown_type_is_unknown() -> None:
    with pytest.raises(UnknownContentError, match="ndarray"):
        digest({"type": "image", "url": np.zeros((2, 2, 3), np.uint8)})
    with pytest.raises(UnknownContentError, match="dict"):
        digest({"type": "image", "url": {"path": "a.png", "bytes": None}})


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_a_missing_file_is_an_oserror(kind: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such"):
        digest({"type": kind, "url": str(tmp_path / "no such.mp4")})


@pytest.mark.parametrize(
    "content",
    [
        {"type": "audio", "url": {"array": np.zeros(8, np.float32), "sampling_rate": np.int64(16_000)}},
        {"type": "audio", "url": {"array": [[0.0, 0.5], [0.0]], "sampling_rate": 16_000}},
        {"type": "video", "url": __file__, "max_pixels": np.int64(100_352)},
        {"type": "video", "url": "no\0name.mp4"},
    ],
    ids=["a rate of numpy", "channels of two lengths", "a hint of numpy", "a name with a zero"],
)
def test_unusual_media_have_a_digest_or_raise_a_documented_error(content: Content) -> None:
    with contextlib.suppress(UnknownContentError, OSError, TypeError, ValueError):
        assert len(digest(content)) == 64


# Files are read once


def test_a_file_is_read_once_under_all_spellings_of_its_path(
    clip: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it was not written just now."""
    monkeypatch.chdir(clip.parent)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 120 * 10**9)
    files = FileDigests()
    assert {files.digest(path) for path in (str(clip), "clip.mp4", "./clip.mp4", str(clip))} == {sha256_of(clip)}
    assert read == ["clip.mp4"]


def test_equal_files_are_both_read(clip: Path, read: list[str]) -> None:
    files, other = FileDigests(), shutil.copy2(clip, clip.with_name("other.mp4"))
    assert files.digest(str(clip)) == files.digest(str(other))
    assert read == ["clip.mp4", "other.mp4"]


def longer(path: Path) -> None:
    times = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def later(path: Path) -> None:
    times = path.stat()
    path.write_bytes(flipped(path.read_bytes(), 5))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


def replaced(path: Path) -> None:
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(flipped(path.read_bytes(), 5))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [longer, later, replaced])
def test_a_file_that_changed_is_read_again(clip: Path, read: list[str], change: Callable[[Path], None]) -> None:
    files = FileDigests()
    before = files.digest(str(clip))
    change(clip)
    assert files.digest(str(clip)) == sha256_of(clip) != before
    assert read == ["clip.mp4"] * 2


# Checkpoints


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(5_000_000))
    return folder


def test_one_bit_in_the_middle_of_the_weights_changes_a_checkpoint(checkpoint: Path) -> None:
    before, weights = digest_of_folder(checkpoint), checkpoint / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(flipped(content, 2_600_001))
    assert digest_of_folder(checkpoint) != before
    weights.write_bytes(content)
    assert digest_of_folder(checkpoint) == before


def test_a_checkpoint_has_one_digest_in_any_folder(checkpoint: Path, tmp_path: Path) -> None:
    other = shutil.copytree(checkpoint, tmp_path / "other")
    assert digest_of_folder(other) == digest_of_folder(checkpoint)


def test_hidden_files_are_not_part_of_a_checkpoint(checkpoint: Path) -> None:
    before = digest_of_folder(checkpoint)
    (checkpoint / ".gitattributes").write_text("*")
    (checkpoint / ".cache").mkdir()
    (checkpoint / ".cache" / "download").write_text("done")
    assert digest_of_folder(checkpoint) == before


def test_names_of_files_count(checkpoint: Path) -> None:
    digests = {"before": digest_of_folder(checkpoint)}
    (checkpoint / "adapter.json").write_text("")
    digests["one more"] = digest_of_folder(checkpoint)
    (checkpoint / "adapter.json").rename(checkpoint / "adapter_config.json")
    digests["renamed"] = digest_of_folder(checkpoint)
    (checkpoint / "config.json").unlink()
    digests["one less"] = digest_of_folder(checkpoint)
    assert all_differ(digests)


# Limits on frames and the code


def test_each_limit_on_frames_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {"as they are": digest_of(frame_limits())}
    for name in ("MODEL_SEQ_LEN", "FPS", "FPS_MIN_FRAMES", "FPS_MAX_FRAMES", "VIDEO_MAX_TOKEN_NUM"):
        with monkeypatch.context() as patch:
            patch.setattr(vision_process, name, 7)
            digests[name] = digest_of(frame_limits())
    assert all_differ(digests)


FAMILIES = [Qwen25Omni, Qwen2Audio, Qwen3OmniMoe]
MODELS = Path(cache_key.__file__).parents[1]


def test_every_field_of_a_part_is_in_the_key_or_is_its_medium() -> None:
    """If a part gets a new field, `describe` has to be adapted."""
    named = {kind.__name__: {field.name for field in fields(kind)} for kind in (TextPart, ImagePart, AudioPart)}
    assert named == {"TextPart": {"text"}, "ImagePart": {"image"}, "AudioPart": {"source", "clip"}}
    file = {"type": "video", "url": str(Path(__file__)), "fps": 1.0}
    ((_, ((_, _, described),)),) = describe(read_messages([{"role": "user", "content": [file]}], PLAIN), FileDigests())
    assert described.keys() == {field.name for field in fields(VideoPart)}


def code_of(family: type) -> str:
    return digest_of_code("local", left_out=modules_of_others(family))


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the modules, which `digest_of_code` reads instead of the real ones."""
    copied = shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    before = code_of(Qwen25Omni)
    monkeypatch.setattr(cache_key, "__file__", str(copied / "caching" / "cache_key.py"))
    assert code_of(Qwen25Omni) == before, "the folder of the modules does not matter"
    return Path(copied)


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


def test_families_have_code_of_their_own() -> None:
    assert all_differ({family.__name__: code_of(family) for family in FAMILIES})


OF_ALL, OF_LOCAL, OF_VLLM, OF_SERVED = {"media", "inputs"}, {"local"}, {"vllm"}, {"endpoint"}
"""Folders with code that decides an answer: of every model, of a model that is loaded here (that of vLLM depends on
`local` as well), and of a served model."""

WITHOUT_EFFECT = {"runtime", "caching", "__init__.py", "chat.py", "omni.py", "server.py"}
"""Code that decides when and where something is done, but not what."""


def test_every_module_is_known_to_decide_answers_or_not_to() -> None:
    entries = {path.name for path in MODELS.iterdir() if path.name != "__pycache__"}
    assert entries == OF_ALL | OF_LOCAL | OF_VLLM | OF_SERVED | WITHOUT_EFFECT


@pytest.mark.parametrize("name", sorted(path.relative_to(MODELS).as_posix() for path in MODELS.rglob("*.py")))
def test_a_change_of_a_module_is_noticed_unless_it_is_without_effect(name: str, code: Path) -> None:
    before, served = [code_of(family) for family in FAMILIES], digest_of_code("endpoint")
    vllm = digest_of_code("vllm")
    change(code / name)
    after, room = [code_of(family) for family in FAMILIES], name.partition("/")[0]
    if room not in OF_ALL | OF_LOCAL:
        assert after == before
    elif name.startswith("local/families/") and not name.endswith(("/__init__.py", "/base.py")):
        assert set(after) - set(before), "which families it touches is tested below"
    else:
        assert not set(after) & set(before)
    assert (digest_of_code("endpoint") != served) == (room in OF_ALL | OF_SERVED)
    assert (digest_of_code("vllm") != vllm) == (room in OF_ALL | OF_VLLM)


@pytest.mark.parametrize(
    "module",
    [
        *("media/types.py", "media/video.py", "media/video_index.py", "media/video_decoder.py", "media/readers.py"),
        *("media/audio.py", "media/audio_memory.py", "media/image.py", "media/container.py", "inputs/conversation.py"),
        *("media/sound_blocks.py", "media/sound_decoder.py"),
        *("inputs/decoding.py", "inputs/policy.py", "inputs/generation.py", "inputs/docs.py", "local/encoder.py"),
        *("local/collation.py", "local/engine.py", "local/loading.py", "local/families/base.py"),
        *("endpoint/encoder.py", "endpoint/payload.py", "endpoint/vllm.py", "endpoint/client.py"),
    ],
)
def test_code_that_decides_an_answer_is_in_a_folder_that_counts(module: str) -> None:
    assert (MODELS / module).is_file()
    assert module.partition("/")[0] in OF_ALL | OF_LOCAL | OF_SERVED


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("base", {Qwen25Omni, Qwen2Audio, Qwen3OmniMoe}),
        ("qwen_omni", {Qwen25Omni, Qwen3OmniMoe}),
        ("qwen2_5_omni", {Qwen25Omni}),
        ("qwen2_audio", {Qwen2Audio}),
        ("qwen3_omni_moe", {Qwen3OmniMoe}),
    ],
)
def test_a_change_of_a_family_touches_it_and_those_that_build_on_it(name: str, touched: set[type], code: Path) -> None:
    before = {family: code_of(family) for family in FAMILIES}
    change(code / "local" / "families" / f"{name}.py")
    assert {family for family in FAMILIES if code_of(family) != before[family]} == touched


@pytest.mark.parametrize("folder", ["media", "inputs", "local", "media/readers"])
def test_a_new_module_is_noticed_at_any_depth(folder: str, code: Path) -> None:
    before = code_of(Qwen25Omni)
    (code / folder).mkdir(exist_ok=True)
    (code / folder / "new.py").write_text("")
    assert code_of(Qwen25Omni) != before
