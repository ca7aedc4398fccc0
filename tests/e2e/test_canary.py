"""The canary in a whole run: the learned model of the demo, with batches, a worker and the store of decoded clips."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmms_humansense.demo.command import CHECKPOINT, WORLD
from lmms_humansense.models.media.entries import ENDING, OF, write_entry

SEEN, HEARD = ("ar", "gr"), ("fr2", "pc")
EXCHANGED = {"gr": "videos", "pc": "audios"}  # tasks, and the folders of their media


def exchange_media(store: Path, files: Path) -> None:
    """Give each entry of these files the pictures or the sound of the next one, and leave everything else as it is."""
    tables = {place: pq.read_table(place) for place in store.rglob(f"*{ENDING}")}
    places = {facts_of(table)[OF]["sha256"]: place for place, table in tables.items()}
    chosen = [places[hashlib.sha256(file.read_bytes()).hexdigest()] for file in sorted(files.iterdir())]
    for place, other in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        write_entry(place, tables[other], facts_of(tables[place]))


def facts_of(table: pa.Table) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(table.schema.metadata[b"humansense"])
    return facts


@pytest.mark.slow
def test_a_store_that_hands_out_the_media_of_other_questions_is_felt(
    evaluate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(WORLD))
    arguments = f"pretrained={CHECKPOINT},media_workers=1,media_cache={tmp_path / 'store'}"

    def acc() -> dict[str, float]:
        """The scores of one run, by task."""
        names = {code: f"humansense_{code}" for code in (*SEEN, *HEARD)}
        results = evaluate(*names.values(), model="humansense_omni", model_args=arguments, device="cpu", batch_size=4)
        rows = {code: results["results"][name] for code, name in names.items()}
        assert not any(row["failed,none"] for row in rows.values())
        return {code: row["acc,none"] for code, row in rows.items()}

    decoded = acc()
    assert min(decoded.values()) >= 0.8, decoded
    for code, folder in EXCHANGED.items():
        exchange_media(tmp_path / "store", WORLD / folder / code)
    stored = acc()
    for code in decoded:
        if code in EXCHANGED:
            assert decoded[code] - stored[code] >= 0.4, code
        else:
            assert stored[code] == decoded[code], code
