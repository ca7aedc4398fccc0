"""Entries of the store come back as they were written, or are called damaged; other libraries can read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from lmms_humansense.models.media import entries
from lmms_humansense.models.media.digests import SeenFile
from lmms_humansense.models.media.entries import DamagedEntryError, UnreadableEntryError, read_entry
from lmms_humansense.models.media.store import ClipStore, StoredFrames
from lmms_humansense.models.media.types import SAMPLE_RATE, FrameRule, Frames, Waveform

RULE = FrameRule(nframes=4)
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 8, 12), dtype=np.uint8))
SOUND = Waveform(np.random.default_rng(0).normal(0, 0.1, 400).astype(np.float32))


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    return ClipStore(tmp_path / "store", checking=False)


@pytest.fixture
def clip(store: ClipStore, tmp_path: Path) -> SeenFile:
    (tmp_path / "clip.mp4").write_bytes(b"pictures")
    found = store.content(str(tmp_path / "clip.mp4"))
    assert found is not None
    return found


def kept(kind: str, store: ClipStore, clip: SeenFile) -> Path:
    """Keep something small, and return its entry."""
    if kind == "frames":
        frames = Frames(PIXELS, (0, 10, 20, 30), 25.0, 100, 2.0, 0.04, ("A remark",))
        store.keep_frames(clip, RULE, 28, None, None, StoredFrames(frames, 4.2))
    else:
        store.keep_sound(clip, SOUND, 0.25)
    (place,) = store.folder.glob("??/*.parquet")
    return place


def told(kind: str, store: ClipStore, clip: SeenFile) -> Any:
    """All that the store says, in a form that can be compared."""
    if kind == "frames":
        shown = store.frames(clip, RULE, 28, None, None)
        assert shown is not None
        facts = {name: value for name, value in vars(shown.frames).items() if name != "pixels"}
        return shown.frames.pixels.shape, shown.frames.pixels.numpy().tobytes(), facts, shown.sound_seconds
    heard = store.sound(clip)
    assert heard is not None
    return heard[0].samples.dtype, heard[0].samples.tobytes(), heard[1]


def flips(content: bytes, step: int) -> Iterator[bytes]:
    """The content with one bit changed: of the head of its page, of some of its numbers, and of its end."""
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in [*range(60), *range(60, end, 23), *range(end, len(content), step)]:
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        yield bytes(changed)


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["frames", "sound"])
def test_no_changed_bit_changes_what_is_read(kind: str, step: int, store: ClipStore, clip: SeenFile) -> None:
    """Checksums of pages alone let a page of another type pass, which is then left out, and facts of any kind."""
    place = kept(kind, store, clip)
    expected, content = told(kind, store, clip), place.read_bytes()
    checking = ClipStore(store.folder, checking=True)
    noticed = 0
    for changed in flips(content, step):
        place.write_bytes(changed)
        try:
            assert told(kind, checking, clip) == expected
        except (DamagedEntryError, UnreadableEntryError):  # a changed size may need more memory than there is
            noticed += 1
    assert noticed > 100
    place.write_bytes(content)
    assert told(kind, checking, clip) == expected


@pytest.mark.parametrize("fact", ["sample_fps", "shape", "remarks", "of"])
def test_a_changed_fact_is_damage(fact: str, store: ClipStore, clip: SeenFile) -> None:
    """Also where the file is a correct one of Parquet."""
    place = kept("frames", store, clip)
    table = pq.read_table(place)
    facts = json.loads(table.schema.metadata[b"humansense"])
    facts[fact] = {"sample_fps": 7.0, "shape": [4, 3, 12, 8], "remarks": []}.get(fact)
    said = json.dumps(facts).encode()
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"humansense": said}), place)
    with pytest.raises(DamagedEntryError, match=r"is damaged \(its checksum is another one\)"):
        told("frames", ClipStore(store.folder, checking=True), clip)


def test_an_entry_says_how_its_bytes_are_read(store: ClipStore, clip: SeenFile) -> None:
    """Someone without this code, who follows the facts, gets the frames."""
    table = pq.read_table(kept("frames", store, clip))
    facts = json.loads(table.schema.metadata[b"humansense"])
    assert facts["order"] == "rows: frames; bytes of a row: colours (red, green, blue), lines, columns"
    assert facts["encoding"] == (
        "red and blue less green, then each line less the line above it; all modulo 256"
    )  # summed up in the other order
    rows = np.frombuffer(b"".join(table["pixels"].to_pylist()), np.uint8).reshape(facts["shape"])
    pixels = np.cumsum(rows, axis=2, dtype=np.uint8)
    pixels[:, (0, 2)] += pixels[:, (1, 1)]
    assert np.array_equal(pixels, PIXELS.numpy())


def test_an_entry_of_a_sound_says_its_rate(store: ClipStore, clip: SeenFile) -> None:
    table = pq.read_table(kept("sound", store, clip))
    facts = json.loads(table.schema.metadata[b"humansense"])
    assert (facts["rate"], facts["channels"], facts["order"]) == (SAMPLE_RATE, 1, "samples")
    assert facts["encoding"] == "full scale at -1 and 1"
    assert np.array_equal(table["samples"].to_numpy(), SOUND.samples)


@pytest.mark.parametrize("shape", [(2, 3, 28, 56), (1, 3, 1, 1), (3, 3, 2, 5)])
def test_differences_sum_up_to_the_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = entries.differences(pixels)
    entries.sum_up(made)
    assert np.array_equal(made, pixels)


@pytest.mark.parametrize("samples", [0, 1])
def test_a_sound_may_have_no_samples(samples: int, tmp_path: Path) -> None:
    """Such as the sound of a part of a clip in which there is none."""
    table = pa.table({"samples": np.zeros(samples, np.float32)})
    entries.write_entry(tmp_path / "entry", table, {"of": {}})
    found, _ = read_entry(tmp_path / "entry", {}, lambda facts, numbers: numbers)
    assert (found.dtype, len(found)) == (torch.float32, samples)
