"""The part of the GPU check about the store of decoded clips."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench_camera import Form, make_clips
from bench_usage import cpu_seconds
from bench_workloads import FORMS, write_release
from gpu_model_parts import media_workers, whole_run
from gpu_setup import Bench, FailedError, Findings, Row, questions

from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.runtime.request import Response
from lmms_humansense.models.runtime.worker_pool import worker_count
from lmms_humansense.tasks.humansense import data
from lmms_humansense.tasks.humansense.data import LocatedDoc

_SMALL = Form(4, 320, 180, 50, 300_000)


def store(bench: Bench) -> Findings:
    """Runs about long clips without the store of decoded clips, while it is filled, and from it."""
    engine = bench.engine(batch_size=8)
    form, clips = (_SMALL, 3) if bench.small else (FORMS["long"], 24)
    docs = _docs(bench.folder / "long", form, clips)
    folder = bench.folder / "store"
    count = max(1, worker_count(engine.settings, engine.device))
    yield f"{clips} clips of {form.seconds} s at {form.width}x{form.height}, {count} workers, 4 new tokens of each."
    expected: list[Response] = []
    failed: list[Response] = []
    for state, kept in (("none", None), ("filled", folder), ("read", folder)):
        row, responses = _run(engine, docs, count, kept)
        expected = expected or responses
        failed += [response for response in responses if response.text is None]
        equal = sum(one.text == other.text for one, other in zip(responses, expected, strict=True)) / len(expected)
        yield {"store": state, **row, "equal answers": equal}
    if failed:
        raise FailedError(f"{len(failed)} requests failed, the first with {failed[0].error}")


def _docs(folder: Path, form: Form, clips: int) -> list[LocatedDoc]:
    folder.mkdir()
    drawn = [folder / f"{number}.mp4" for number in range(clips)]
    make_clips(drawn, form)
    write_release(folder / "release", drawn, form.seconds, clips, 1)
    return list(data.load("TR", str(folder / "release"), complete=False))


def _run(engine: Engine, docs: Sequence[LocatedDoc], count: int, folder: Path | None) -> tuple[Row, list[Response]]:
    """The row of a run about all docs whose workers use this store, and its responses."""
    engine.settings = replace(engine.settings, media_cache=None if folder is None else str(folder))
    workers = media_workers(engine, count)
    try:
        whole_run(engine, workers, questions(2), 2)  # libraries load, and workers start
        spent, before = cpu_seconds(), _entries(folder)
        row, responses = whole_run(engine, workers, docs, len(docs))
        row["CPU s/question"] = (cpu_seconds() - spent) / len(docs)
    finally:
        workers.close()
    row["entries written"] = len(_entries(folder) - before)
    return row, responses


def _entries(folder: Path | None) -> set[tuple[Path, int]]:
    """The entries of a store, each with its inode, which is another one when an entry is written again."""
    return set() if folder is None else {(place, place.stat().st_ino) for place in folder.rglob("*.parquet")}
