"""The base of the models that lmms-eval sees: it answers requests in order, and counts and lists failures."""

import textwrap
import weakref
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm

from .caching.response_cache import AnswerCache
from .inputs.docs import ClipNames, decode_audio_without_torchcodec, with_decoded_audio
from .inputs.generation import KNOWN, arguments_used, check_arguments, unknown_arguments
from .inputs.policy import system_prompt_text
from .inputs.stats import MediaStats
from .runtime.arguments import read_model_args
from .runtime.failures import Failure, summary
from .runtime.fetching import MessageReader
from .runtime.known_answers import KnownAnswers
from .runtime.lazy import LazySequence
from .runtime.ledger import AnswerStore, Ledger
from .runtime.progress import Progress
from .runtime.request import Request, RequestEncoder, Response, in_order
from .runtime.settings import RunSettings
from .runtime.signals import RunStopped, SigtermGuard, Terminated
from .runtime.worker_pool import WorkerPool, worker_count

FAILURE_MARK = "[request failed]"
"""The start of a response that holds an error instead of an answer. Tasks score a response with this mark as failed."""

COMPLETE_MARK, TRUNCATED_MARK = "[response complete]", "[response truncated]"
"""The start of a response by which a model says how it ended. It is sent only to tasks that take it off again."""

_ENDS_COLUMN = "ends"
"""The column of docs whose task takes these marks off before it scores."""

_PADDING = "__padding_only__"
"""lmms-eval's key in the metadata of a request that only gives all processes equally many: it is never scored."""

_MAX_FILES = 10
"""How many files a line of the log names at most."""

_LONGEST_PROMPT = 80
"""How many characters of a system prompt a line of the log shows at most."""


class PromptedReader(MessageReader, Protocol):
    """A reader that puts a system prompt before conversations without one.

    Attributes:
        system_prompt: The text; None for the one of the chat template.
    """

    system_prompt: str | None


@dataclass
class SampleCounts(TokenCounts):
    """What lmms-eval writes beside a response: token counts, how much was shown and heard, and how it ended.

    Attributes:
        stats: How much of its media the model was shown.
        truncated: Whether the response was cut off; None if that is not known, and for a failed request.
        reasoning: What the model thought, if a server sends it beside the response.
    """

    stats: MediaStats = field(default_factory=MediaStats)
    truncated: bool | None = None
    reasoning: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The counts as lmms-eval writes them into the log of samples, under `token_counts`."""
        return {
            **super().to_dict(),
            "frames": self.stats.frames,
            "seconds_heard": round(self.stats.seconds_heard, 3),
            "seconds_present": round(self.stats.seconds_present, 3),
            "time_axis": self.stats.time_axis,
            "truncated": self.truncated,
            **({"vllm_faults": list(self.stats.vllm_faults)} if self.stats.vllm_faults else {}),
            **({"reasoning": self.reasoning} if self.reasoning else {}),
        }


class ChatModel(lmms):
    """The base of a model behind lmms-eval's chat interface. A subclass defines how requests are answered.

    Args:
        settings: How many requests may fail, how long decoding may take, and how many workers there are.

    Attributes:
        settings: See above.
        response_cache_class: The response cache of this model, for a release of lmms-eval that asks models for it.
        known_arguments: The names of `generation_kwargs` that have an effect.
        failures: The failed requests of the last run.
        remarks: The remarks of the last run, each with the files that it is about.
        truncated: How many responses of the last run were cut off, by task.
        system_prompt: The system prompt of the last run, or of the next one if there was none yet.
        on_progress: Called after each response with the state of the run; None for no calls.
    """

    is_simple = False
    on_progress: Callable[[Progress], Any] | None = None
    settings: RunSettings
    response_cache_class = AnswerCache
    known_arguments = KNOWN

    def __init__(self, settings: RunSettings) -> None:
        super().__init__()
        self.settings = settings
        decode_audio_without_torchcodec()
        self._time_axes: defaultdict[str, set[str]] = defaultdict(set)
        self._generation: dict[str, dict[str, Any]] = {}
        self._ignored: set[str] = set()
        self._reads_ends: dict[str, bool] = {}
        self._cleaned = False
        self._system_instruction: str | None = None
        self._own_system_prompt: str | None = None
        self.system_prompt: str | None = None
        self.failures: list[Failure] = []
        self.remarks: defaultdict[str, set[str]] = defaultdict(set)
        self.truncated: Counter[str] = Counter()
        self._media_workers = 0
        self._workers: WorkerPool | None = None

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> Any:
        """Make the model that `--model_args` describes.

        Args:
            arg_string: The value of `--model_args`: `name=value`, separated by commas; see `read_model_args`.
            additional_config: Arguments from lmms-eval's own options, such as `--batch_size`.

        Returns:
            The model.

        Raises:
            SystemExit: An argument cannot be used. The status is 1 and the message one sentence, because lmms-eval
                would print a traceback for an ordinary exception, and end with status 0.
        """
        try:
            beside = {name: value for name, value in (additional_config or {}).items() if value is not None}
            return cls(**read_model_args(arg_string, beside), **beside)
        except ValueError as error:
            raise SystemExit(f"HumanSense: {error}") from error

    @property
    @abstractmethod
    def reader(self) -> PromptedReader:
        """Reads the messages of requests."""

    @abstractmethod
    def get_model_info(self) -> dict[str, Any]:
        """What the results depend on, in a form that JSON can hold."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What answers to equal conversations depend on, in a form that JSON can hold. Equal for equal models."""

    @abstractmethod
    def respond(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """Answer requests. Without requests, it starts and loads nothing.

        Args:
            requests: The requests of the run, without those that `KnownAnswers` has answered.
            ledger: Records the outcome of each request.
            guard: Ends the run after SIGTERM.
            on_response: Called for each response as soon as it comes, in any order.

        Yields:
            The response to every request, in order.

        Raises:
            RunStopped: The settings do not allow this many failures, or answers cannot be written.
            Terminated: The process got SIGTERM.
        """

    @property
    def busy(self) -> float | None:
        """The share of this run in which the model worked, from 0 to 1; None if that is not known."""
        return None

    @property
    def time_axes(self) -> dict[str, str]:
        """The time axis of the videos of each task: "release", "true", "mixed", or several of them joined by "/"."""
        return {task: "/".join(sorted(found)) for task, found in sorted(self._time_axes.items())}

    @property
    def generation_of_tasks(self) -> dict[str, dict[str, Any]]:
        """How responses were generated, by task: what was done, not what was asked for."""
        return dict(sorted(self._generation.items()))

    def use_system_instruction(self, instruction: str | None) -> None:
        """Take lmms-eval's `--system_instruction` as the system prompt of the following runs.

        Args:
            instruction: A text, or the path of a text file, as for the argument `system_prompt`. None means none.

        Raises:
            SystemExit: It is empty, or `system_prompt` is given as well.
        """
        if instruction is None:
            self._system_instruction = None
            return
        if self.settings.system_prompt is not None:
            raise SystemExit("HumanSense: system_prompt= and --system_instruction are the same; give one of them.")
        try:
            self._system_instruction = system_prompt_text(instruction, "--system_instruction")
        except ValueError as error:
            raise SystemExit(f"HumanSense: {error}") from error

    def generate_until(
        self, requests: list[Instance], answers: AnswerStore | None = None
    ) -> Sequence[GenerationResult]:
        """Answer requests. All failures are logged at the end. After `clean`, the model is loaded again.

        Args:
            requests: The requests of lmms-eval.
            answers: Stores new answers, and has those of earlier runs, whose requests are not asked again. None if
                answers are not kept.

        Returns:
            The response to each request, in order. A response is made when it is taken for the first time, with all
            before it. Then a RunStopped may be raised: the settings do not allow this many failures, answers cannot be
            written, or the process got SIGTERM. The text of a failed request is the failure mark and the reason. Where
            a task takes marks off, that of another request begins with the mark of how it ended, if that is known.

        Raises:
            SystemExit: The arguments of generation of a task cannot be used, or its messages are missing.
        """
        asked = [request for request in requests if not _is_padding(request)]
        if self._cleaned:
            self._begin_again()
        self._read_generation(asked)
        self._read_system_prompt()
        ledger = Ledger(self.settings, len(asked), answers)
        self.failures = ledger.failures
        self.remarks.clear()
        self.truncated.clear()
        return LazySequence(len(requests), self._all_results(requests, asked, ledger))

    def _begin_again(self) -> None:
        """Forget the last run. Called before the first requests after `clean`."""
        self._cleaned = False
        self.system_prompt = self._own_system_prompt
        self._time_axes.clear()
        self._generation.clear()

    def _read_generation(self, instances: Sequence[Instance]) -> None:
        """Check and record how each task wants its responses generated, before anything is asked."""
        known: set[tuple[str, str]] = set()
        for instance in instances:
            _, doc_to_messages, generation_kwargs, _, task, _ = instance.args
            if not callable(doc_to_messages):  # lmms-eval leaves functions out when it pickles requests
                raise SystemExit(
                    f"HumanSense: the requests of {task} have no messages, because --cache_requests loses those of "
                    "chat models; leave it out."
                )
            if (task, repr(generation_kwargs)) in known:
                continue
            known.add((task, repr(generation_kwargs)))
            try:
                check_arguments(generation_kwargs, self.known_arguments)
            except ValueError as error:
                raise SystemExit(f"HumanSense: generation_kwargs of {task}: {error}") from error
            self._generation[task] = arguments_used(generation_kwargs, self.known_arguments)
            self._warn_of_ignored(task, generation_kwargs)

    def _read_system_prompt(self) -> None:
        """Give the reader the system prompt of this run."""
        before = self.system_prompt
        self.system_prompt = self._own_system_prompt if self._system_instruction is None else self._system_instruction
        self.reader.system_prompt = self.system_prompt
        if self._system_instruction is not None and before != self.system_prompt:
            own = self._own_system_prompt
            logger.warning(
                "--system_instruction is the system message of this run, in place of {}. The release leaves "
                "Qwen2.5-Omni's own message, so scores are not comparable with the paper's.",
                "the chat template's own" if own is None else repr(textwrap.shorten(own, _LONGEST_PROMPT)),
            )

    def _all_results(
        self, requests: Sequence[Instance], asked: list[Instance], ledger: Ledger
    ) -> Iterator[GenerationResult]:
        """The results of all requests, in order. What is left of the run is logged at its end, however it ends."""
        stopped = None
        try:
            responses = self._responses(asked, ledger)
            for request in requests:
                yield GenerationResult("") if _is_padding(request) else next(responses)
            yield from responses  # run it to its end, so that its `finally` blocks run
        except RunStopped as ending:
            stopped = ending
            raise
        finally:
            self._log_summary(len(asked))
            if stopped is not None:
                logger.bind(said_at_end=True).error("{}", stopped.reason)

    def _responses(self, requests: list[Instance], ledger: Ledger) -> Iterator[GenerationResult]:
        """The responses to requests, in order."""
        bar = tqdm(total=len(requests), desc="Model Responding", disable=self.rank != 0)
        done = 0  # a disabled bar does not count

        def tell() -> None:
            if self.on_progress is not None:
                counts = (len(ledger.failures), self.truncated.total(), ledger.recalled, ledger.stored)
                self.on_progress(Progress(done, len(requests), *counts, self.busy))

        def on_response() -> None:
            nonlocal done
            done += 1
            bar.update()
            tell()

        with SigtermGuard() as guard, bar:
            tell()
            try:
                for response in self._answered(self._requests(requests), ledger, guard, on_response):
                    yield self._result(response)
                tell()
            except Terminated:
                raise RunStopped(f"The run was ended by SIGTERM. {ledger.how_to_go_on()}") from None

    def _answered(
        self, requests: Sequence[Request], ledger: Ledger, guard: SigtermGuard, on_response: Callable[[], Any]
    ) -> Iterator[Response]:
        """The responses to requests, in order: those of earlier runs, until the model has to be asked."""
        known = KnownAnswers(self.reader, ledger, guard)

        def made() -> Iterator[Response]:
            failed = 0
            for response in known.responses(requests, on_response):
                failed += bool(response.error)
                yield response
            if requests and not known.left:
                logger.info("{}", _nothing_asked(len(requests), failed))
            yield from self.respond(known.left, ledger, guard, on_response)

        yield from in_order(requests, made())

    def start_workers(self, make_encoder: Callable[[], RequestEncoder], device: torch.device | None) -> None:
        """Start the processes that prepare media, if the settings ask for some and none are running.

        Args:
            make_encoder: Makes the encoder of the workers; see `WorkerPool`.
            device: The device of the model; None if the model is not on this machine.

        Raises:
            ValueError: The settings ask for workers, and this system cannot have them.
        """
        self._media_workers = worker_count(self.settings, device)
        if self._media_workers and (self._workers is None or self._workers.closed):
            self._workers = WorkerPool(make_encoder, self._media_workers, self.settings.media_timeout)
            weakref.finalize(self, self._workers.close)  # also at the end of the program

    def clean(self) -> None:
        """End the workers. The next requests start them again."""
        self._cleaned = True
        if self._workers is not None:
            self._workers.close()
        super().clean()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Refuse log-likelihoods.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"{type(self).__name__} generates text; tasks that need log-likelihoods are not supported."
        )

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Refuse several rounds.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{type(self).__name__} answers single rounds; multi-round tasks are not supported.")

    def _requests(self, instances: Sequence[Instance]) -> list[Request]:
        clips = ClipNames(self.task_dict)
        return [self._request(instance, clips) for instance in instances]

    def _request(self, instance: Instance, clips: ClipNames) -> Request:
        _, doc_to_messages, generation_kwargs, doc_id, task, split = instance.args
        docs = self.task_dict[task][split]
        self._reads_ends[task] = _ENDS_COLUMN in (getattr(docs, "features", None) or {})

        def messages() -> list[dict[str, Any]]:
            made: list[dict[str, Any]] = doc_to_messages(with_decoded_audio(docs[doc_id]))
            return made

        return Request(task, doc_id, generation_kwargs, messages, clip=clips.of(task, split, doc_id))

    def _result(self, response: Response) -> GenerationResult:
        """Turn a response into lmms-eval's. Remarks are collected for the end of the run."""
        stats = response.stats
        if response.text is None:
            counts = SampleCounts(stats=stats, reasoning=response.reasoning)
            return GenerationResult(f"{FAILURE_MARK} {response.error}", counts)
        logger.debug(
            "{}: {} frames, {:.1f} of {:.1f} s heard, {} prompt tokens, time axis {}, truncated: {}",
            response.request, stats.frames, stats.seconds_heard, stats.seconds_present, response.input_tokens,
            stats.time_axis, response.truncated,
        )  # fmt: skip
        if stats.time_axis:
            self._time_axes[response.request.task].add(stats.time_axis)
        for remark, file in response.remarks:
            self.remarks[remark].add(file)
        self.truncated[response.request.task] += response.truncated is True
        counts = SampleCounts(
            response.input_tokens,
            response.output_tokens,
            stats=stats,
            truncated=response.truncated,
            reasoning=response.reasoning,
        )
        return GenerationResult(self._marked(response, response.text), counts)

    def _marked(self, response: Response, text: str) -> str:
        """The text with the mark of how it ended, if this is known and the task takes marks off."""
        if response.truncated is None or not self._reads_ends.get(response.request.task):
            return text
        return f"{TRUNCATED_MARK if response.truncated else COMPLETE_MARK} {text}"

    def _warn_of_ignored(self, task: str, generation_kwargs: dict[str, Any]) -> None:
        for name in unknown_arguments(generation_kwargs, self.known_arguments):
            if name not in self._ignored:
                self._ignored.add(name)
                logger.warning("{} sets {} in generation_kwargs, which has no effect here.", task, name)

    def _log_summary(self, asked: int) -> None:
        for remark, files in self.remarks.items():
            more = f" and {len(files) - _MAX_FILES} more" if len(files) > _MAX_FILES else ""
            logger.warning("{}: {}{}", remark, ", ".join(sorted(files)[:_MAX_FILES]), more)
        if self.truncated.total():
            logger.bind(said_at_end=True).warning(
                "{} of {} responses are truncated, because they reached max_new_tokens: {}",
                self.truncated.total(), asked,
                ", ".join(f"{task} {count}" for task, count in sorted(self.truncated.items()) if count),
            )  # fmt: skip
        if not self.failures:
            return
        logger.error("{} of {} requests failed and count as failed, not as answers:", len(self.failures), asked)
        for line in summary(self.failures):
            logger.error("  {}", line)


def _nothing_asked(count: int, failed: int) -> str:
    """Say of a run that its model was not needed. Some of its questions may have failed before they could be asked."""
    if not failed:
        return f"Nothing was asked: earlier runs have all {count} answers."
    return f"Nothing was asked: earlier runs have {count - failed} of {count} answers, and the others cannot be asked."


def _is_padding(request: Instance) -> bool:
    return bool((request.metadata or {}).get(_PADDING))
