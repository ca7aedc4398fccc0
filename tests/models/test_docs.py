"""Docs with sounds in every form that datasets gives them: what tasks and lmms-eval's conversion get to see."""

import io
import wave
from pathlib import Path
from typing import Any

import clips
import datasets
import numpy as np
import pytest
from lmms_humansense.models.docs import Docs
from lmms_humansense.models.media import MediaError
from PIL import Image

TONE = clips.tones(16_000, 1, seconds=0.5)[0]


def wav(samples: Any) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


@pytest.fixture
def dataset(tmp_path: Path) -> datasets.Dataset:
    """Columns as in the parquet files of speech corpora: the sound's bytes, and a name without a folder."""
    encoded = {"bytes": wav(TONE), "path": "84-121123-0000.flac"}
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(picture, "PNG")
    image = {"bytes": picture.getvalue(), "path": None}
    row = {"question": "?", "audio": encoded, "more": [encoded, encoded], "image": image}
    # Declaring the columns when the rows are made would have datasets encode the sounds, with torchcodec.
    made = datasets.Dataset.from_list([row] * 2)
    declared = {"audio": datasets.Audio(), "more": datasets.Sequence(datasets.Audio()), "image": datasets.Image()}
    for name, feature in declared.items():
        made = made.cast_column(name, feature)
    made.to_parquet(tmp_path / "data.parquet")
    return datasets.Dataset.from_parquet(str(tmp_path / "data.parquet"), cache_dir=str(tmp_path / "cache"))


def test_sound_columns_are_decoded_without_any_help_of_datasets(dataset: datasets.Dataset) -> None:
    doc = Docs().read(dataset, 1)
    for sound in (doc["audio"], *doc["more"]):
        assert (sound["sampling_rate"], sound["path"]) == (16_000, None)
        assert sound["array"] == pytest.approx(TONE, abs=1e-4)
    assert len(doc["more"]) == 2


def test_other_columns_are_as_datasets_gives_them(dataset: datasets.Dataset) -> None:
    doc = Docs().read(dataset, 0)
    assert doc["question"] == "?"
    assert doc["image"].getpixel((0, 0)) == (255, 0, 0)


def test_a_view_is_made_once(dataset: datasets.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Docs()
    docs.read(dataset, 0)
    monkeypatch.setattr(datasets.Dataset, "remove_columns", None)
    assert docs.read(dataset, 1)["question"] == "?"


def test_nothing_but_sounds(dataset: datasets.Dataset) -> None:
    assert Docs().read(dataset.select_columns("audio"), 1).keys() == {"audio"}


def test_lmms_evals_conversion_keeps_the_sound(dataset: datasets.Dataset) -> None:
    from lmms_eval.api.task import ConfigurableMessagesTask

    content = ConfigurableMessagesTask._visual_to_content(Docs().read(dataset, 0)["audio"])
    assert content["url"]["array"] == pytest.approx(TONE, abs=1e-4)


def test_the_name_of_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(TONE))
    there = {"array": TONE, "sampling_rate": 16_000, "path": str(tmp_path / "a.wav")}
    absent = {**there, "path": "a.wav"}
    doc = Docs().read([{"audio": there, "nested": {"audios": [absent]}}], 0)
    assert doc["audio"]["path"] == there["path"]
    assert doc["nested"]["audios"][0]["path"] is None


def test_docs_of_any_type_pass() -> None:
    assert Docs().read([None, 3, {"a": [1, "b"]}], 2) == {"a": [1, "b"]}
    assert Docs().read([None], 0) is None


def test_a_corrupt_sound_fails_its_doc(tmp_path: Path) -> None:
    broken = {"bytes": b"RIFF no sound", "path": "x.wav"}
    dataset = datasets.Dataset.from_list([{"audio": broken}]).cast_column("audio", datasets.Audio())
    with pytest.raises(MediaError):
        Docs().read(dataset, 0)
