"""The parts of the GPU check that need this package alone: batches, whole runs, lack of memory, long responses."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import psutil
import torch
from gpu_setup import (
    GB,
    Bench,
    FailedError,
    Findings,
    Row,
    encoded,
    generated,
    is_out_of_memory,
    mean,
    peak_gb,
    questions,
    requests_of,
    restart_peak,
    synchronize,
    utilization,
)

from lmms_humansense.models.local.batching import Padding, pick_batch
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.runner import LocalRunner
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.request import Response
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.runtime.worker_pool import WorkerPool, worker_count


def batches(bench: Bench) -> Findings:
    """The speed and memory of batches, and whether their answers are those of single questions."""
    engine = bench.engine()
    prompts = encoded(engine, questions(6 if bench.small else None))
    generated(engine, prompts[:1], 2)
    lengths = [prompt.tokens for prompt in prompts]
    span = f"{min(lengths)} to {max(lengths)} tokens"
    yield f"{len(prompts)} prompts of {span}; 8 new tokens of each, {engine.info['dtype']}."
    alone: tuple[torch.Tensor, torch.Tensor] | None = None
    for size in (1, 4, 8, 16):
        row, ids, logits = _asked_in_batches(engine, prompts, size)
        first_ids, first_logits = alone = alone or (ids, logits)
        difference = (logits - first_logits).abs()
        yield {
            **row,
            "equal answers": float((ids == first_ids).all(dim=1).float().mean()),
            "equal first tokens": float((ids[:, 0] == first_ids[:, 0]).float().mean()),
            "largest difference of logits": float(difference.max()),
            "mean difference of logits": float(difference.mean()),
        }
    assert alone is not None
    top = alone[1].topk(2).values
    yield (
        f"Logits of single questions have a standard deviation of {float(alone[1].std()):.3g}, and their two largest "
        f"are {float((top[:, 0] - top[:, 1]).median()):.3g} apart (median): random weights make near-ties."
    )


def _asked_in_batches(engine: Engine, prompts: Sequence[EncodedPrompt], size: int) -> tuple[Row, Any, Any]:
    """The row of one batch size, and the ids and first logits of all prompts in their order."""
    left, chosen = list(range(len(prompts))), []
    while left:
        chosen.append([left[place] for place in pick_batch([prompts[number] for number in left], size)])
        left = [number for number in left if number not in chosen[-1]]
    generated(engine, [prompts[number] for number in chosen[0]], 2)  # so that kernels are chosen before the measurement
    restart_peak()
    padding = Padding()
    found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    started = time.perf_counter()
    with utilization() as busy:
        for numbers in chosen:
            samples = [prompts[number] for number in numbers]
            padding.count(samples)
            found.update(zip(numbers, zip(*generated(engine, samples, 8), strict=True), strict=True))
        synchronize()
    seconds = time.perf_counter() - started
    row = {
        "batch size": size,
        "questions/s": len(prompts) / seconds,
        "prompt tokens/s": padding.tokens / seconds,
        "peak GB": peak_gb(),
        "GPU busy": mean(busy),
        "padding": padding.share,
    }
    ids, logits = zip(*(found[number] for number in range(len(prompts))), strict=True)
    return row, torch.stack(ids), torch.stack(logits)


def run(bench: Bench) -> Findings:
    """A whole run with workers: its speed, its waiting times, and whether memory grows."""
    engine = bench.engine(batch_size=8)
    docs = questions(6 if bench.small else None)
    count = worker_count(engine.settings, engine.device)
    workers = media_workers(engine, count) if count else None
    yield f"{len(docs)} questions, {count} workers for media, 4 new tokens of each; an answer is a letter and an end."
    failures: list[Response] = []
    try:
        whole_run(engine, workers, docs, 8)  # libraries load, and workers start
        for size, asked in ((8, len(docs)), (1, len(docs)), (8, 12 if bench.small else 300)):
            engine.settings = replace(engine.settings, batch_size=size)
            row, responses = whole_run(engine, workers, docs, asked)
            failures += [response for response in responses if response.text is None]
            yield row
    finally:
        if workers is not None:
            workers.close()
    yield "Growth is measured from question 50 to the last one, in the run of 300."
    if failures:
        raise FailedError(f"{len(failures)} requests failed, the first with {failures[0].error}")


def media_workers(engine: Engine, count: int) -> WorkerPool:
    """So many processes that prepare media, with the settings of the engine."""
    make = partial(LocalEncoder, engine.settings, engine.encoder.model_type)
    return WorkerPool(make, count, engine.settings.media_timeout)


def whole_run(
    engine: Engine, workers: WorkerPool | None, docs: Sequence[Any], asked: int
) -> tuple[Row, list[Response]]:
    """The row of one run about the docs, repeated until so many are asked, and its responses."""
    runner = LocalRunner(engine, workers, Ledger(RunSettings(max_failures=1.0), asked), SigtermGuard())
    marks: list[dict[str, float]] = []
    requests = requests_of(docs, asked, {"max_new_tokens": 4, "min_new_tokens": 4, "until": []})
    restart_peak()
    started = time.perf_counter()
    with utilization() as busy:
        responses = list(runner.run(requests, lambda: marks.append(memory_mb())))
    seconds = time.perf_counter() - started
    failed = sum(response.text is None for response in responses)
    first = marks[49] if asked >= 300 else marks[0]
    grown = {f"{name} grew MB": marks[-1][name] - first[name] for name in first} if asked > len(docs) else {}
    return {
        "questions": asked,
        "batch size": engine.settings.batch_size,
        "questions/s": asked / seconds,
        "model s": runner.effort.model,
        "waiting s": runner.effort.waiting,
        "model busy": runner.effort.busy,
        "GPU busy": mean(busy),
        "padding": runner.effort.padding.share,
        "failures": failed,
        "peak GB": peak_gb(),
        **grown,
    }, responses


def memory_mb() -> dict[str, float]:
    """The memory of this process, and of its tensors on the card, in megabytes."""
    held = {"RSS": psutil.Process().memory_info().rss / 1e6}
    if torch.cuda.is_available():
        held |= {"allocated": torch.cuda.memory_allocated() / 1e6, "reserved": torch.cuda.memory_reserved() / 1e6}
    return held


def memory(bench: Bench) -> Findings:
    """Whether a batch that does not fit into the card's memory is split, and all its questions are answered."""
    engine = bench.engine(batch_size=16, nframes=8 if bench.small else 48)
    doc = max(questions(), key=lambda doc: doc["frame_count"])
    requests = requests_of([doc], 20, {"max_new_tokens": 8, "min_new_tokens": 8, "until": []})
    requests = [replace(request, clip=doc["media"]) for request in requests]
    (prompt,) = encoded(engine, [doc])
    held = _held()
    with _short_of_memory(engine, prompt) as row:
        runner = LocalRunner(engine, None, Ledger(RunSettings(max_failures=1.0), len(requests)), SigtermGuard())
        responses = list(runner.run(requests))
        failed = [response for response in responses if response.text is None]
        yield {
            "prompts": len(requests),
            "tokens each": prompt.tokens,
            **row,
            "answered": len(responses) - len(failed),
            "failed": len(failed),
            "batch size before": 16,
            "batch size after": runner.batch_size,
            "allocated before GB": held,
            "allocated after GB": _held(),
        }
    if failed:
        raise FailedError(f"{len(failed)} requests failed, the first with {failed[0].error}")
    if runner.batch_size >= 16:
        raise FailedError("The batch of 16 did fit into memory, so that no batch was split.")


def _held() -> float | None:
    """Gigabytes of tensors on the card while only the weights are in use; None without a card."""
    gc.collect()
    return torch.cuda.memory_allocated() / GB if torch.cuda.is_available() else None


@contextmanager
def _short_of_memory(engine: Engine, prompt: EncodedPrompt) -> Iterator[Row]:
    """Limits memory during the block: one such prompt fits and 16 do not. On the CPU, it only raises the error."""
    if engine.device.type == "cpu":
        respond = Engine.respond

        def refusing(self: Engine, samples: Sequence[EncodedPrompt], generation_kwargs: Any) -> Any:
            if len(samples) > 4:
                raise torch.OutOfMemoryError("made up: CUDA out of memory")
            return respond(self, samples, generation_kwargs)

        with patch.object(Engine, "respond", refusing):
            yield {}
        return
    peaks = {}
    for size in (1, 16):
        restart_peak()
        generated(engine, [prompt] * size, 8)
        peaks[size] = torch.cuda.max_memory_reserved()
    limit = peaks[1] + 0.4 * (peaks[16] - peaks[1])
    restart_peak()
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.mem_get_info()[1])
    try:
        yield {"one needs GB": peaks[1] / GB, "16 need GB": peaks[16] / GB, "allowed GB": limit / GB}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def think(bench: Bench) -> Findings:
    """Tokens per second of long responses, by batch size."""
    engine = bench.engine()
    prompts = [prompt for prompt in encoded(engine, questions(12 if bench.small else None)) if prompt.has_heard_video]
    prompt = min(prompts, key=lambda prompt: prompt.tokens)
    new = 16 if bench.small else 512
    yield f"One prompt of {prompt.tokens} tokens, a short clip that is heard and a text; {new} new tokens each time."
    engine.respond([prompt], {"max_new_tokens": 4, "until": []})
    for size, asked in ((64, 64), (8, 8)):
        row: Row = {"batch size": size, "requests measured": asked}
        restart_peak()
        started = time.perf_counter()
        try:
            with utilization() as busy:
                for _ in range(asked // size):
                    engine.respond([prompt] * size, {"max_new_tokens": new, "min_new_tokens": new, "until": []})
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            yield {**row, "tokens/s": "out of memory"}
            continue
        seconds = time.perf_counter() - started
        yield {
            **row,
            "tokens/s": asked * new / seconds,
            "seconds for 64 requests": seconds * 64 / asked,
            "peak GB": peak_gb(),
            "GPU busy": mean(busy),
        }
    yield "Seconds for 64 requests are extrapolated where fewer were measured."
