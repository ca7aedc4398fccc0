"""`--model humansense_omni`: an omni model that sees and hears what the messages of a task hold."""

import difflib
import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm
from transformers import PretrainedConfig

from .conversation import Conversation, Text, Turn, read_messages
from .families import family_of
from .generation import cut_at, generate_arguments
from .prepare import prepare

FAILURE_MARK = "[request failed]"
"""What a response starts with when there is an error instead of an answer. Tasks score these characters as failed."""

ARGUMENTS = ("pretrained", "device", "dtype", "attn_implementation", "system_prompt", "batch_size")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class HumanSenseOmni(lmms):
    """An omni checkpoint behind lmms-eval's chat interface.

    Arguments: `pretrained` is a folder or a Hub name, `device` "cuda", "mps", "cpu" or "auto", `dtype` "auto",
    "bfloat16", "float16" or "float32", `attn_implementation` "auto" or what transformers knows, `system_prompt` a
    text or the path of a text file instead of the family's own. Requests are answered one at a time, whatever
    `batch_size` is. Raises ValueError for arguments or checkpoints that can not be used.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str,
        device: str | None = None,
        dtype: str = "auto",
        attn_implementation: str = "auto",
        system_prompt: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        _refuse_unknown(unknown)
        self.batch_size = batch_size
        self._device = _device(device)
        self.dtype = _dtype(dtype, self._device)
        attention = _attention(attn_implementation, self._device, self.dtype)
        family = family_of(_model_type(pretrained))
        self.system_prompt = self._resolve_system_prompt(system_prompt) if system_prompt else family.system_prompt
        self.family = family(pretrained, self._device, self.dtype, attention)
        self.failures: list[tuple[str, str]] = []
        self.soundless: set[str] = set()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._device

    def generate_until(self, requests: list[Instance]) -> Iterator[str]:
        """Yield the response to each request, in order, as it is ready.

        A request that fails yields the failure mark and the reason; all failures are logged at the end.
        """
        try:
            for request in tqdm(requests, desc="Model Responding", disable=self.rank != 0):
                yield self._respond(request)
        finally:
            self._log_summary(len(requests))

    def clean(self) -> None:
        """Free the model's memory; nothing is asked after this."""
        del self.family
        super().clean()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni generates text; tasks that need log-likelihoods are not supported.")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: raises NotImplementedError."""
        raise NotImplementedError("humansense_omni answers single rounds; multi-round tasks are not supported.")

    def _respond(self, request: Instance) -> str:
        _, doc_to_messages, generation_kwargs, doc_id, task, split = request.args
        try:
            messages = doc_to_messages(self.task_dict[task][split][doc_id])
            return self._answer(read_messages(messages), generation_kwargs)
        # Whatever is wrong with one sample must not cost the others; it is counted, never scored as an answer.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            logger.opt(exception=True).debug("{} doc {} failed", task, doc_id)
            self.failures.append((f"{task} doc {doc_id}", reason))
            return f"{FAILURE_MARK} {reason}"

    def _answer(self, conversation: Conversation, generation_kwargs: dict[str, Any]) -> str:
        prepared = prepare(self._with_system_prompt(conversation), self.family.frame_factor)
        self.soundless.update(prepared.soundless)
        inputs = self.family.encode(prepared)
        with torch.inference_mode():
            said = self.family.generate(inputs, prepared.interleaved, generate_arguments(generation_kwargs))
        return cut_at(said, generation_kwargs.get("until"))

    def _with_system_prompt(self, conversation: Conversation) -> Conversation:
        if conversation and conversation[0].role == "system":
            return conversation
        return (Turn("system", (Text(self.system_prompt),)), *conversation)

    def _log_summary(self, asked: int) -> None:
        if self.soundless:
            logger.warning(
                "{} clips have no sound track and were shown without sound: {}.",
                len(self.soundless),
                ", ".join(sorted(self.soundless)),
            )
        if not self.failures:
            return
        logger.error("{} of {} requests failed and count as failed, not as answers:", len(self.failures), asked)
        reasons = Counter(reason for _, reason in self.failures)
        for reason, count in reasons.most_common():
            first = next(sample for sample, its_reason in self.failures if its_reason == reason)
            logger.error("  {} × {} (first: {})", count, reason, first)


def _refuse_unknown(unknown: dict[str, Any]) -> None:
    if not unknown:
        return
    name = sorted(unknown)[0]
    near = difflib.get_close_matches(name, ARGUMENTS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"humansense_omni has no argument {name!r}.{hint} It takes {', '.join(ARGUMENTS)}.")


def _model_type(pretrained: str) -> str:
    try:
        # The bare dictionary: building the configuration object warns of token ids of a talker that is not loaded.
        return str(PretrainedConfig.get_config_dict(pretrained)[0].get("model_type"))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"pretrained={pretrained} is no checkpoint that can be read: {reason}") from error


def _device(name: str | None) -> torch.device:
    if name and name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        # The released weights are bfloat16; a CPU is slow in it, and MPS lacks kernels.
        return {"cuda": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)
    if name not in DTYPES:
        raise ValueError(f"dtype={name} is not known; use auto, {', '.join(DTYPES)}.")
    return DTYPES[name]


def _attention(name: str, device: torch.device, dtype: torch.dtype) -> str:
    if name != "auto":
        return name
    flash = importlib.util.find_spec("flash_attn") is not None
    return "flash_attention_2" if flash and device.type == "cuda" and dtype != torch.float32 else "sdpa"
