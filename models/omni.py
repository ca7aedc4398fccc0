"""`--model humansense_omni`: an omni model that sees and hears what the messages of a task hold."""

import weakref
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm

from .answering import Answering
from .docs import ClipNames, decode_sounds_without_torchcodec, with_plain_sounds
from .engine import Engine
from .failures import Failure, summary
from .generation import unknown_arguments
from .ledger import Answers, RunLedger
from .loading import plan
from .prepare import Shown
from .samples import Sample
from .settings import read_model_args, read_settings
from .stopping import Halt, RunStopped, Terminated
from .workers import MediaWorkers, workers_for

FAILURE_MARK = "[request failed]"
"""What a response starts with when there is an error instead of an answer. Tasks score these characters as failed."""

_PADDING = "__padding_only__"
"""What lmms-eval writes into the metadata of a request that only makes processes do equally many: never scored."""

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
        loading = plan(self.settings)
        self._media_workers = workers_for(self.settings, loading.device)
        self._workers: MediaWorkers | None = None
        self._hire(loading.model_type)  # before the weights, so that they load at the same time
        self.engine = Engine(self.settings, loading)
        decode_sounds_without_torchcodec()
        self._device = self.engine.device
        self._model_info = {
            **self.engine.info,
            "media_workers": self._media_workers,
            "versions": {"lmms_eval": version("lmms_eval"), **self.engine.info["versions"]},
        }
        self._effort: dict[str, float] = {}
        self._time_axes: defaultdict[str, set[str]] = defaultdict(set)
        self._ignored: set[str] = set()
        self._freed = False
        self.failures: list[Failure] = []
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
        return {**self._model_info, "time_axis_of_tasks": axes, "effort": self._effort}

    def identity(self) -> dict[str, Any]:
        """What tells this model's answers from those of others; see `Engine.identity`."""
        return self.engine.identity()

    def generate_until(self, requests: list[Instance], answers: Answers | None = None) -> Iterator[GenerationResult]:
        """Yield the response to each request, in order, as soon as it and those before it are there.

        A request whose answer is among `answers` is not asked again, and new ones are kept there. One that fails yields
        the failure mark and the reason; all failures are logged at the end. Raises RunStopped where the settings allow
        no more of them, where answers can not be kept, and after SIGTERM; RuntimeError after `clean`.
        """
        if self._freed:
            raise RuntimeError("This model was freed at the end of a run; make a new one for another.")
        asked = [request for request in requests if not _is_padding(request)]
        self._hire(self.engine.encoder.model_type)
        ledger = RunLedger(self.settings, len(asked), answers)
        self.failures = ledger.failures
        self.remarks.clear()
        stopped = None
        try:
            given = self._given(asked, ledger)
            for request in requests:
                yield GenerationResult("") if _is_padding(request) else next(given)
            yield from given  # to its end: nothing comes any more
        except RunStopped as ending:
            stopped = ending
            raise
        finally:
            self._log_summary(len(asked))
            if stopped is not None:
                logger.error("{}", stopped.reason)

    def _given(self, requests: list[Instance], ledger: RunLedger) -> Iterator[GenerationResult]:
        """The responses to requests, in their order."""
        with Halt() as halt, tqdm(total=len(requests), desc="Model Responding", disable=self.rank != 0) as progress:
            answering = Answering(self.engine, self._workers, self._media_workers, ledger, halt)
            try:
                for sample in answering.run(self._samples(requests), progress.update):
                    yield self._result(sample)
            except Terminated:
                raise RunStopped(f"The run was ended by SIGTERM. {ledger.how_to_go_on()}") from None
            finally:
                self._note_effort(answering, ledger)

    def _note_effort(self, answering: Answering, ledger: RunLedger) -> None:
        effort = answering.effort
        self._effort = {
            "model_seconds": round(effort.model, 3),
            "seconds_waited_for_media": round(effort.waiting, 3),
            "batches": effort.padding.batches,
            "batch_size": answering.batch_size,
            "padding": round(effort.padding.share, 4),
            "answers_of_earlier_runs": ledger.recalled,
        }
        logger.info("The model worked {:.0%} of the time, and waited for media the rest.", effort.busy)
        padding = effort.padding
        logger.info("{:.1%} of the prompt tokens of {} batches were padding.", padding.share, padding.batches)

    def clean(self) -> None:
        """Free the model's memory and end the workers; nothing is asked after this."""
        self._freed = True
        if self._workers is not None:
            self._workers.close()
        del self.engine
        super().clean()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni generates text; tasks that need log-likelihoods are not supported.")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni answers single rounds; multi-round tasks are not supported.")

    def _hire(self, model_type: str) -> None:
        """Have the workers started, if there are to be any and they are not there."""
        if self._media_workers and (self._workers is None or self._workers.closed):
            self._workers = MediaWorkers(self.settings, model_type)
            weakref.finalize(self, self._workers.close)  # also at the end of the program

    def _samples(self, requests: Sequence[Instance]) -> list[Sample]:
        clips = ClipNames(self.task_dict)
        return [self._sample(request, clips) for request in requests]

    def _sample(self, request: Instance, clips: ClipNames) -> Sample:
        _, doc_to_messages, generation_kwargs, doc_id, task, split = request.args
        self._warn_of_ignored(task, generation_kwargs)
        docs = self.task_dict[task][split]

        def messages() -> list[dict[str, Any]]:
            made: list[dict[str, Any]] = doc_to_messages(with_plain_sounds(docs[doc_id]))
            return made

        return Sample(task, doc_id, generation_kwargs, messages, clip=clips.of(task, split, doc_id))

    def _result(self, sample: Sample) -> GenerationResult:
        """What lmms-eval gets for a sample; remarks are kept for the end of the run."""
        shown = sample.shown
        if sample.response is None:
            return GenerationResult(f"{FAILURE_MARK} {sample.reason}", SampleCounts(shown=shown))
        logger.debug(
            "{}: {} frames, {:.1f} of {:.1f} s heard, {} prompt tokens, time axis {}",
            sample, shown.frames, shown.seconds_heard, shown.seconds_present, sample.tokens, shown.time_axis,
        )  # fmt: skip
        if shown.time_axis:
            self._time_axes[sample.task].add(shown.time_axis)
        for what, file in sample.remarks:
            self.remarks[what].add(file)
        text, tokens = sample.response
        return GenerationResult(text, SampleCounts(sample.tokens, tokens, shown=shown))

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
        for line in summary(self.failures):
            logger.error("  {}", line)


def _is_padding(request: Instance) -> bool:
    return bool((request.metadata or {}).get(_PADDING))
