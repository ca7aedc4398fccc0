"""`--model humansense_omni`: an omni model that sees and hears what the messages of a task hold."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm

from .batches import Encoded, groups
from .docs import decode_sounds_without_torchcodec, with_plain_sounds
from .engine import Engine
from .generation import unknown_arguments
from .prepare import Shown
from .settings import read_model_args, read_settings

FAILURE_MARK = "[request failed]"
"""What a response starts with when there is an error instead of an answer. Tasks score these characters as failed."""

_NAMED = 10
"""How many files a line of the log names at most."""


@dataclass
class SampleCounts(TokenCounts):
    """What lmms-eval writes beside a response: tokens, and what was shown and heard."""

    shown: Shown = field(default_factory=Shown)

    def to_dict(self) -> dict[str, Any]:
        """The counts as they stand in the log of samples, under `token_counts`."""
        return {
            **super().to_dict(),
            "frames": self.shown.frames,
            "seconds_heard": round(self.shown.seconds_heard, 3),
            "seconds_present": round(self.shown.seconds_present, 3),
            "time_axis": self.shown.time_axis,
        }


@dataclass
class _Sample:
    """One request on its way: encoded, or failed, and then answered."""

    task: str
    doc_id: int
    generation_kwargs: dict[str, Any]
    encoded: Encoded | None = None
    shown: Shown = field(default_factory=Shown)
    result: GenerationResult | None = None

    def __str__(self) -> str:
        return f"{self.task} doc {self.doc_id}"


class HumanSenseOmni(lmms):
    """An omni checkpoint behind lmms-eval's chat interface.

    The arguments are the fields of `settings.Settings`, which says what they mean; `max_batch_size` is there because
    lmms-eval passes it on, and is not used. Raises ValueError for arguments or checkpoints that can not be used.
    """

    is_simple = False

    def __init__(self, pretrained: str = "", max_batch_size: int | None = None, **arguments: Any) -> None:
        super().__init__()
        self.settings = read_settings({"pretrained": pretrained, **arguments})
        self.batch_size = self.settings.batch_size
        self.engine = Engine(self.settings)
        decode_sounds_without_torchcodec()
        self._device = self.engine.device
        self._model_info = {
            **self.engine.info,
            "versions": {"lmms_eval": version("lmms_eval"), **self.engine.info["versions"]},
        }
        self._time_axes: defaultdict[str, set[str]] = defaultdict(set)
        self._ignored: set[str] = set()
        self._freed = False
        self.failures: list[tuple[str, str]] = []
        self.remarks: defaultdict[str, set[str]] = defaultdict(set)

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> "HumanSenseOmni":
        """The model that `--model_args` describe.

        Bad arguments end the run with status 1 and one sentence: lmms-eval would print where an exception was raised,
        and end with status 0.
        """
        try:
            beside = {name for name, value in (additional_config or {}).items() if value is not None}
            read_model_args(arg_string, beside)
            return super().create_from_arg_string(arg_string, additional_config)
        except ValueError as error:
            raise SystemExit(f"HumanSense: {error}") from error

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._device

    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on: checkpoint, versions, every setting, and the time axis that each task got."""
        axes = {task: "/".join(sorted(found)) for task, found in sorted(self._time_axes.items())}
        return {**self._model_info, "time_axis_of_tasks": axes}

    def generate_until(self, requests: list[Instance]) -> Iterator[GenerationResult]:
        """Yield the response to each request, in order, as soon as its batch is ready.

        A request that fails yields the failure mark and the reason; all failures are logged at the end. Raises
        RuntimeError after `clean`.
        """
        if self._freed:
            raise RuntimeError("This model was freed at the end of a run; make a new one for another.")
        self.failures.clear()
        self.remarks.clear()
        size = self.settings.batch_size
        try:
            with tqdm(total=len(requests), desc="Model Responding", disable=self.rank != 0) as progress:
                for start in range(0, len(requests), size):
                    for result in self._answer(requests[start : start + size]):
                        progress.update()
                        yield result
        finally:
            self._log_summary(len(requests))

    def clean(self) -> None:
        """Free the model's memory; nothing is asked after this."""
        self._freed = True
        del self.engine
        super().clean()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni generates text; tasks that need log-likelihoods are not supported.")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni answers single rounds; multi-round tasks are not supported.")

    def _answer(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """The results of a window of requests, answered in as few batches as may be."""
        samples = [self._encoded(request) for request in requests]
        waiting = [sample for sample in samples if sample.result is None]
        for alike in _by_generation(waiting):
            for group in groups([sample.encoded for sample in alike if sample.encoded is not None]):
                self._generate([alike[number] for number in group])
        return [sample.result for sample in samples if sample.result is not None]

    def _encoded(self, request: Instance) -> _Sample:
        _, doc_to_messages, generation_kwargs, doc_id, task, split = request.args
        sample = _Sample(task, doc_id, generation_kwargs)
        self._warn_of_ignored(task, generation_kwargs)
        try:
            doc = with_plain_sounds(self.task_dict[task][split][doc_id])
            prepared = self.engine.prepare(doc_to_messages(doc))
            sample.shown = prepared.shown
            sample.encoded = self.engine.encode(prepared)
            self._note(sample, prepared.remarks)
        # Whatever is wrong with one sample must not cost the others; it is counted, never scored as an answer.
        except Exception as error:
            self._fail(sample, error)
        return sample

    def _generate(self, samples: Sequence[_Sample]) -> None:
        """Answer one batch; should it fail, its samples are asked one by one, so that only the culprit fails."""
        encoded = [sample.encoded for sample in samples if sample.encoded is not None]
        try:
            said = self.engine.respond(encoded, samples[0].generation_kwargs)
        except Exception as error:
            if len(samples) == 1:
                self._fail(samples[0], error)
                return
            logger.warning("A batch of {} failed ({}); its samples are asked one by one.", len(samples), error)
            for sample in samples:
                self._generate([sample])
            return
        for sample, (text, tokens), inputs in zip(samples, said, encoded, strict=True):
            sample.result = GenerationResult(text, SampleCounts(inputs.tokens, tokens, shown=sample.shown))

    def _fail(self, sample: _Sample, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        logger.opt(exception=error).debug("{} failed", sample)
        self.failures.append((str(sample), reason))
        sample.result = GenerationResult(f"{FAILURE_MARK} {reason}", SampleCounts(shown=sample.shown))

    def _note(self, sample: _Sample, remarks: Sequence[tuple[str, str]]) -> None:
        """Log what a sample shows, and keep for the end of the run what is shown otherwise than asked."""
        shown, tokens = sample.shown, sample.encoded.tokens if sample.encoded else 0
        logger.debug(
            "{}: {} frames, {:.1f} of {:.1f} s heard, {} prompt tokens, time axis {}",
            sample, shown.frames, shown.seconds_heard, shown.seconds_present, tokens, shown.time_axis,
        )  # fmt: skip
        if shown.time_axis:
            self._time_axes[sample.task].add(shown.time_axis)
        for what, file in remarks:
            self.remarks[what].add(file)

    def _warn_of_ignored(self, task: str, generation_kwargs: dict[str, Any]) -> None:
        for name in unknown_arguments(generation_kwargs):
            if name not in self._ignored:
                self._ignored.add(name)
                logger.warning("{} sets {} in generation_kwargs, which has no effect here.", task, name)

    def _log_summary(self, asked: int) -> None:
        for what, files in self.remarks.items():
            more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
            logger.warning("{}: {}{}", what, ", ".join(sorted(files)[:_NAMED]), more)
        if not self.failures:
            return
        logger.error("{} of {} requests failed and count as failed, not as answers:", len(self.failures), asked)
        reasons = Counter(reason for _, reason in self.failures)
        for reason, count in reasons.most_common():
            first = next(sample for sample, its_reason in self.failures if its_reason == reason)
            logger.error("  {} × {} (first: {})", count, reason, first)


def _by_generation(samples: Sequence[_Sample]) -> list[list[_Sample]]:
    """The samples, grouped by what generation is asked for."""
    alike: dict[str, list[_Sample]] = {}
    for sample in samples:
        alike.setdefault(repr(sorted(sample.generation_kwargs.items(), key=str)), []).append(sample)
    return list(alike.values())
