"""Docs with sounds in every form that datasets returns: what tasks and lmms-eval's conversion get."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
import torch
from PIL import Image

from lmms_humansense.models.inputs.docs import ClipNames, decode_audio_without_torchcodec, with_decoded_audio
from lmms_humansense.models.media.errors import MediaError
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import clips

TONE = clips.tones(16_000, 1, seconds=0.5)[0]


@pytest.fixture(autouse=True)
def _decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding without torchcodec, undone after each test."""
    monkeypatch.setattr(datasets.Audio, "decode_example", datasets.Audio.decode_example)
    monkeypatch.setitem(__import__("sys").modules, "torchcodec", None)
    decode_audio_without_torchcodec()


def wav(folder: Path) -> bytes:
    return clips.write_sound(folder / "tone.wav", TONE[None], 16_000, "pcm_s16le").read_bytes()


@pytest.fixture
def dataset(tmp_path: Path) -> datasets.Dataset:
    """Columns as in the parquet files of speech corpora: the sound's bytes, and a name without a folder."""
    encoded = {"bytes": wav(tmp_path), "path": "84-121123-0000.flac"}
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(picture, "PNG")
    image = {"bytes": picture.getvalue(), "path": None}
    row = {"question": "?", "audio": encoded, "more": [encoded, encoded], "image": image}
    # If the columns were declared when the rows are made, datasets would encode the sounds, with torchcodec.
    made = datasets.Dataset.from_list([row] * 2)
    declared = {"audio": datasets.Audio(), "more": datasets.Sequence(datasets.Audio()), "image": datasets.Image()}
    for name, feature in declared.items():
        made = made.cast_column(name, feature)
    made.to_parquet(tmp_path / "data.parquet")
    return datasets.Dataset.from_parquet(str(tmp_path / "data.parquet"), cache_dir=str(tmp_path / "cache"))


def test_sound_columns_are_decoded_without_torchcodec(dataset: datasets.Dataset) -> None:
    doc = with_decoded_audio(dataset[1])
    for sound in (doc["audio"], *doc["more"]):
        assert (sound["sampling_rate"], sound["path"]) == (16_000, None)
        assert sound["array"] == pytest.approx(TONE, abs=1e-4)
    assert len(doc["more"]) == 2
    assert doc["question"] == "?"
    assert doc["image"].getpixel((0, 0)) == (255, 0, 0)


def test_lmms_evals_conversion_keeps_the_sound(dataset: datasets.Dataset) -> None:
    from lmms_eval.api.task import ConfigurableMessagesTask

    content = ConfigurableMessagesTask._visual_to_content(with_decoded_audio(dataset[0])["audio"])
    assert content["url"]["array"] == pytest.approx(TONE, abs=1e-4)


def test_a_torchcodec_that_works_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = object()
    monkeypatch.setattr(datasets.Audio, "decode_example", theirs)
    for name in ("torchcodec", "torchcodec.decoders"):
        monkeypatch.setitem(__import__("sys").modules, name, SimpleNamespace())
    decode_audio_without_torchcodec()
    assert datasets.Audio.decode_example is theirs


def test_what_torchcodec_decodes_becomes_a_waveform() -> None:
    samples = SimpleNamespace(data=torch.zeros(2, 10), sample_rate=8_000)
    decoder = SimpleNamespace(get_all_samples=lambda: samples)
    sound = with_decoded_audio({"audio": decoder})["audio"]
    assert (sound["array"].shape, sound["sampling_rate"], sound["path"]) == ((2, 10), 8_000, None)


def test_the_file_of_a_sound_is_not_taken_for_the_sound(tmp_path: Path) -> None:
    from lmms_eval.api.task import ConfigurableMessagesTask

    (tmp_path / "a.wav").write_bytes(wav(tmp_path))
    sound = {"array": TONE, "sampling_rate": 16_000, "path": str(tmp_path / "a.wav")}
    doc = with_decoded_audio({"audio": sound, "nested": {"audios": [sound]}})
    for plain in (doc["audio"], doc["nested"]["audios"][0]):
        assert plain["path"] is None
        assert ConfigurableMessagesTask._visual_to_content(plain)["url"] is plain


def test_a_sound_behaves_like_torchcodecs_decoder() -> None:
    """Tasks such as ami drop a sound without the method that returns its samples."""
    sound = with_decoded_audio({"array": TONE, "sampling_rate": 8_000})
    samples = sound.get_all_samples()
    assert samples.data.shape == (1, len(TONE))
    assert samples.sample_rate == 8_000


@pytest.mark.parametrize("doc", [None, 3, "text", {"a": [1, "b"]}])
def test_docs_of_any_type_are_accepted(doc: Any) -> None:
    assert with_decoded_audio(doc) == doc


@pytest.mark.parametrize("broken", [{"bytes": b"RIFF no sound", "path": "x.wav"}, {"bytes": None, "path": None}])
def test_a_corrupt_sound_fails_its_doc(broken: dict[str, Any]) -> None:
    with pytest.raises(MediaError):
        datasets.Audio().decode_example(broken)


def test_a_clip_is_known_by_the_column_that_names_it() -> None:
    named = datasets.Dataset.from_dict({"media": ["a.mp4", "b.mp4", "a.mp4"], "answer": ["A", "B", "C"]})
    other = datasets.Dataset.from_dict({"media": ["a.mp4"]})
    names = ClipNames({"one": {"test": named}, "two": {"test": other}})
    assert [names.of("one", "test", number) for number in (2, 0, 1)] == ["a.mp4", "a.mp4", "b.mp4"]
    assert names.of("two", "test", 0) == names.of("one", "test", 0), "also across tasks"


@pytest.mark.parametrize(
    "docs",
    [
        [{"media": "a.mp4"}],
        datasets.Dataset.from_dict({"video": ["a.mp4"]}),
        datasets.Dataset.from_dict({"media": [7]}),
        datasets.Dataset.from_dict({"media": [["a.mp4", "b.mp4"]]}),
    ],
    ids=["a list", "another column", "numbers", "several"],
)
def test_where_no_column_names_the_clip_it_is_not_known(docs: Any) -> None:
    assert ClipNames({"task": {"test": docs}}).of("task", "test", 0) is None


def test_the_docs_of_humansense_name_their_clips() -> None:
    docs = {code: utils.docs(code, str(ROOT), complete=False) for code in ("hc", "tr")}
    names = ClipNames({code: {"test": rows} for code, rows in docs.items()})
    for code, rows in docs.items():
        assert [names.of(code, "test", number) for number in range(len(rows))] == [row["media"] for row in rows]
