"""vLLM's engine with a loaded checkpoint: prompts in, answers out, many at a time. It does not depend on lmms-eval."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from transformers import BatchFeature, GenerationConfig

from ..inputs.generation import KNOWN, cut_at, generate_arguments, stops_of
from ..inputs.senses import Outcome, Senses, local_senses, probes
from ..inputs.vllm_faults import corrected_by
from ..local.collation import IDS, MASK
from ..local.families.base import Answer, end_tokens
from ..local.loading import Loading, read_config
from ..runtime.request import PromptTooLongError
from . import mends, plugin
from .description import description
from .encoder import VllmEncoder
from .prompts import VllmPrompt
from .settings import VllmSettings
from .worker import Asked

_MOST_PROBABLE = 20
"""How many probabilities of a token vLLM tells, by default."""

_LOOKED_AGAIN = 1.0
"""Seconds after which it is looked again whether the engine's process is alive."""

KNOWN_ARGUMENTS = KNOWN - {"length_penalty", "no_repeat_ngram_size"}
"""The arguments of generation that vLLM has."""

_OF_LAUNCHERS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR",
                 "MASTER_PORT")  # fmt: skip
"""Variables of torchrun and accelerate about their own processes. An engine's processes are others."""

_TO_RAY = "VLLM_RAY_EXTRA_ENV_VARS_TO_COPY"
"""Names, separated by commas, the variables that vLLM's processes get on the nodes of Ray besides vLLM's own."""


class VllmEngine:
    """A checkpoint that vLLM has loaded, with the encoder of its prompts.

    Attributes:
        settings: The arguments of the model.
        device: The device for which vLLM was built.
        encoder: Turns messages into prompts.
        info: What a result depends on, for the results file. JSON can represent it.
        capacity: How many prompts the engine works on at once.
        corrected: The faults of vLLM that it does not have; see `inputs.vllm_faults`.
    """

    def __init__(self, settings: VllmSettings, loading: Loading) -> None:
        """Start the engine.

        Args:
            settings: The settings, which name the checkpoint.
            loading: What `plan` returned for them.

        Raises:
            ValueError: The engine cannot start, or its processes lack corrections. The message is one sentence.
        """
        self.settings = settings
        self.device = loading.device
        self.encoder = VllmEncoder(settings, loading.model_type)
        self._tokenizer = self.encoder.family.processor.tokenizer
        self._ends = end_tokens(self._tokenizer, _generation_config(settings.pretrained))
        self._engine = _start(settings, loading)
        if hasattr(self._engine.engine_core, "outputs_queue"):  # it is a process of its own
            threading.Thread(target=_say_that_it_died, args=[self._engine.engine_core], daemon=True).start()
        config = self._engine.vllm_config
        self._context = int(config.model_config.max_model_len)
        self.capacity = int(config.scheduler_config.max_num_seqs)
        self.info = description(settings, loading, self.encoder, config)
        self.corrected = corrected_by(self.info["vllm_mends"])
        self._ask_workers()

    def fitting(self, prompt: VllmPrompt) -> VllmPrompt:
        """Return the prompt unchanged if it fits into the model's context, with at least one new token.

        Raises:
            PromptTooLongError: The prompt is too long.
        """
        if prompt.tokens >= self._context:
            raise PromptTooLongError(
                f"The prompt has {prompt.tokens:,} tokens and the model's context holds {self._context:,}; "
                "fewer or smaller frames (nframes=, max_pixels=) make it shorter, max_model_len= may make it larger."
            )
        return prompt

    def add(self, name: str, prompt: VllmPrompt, generation_kwargs: Mapping[str, Any], seed: int = 0) -> None:
        """Give the engine a prompt.

        Args:
            name: Names the prompt in `step`. It must not be that of another prompt without an answer.
            prompt: The prompt. The engine's process gets a copy of its tensors.
            generation_kwargs: The arguments of generation, as a task gives them.
            seed: What a sampled answer is drawn with, below 2**63.

        Raises:
            ValueError: vLLM refuses the prompt or the arguments.
        """
        with _refusals():
            self._engine.add_request(name, self._input(prompt), self._sampling(generation_kwargs, seed))

    def step(self) -> list[tuple[str, Answer | ValueError]]:
        """Wait until the engine has made a step.

        Returns:
            The names of the prompts whose answers are complete, each with its answer, whose text may contain a stop
            string, or with the reason why vLLM gave it up.
        """
        return [(output.request_id, self._answer(output)) for output in self._engine.step() if output.finished]

    def senses(self) -> Senses:
        """Find out from the largest logarithms of probabilities which media have an effect on the model's answers.

        Raises:
            ValueError: The questions do not fit into the model's context, or vLLM refuses them.
        """
        from vllm import SamplingParams

        one_token = SamplingParams(max_tokens=1, temperature=0.0, logprobs=_MOST_PROBABLE)
        outcomes = {}
        for name, question in probes(sees=self.encoder.family.sees).items():
            prompt = self.fitting(self.encoder.prompt(question))
            with _refusals():
                self._engine.add_request(name, self._input(prompt), one_token)
            finished = [
                output for _ in iter(self._engine.has_unfinished_requests, False) for output in self._engine.step()
            ]
            (found,) = finished[-1].outputs[0].logprobs
            values = sorted((one.logprob for one in found.values()), reverse=True)
            outcomes[name] = Outcome(prompt.tokens, tuple(values[:_MOST_PROBABLE]))
        return local_senses(outcomes)

    def abort(self, names: list[str]) -> None:
        """Let the engine drop prompts without an answer."""
        self._engine.abort_request(names)

    def _ask_workers(self) -> None:
        """Make sure that all workers, which may be on other machines, have the corrections that results name."""
        wanted = {name for name, state in self.info["vllm_mends"].items() if state == "applied"}
        lacking = wanted - set.intersection(*map(set, self._engine.collective_rpc("humansense_mends")))
        if lacking:
            self.close()
            raise ValueError(
                f"Not all of vLLM's workers correct its faults ({', '.join(sorted(lacking))}): install the same "
                f"lmms-humansense on all nodes and set {mends.VARIABLE}=1 there, or give vllm_mends=off."
            )

    def close(self) -> None:
        """End the processes of the engine."""
        self._engine.engine_core.shutdown()

    def _input(self, prompt: VllmPrompt) -> Any:
        """Make what vLLM's own processor would make: token ids, the tensors of each medium, its place and identity."""
        from vllm.inputs.engine import mm_input, tokens_input
        from vllm.multimodal.inputs import MultiModalKwargsItems, PlaceholderRange

        tensors = prompt.prompt.tensors
        ids = tensors[IDS][0].tolist()
        if not prompt.media:
            return tokens_input(ids)
        processor = self._engine.renderer.get_mm_processor()
        made = BatchFeature({name: tensor for name, tensor in tensors.items() if name not in (IDS, MASK)})
        made = processor._postprocess_hf_mm_data({}, {"use_audio_in_video": prompt.prompt.has_heard_video}, made)
        items = MultiModalKwargsItems.from_hf_inputs(made, processor._get_mm_fields_config(made, {}))
        identities: dict[str, list[str]] = {}
        places: dict[str, list[PlaceholderRange]] = {}
        for medium in prompt.media:
            identities.setdefault(medium.kind, []).append(medium.identity)
            places.setdefault(medium.kind, []).append(PlaceholderRange(medium.offset, medium.length, medium.tokens))
        return mm_input(ids, items, identities, places)

    def _sampling(self, generation_kwargs: Mapping[str, Any], seed: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        stops = stops_of(generation_kwargs)
        return SamplingParams(
            **sampling_arguments(generation_kwargs, seed),
            stop=stops,
            stop_token_ids=self._ends,
            detokenize=bool(stops),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _answer(self, output: Any) -> Answer | ValueError:
        (made,) = output.outputs
        if made.finish_reason not in ("stop", "length"):
            return ValueError(f"vLLM gave the question up (finish_reason={made.finish_reason}).")
        ids = list(made.token_ids)
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        return Answer(text, len(ids), truncated=made.finish_reason == "length")


def plan(settings: VllmSettings) -> Loading:
    """Find out what is loaded, and for which device vLLM was built.

    Args:
        settings: The settings, which name the checkpoint.

    Returns:
        The checkpoint, its configuration, the device, and the arguments of vLLM's engine.

    Raises:
        ValueError: The configuration of the checkpoint cannot be read.
    """
    from vllm.platforms import current_platform

    config = read_config(settings.pretrained)
    device = torch.device(current_platform.device_type)
    on_cpu = device.type == "cpu"
    arguments = {
        "model": settings.pretrained,
        "dtype": ("float32" if on_cpu else "bfloat16") if settings.dtype == "auto" else settings.dtype,
        "quantization": settings.quantization,
        "generation_config": "vllm",  # only a task says how answers are generated
        "mm_processor_cache_gb": 0,  # media are processed once for all questions about them, before vLLM gets them
        "disable_log_stats": True,
        "worker_extension_cls": f"{Asked.__module__}.{Asked.__qualname__}",
        **({"enforce_eager": True} if on_cpu else {}),  # compiling takes minutes there
    }
    return Loading(settings.pretrained, config, device, {**arguments, **settings.engine_args})


@contextmanager
def _refusals() -> Iterator[None]:
    """Within this context, what vLLM says about a single prompt is a ValueError: its own errors are none."""
    from vllm.exceptions import VLLMClientError

    try:
        yield
    except (VLLMClientError, TypeError) as error:
        raise ValueError(f"vLLM refuses the question: {error}") from error


def sampling_arguments(generation_kwargs: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """Return the arguments of vLLM's `SamplingParams`, without those that end a response early.

    Args:
        generation_kwargs: The arguments of generation, as a task gives them.
        seed: What a sampled answer is drawn with.

    Returns:
        The arguments by name.

    Raises:
        ValueError: They ask for a search that vLLM does not have.
    """
    given = generate_arguments(generation_kwargs)
    if given["num_beams"] > 1:
        raise ValueError(f"num_beams={given['num_beams']}: engine=vllm has no beam search; engine=local has.")
    sampled = {name: given[name] for name in ("top_p", "top_k") if given[name] is not None}
    if given["do_sample"]:
        sampled["seed"] = seed
    return {
        "max_tokens": given["max_new_tokens"],
        "min_tokens": int(given.get("min_new_tokens", 0)),
        "temperature": given["temperature"] if given["do_sample"] else 0.0,
        "repetition_penalty": float(given.get("repetition_penalty", 1.0)),
        **sampled,
    }


def cut_answer(answer: Answer, generation_kwargs: Mapping[str, Any]) -> Answer:
    """Cut an answer at the first stop string. An answer with a stop string is not truncated.

    Args:
        answer: The answer.
        generation_kwargs: The arguments of generation, which name the stop strings.

    Returns:
        The answer up to the stop string.
    """
    text = cut_at(answer.text, stops_of(generation_kwargs))
    return Answer(text, answer.tokens, answer.truncated and text == answer.text)


def _start(settings: VllmSettings, loading: Loading) -> Any:
    from vllm import EngineArgs, LLMEngine

    with _environment(settings, loading.device):
        try:
            return LLMEngine.from_engine_args(EngineArgs(**loading.arguments))
        except Exception as error:  # vLLM, its processes, torch and pydantic raise errors of many types
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(
                f"vLLM cannot run pretrained={loading.pretrained}: {type(error).__name__}: {reason}"
            ) from error


def _say_that_it_died(client: Any) -> None:
    """Let `step` raise an error if the engine's process is killed. vLLM notices that, but waits on for its outputs."""
    from vllm.v1.engine.exceptions import EngineDeadError

    while not client.resources.engine_dead:
        time.sleep(_LOOKED_AGAIN)
    client.outputs_queue.put_nowait(EngineDeadError())


@contextmanager
def _environment(settings: VllmSettings, device: torch.device) -> Iterator[None]:
    """Within this context, new processes get the mends, the GPUs of this process, and no launcher's variables."""
    changes: dict[str, str | None] = {
        plugin.OWNER: str(os.getpid()),
        mends.VARIABLE: "1" if settings.vllm_mends == "on" else "0",
        _TO_RAY: ",".join(filter(None, [os.environ.get(_TO_RAY), mends.VARIABLE])),
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # this process has threads, and copies would load no plugin
    }
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and device.type == "cuda":
        changes["CUDA_VISIBLE_DEVICES"] = ",".join(own_gpus(settings, torch.cuda.device_count()))
    changes |= {name: None for name in os.environ if name in _OF_LAUNCHERS or name.startswith("TORCHELASTIC_")}
    before = {name: os.environ.get(name) for name in changes}
    _set_variables(changes)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def own_gpus(settings: VllmSettings, count: int) -> list[str]:
    """Return the GPUs of this process of several: as many for each as its engine spreads the model over.

    Args:
        settings: The settings, which say how many GPUs an engine has.
        count: How many GPUs this machine has for all of them.

    Returns:
        What `CUDA_VISIBLE_DEVICES` names.

    Raises:
        ValueError: There are too few.
    """
    parallel = [int(settings.engine_args.get(name, 1)) for name in ("tensor_parallel_size", "pipeline_parallel_size")]
    each = parallel[0] * parallel[1]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    first = int(os.environ.get("LOCAL_RANK", "0")) * each
    if len(names) < first + each:
        raise ValueError(
            f"{os.environ.get('LOCAL_WORLD_SIZE', 'several')} processes with {each} GPUs each need more than the "
            f"{len(names)} GPUs here; start fewer processes, or spread each model over fewer GPUs."
        )
    return names[first : first + each]


def _generation_config(pretrained: str) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(pretrained)
    except OSError:  # the checkpoint has none
        return GenerationConfig()
