"""Ways to ask one checkpoint the same questions: the release's loop, lmms-eval's wrapper; `bench_package` has more."""

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lmms_eval.models.simple.qwen2_5_omni as wrapper
import qwen_omni_utils
import torch
from bench_usage import cpu_seconds
from lmms_eval.api.instance import Instance
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from lmms_humansense.models.local.families.qwen2_5_omni import Qwen25Omni
from lmms_humansense.tasks.humansense import data, utils
from lmms_humansense.tasks.humansense.messages import MAX_PIXELS, frame_rate

GENERATION = {"max_new_tokens": 4, "temperature": 0, "do_sample": False, "until": []}
"""A plain answer is a letter and an end token; a random model would never stop."""

SENSES = {"wrapper": "humansense_omni"}


class System(ABC):
    """Answers docs of one task; `model_seconds` is the time that its model has worked so far."""

    name: str

    def __init__(self, model: Any) -> None:
        self.model_seconds = 0.0
        generate = model.generate

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return generate(*arguments, **options)
            finally:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self.model_seconds += time.perf_counter() - started

        model.generate = timed

    def prepare(self, docs: Any, numbers: Sequence[int]) -> None:  # noqa: B027
        """Do what comes before a round about these docs and is not measured."""

    @abstractmethod
    def answer(self, docs: Any, numbers: Sequence[int]) -> list[str]:
        """The responses to the docs of these numbers, in order."""


def measured(system: System, docs: Any, count: int) -> dict[str, float]:
    """What a system needs for its round of questions about the first `count` docs."""
    numbers = list(range(count))
    system.prepare(docs, numbers)
    cpu, model, started = cpu_seconds(), system.model_seconds, time.perf_counter()
    answers = system.answer(docs, numbers)
    seconds = time.perf_counter() - started
    assert len(answers) == count
    return {
        "samples_per_second": count / seconds,
        "cpu_seconds_per_sample": (cpu_seconds() - cpu) / count,
        "model_busy": (system.model_seconds - model) / seconds,
    }


class ReleaseLoop(System):
    """The release's loop: qwen-omni-utils, processor and generate, for one question after the other."""

    name = "release"

    def __init__(self, pretrained: Path, device: str) -> None:
        self.model = _thinker(pretrained, device)
        self.processor = Qwen2_5OmniProcessor.from_pretrained(pretrained)
        super().__init__(self.model)

    def answer(self, docs: Any, numbers: Sequence[int]) -> list[str]:
        """See `System`."""
        return [self._answer(docs[number]) for number in numbers]

    def inputs(self, doc: Any) -> Any:
        """The inputs of the model for a doc."""
        element = {"type": "video", "video": doc_path(doc), **shown(doc)}
        text = {"type": "text", "text": utils.doc_to_text(doc, SENSES)}
        conversation = [
            {"role": "system", "content": [{"type": "text", "text": Qwen25Omni.system_prompt}]},
            {"role": "user", "content": [element, text]},
        ]
        prompt = self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        audio, images, videos = qwen_omni_utils.process_mm_info(conversation, use_audio_in_video=True)
        media = {"audio": audio, "images": images, "videos": videos}
        return self.processor(text=prompt, **media, return_tensors="pt", padding=True, **sound_words())

    def _answer(self, doc: Any) -> str:
        inputs = self.inputs(doc).to(self.model.device).to(self.model.dtype)
        with torch.inference_mode():
            ids = self.model.generate(
                **inputs, use_audio_in_video=True, max_new_tokens=GENERATION["max_new_tokens"], do_sample=False
            )
        said: str = self.processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0]
        return said


class LmmsEvalWrapper(System):
    """lmms-eval's `qwen2_5_omni`, changed where it could not run otherwise.

    These are the changes: its model class needs a talker and its processor comes from the Hub, so both are replaced by
    the checkpoint's; it moves inputs to "cuda", so it gets the device; with its own frame rule a clip of 100 s has
    78,000 tokens, so it gets the benchmark's rule; and since transformers 5.23, other arguments request the sound of a
    video.
    """

    name = "lmms_eval"

    def __init__(self, pretrained: Path, device: str) -> None:
        processor = Qwen2_5OmniProcessor.from_pretrained(pretrained)
        self._shown: dict[str, dict[str, float]] = {}

        def load(*_: Any, **options: Any) -> Any:
            model = _thinker(pretrained, device, options["attn_implementation"])
            model.disable_talker = lambda: None
            generate = model.generate
            model.generate = lambda return_audio, thinker_do_sample, **arguments: generate(**arguments)
            return model

        def process(use_audio_in_video: bool, **arguments: Any) -> Any:
            return processor(**arguments, **(sound_words() if use_audio_in_video else {}))

        process.tokenizer = processor.tokenizer  # type: ignore[attr-defined]
        process.apply_chat_template = processor.apply_chat_template  # type: ignore[attr-defined]
        process.batch_decode = processor.batch_decode  # type: ignore[attr-defined]
        wrapper.Qwen2_5OmniForConditionalGeneration = SimpleNamespace(from_pretrained=load, _tp_plan=[])
        wrapper.Qwen2_5OmniProcessor = SimpleNamespace(from_pretrained=lambda *_: process)
        wrapper.process_mm_info = self._read
        self.wrapper = wrapper.Qwen2_5_Omni(pretrained=str(pretrained), device=device)
        self.wrapper.device_map = device
        super().__init__(self.wrapper._model)

    def answer(self, docs: Any, numbers: Sequence[int]) -> list[str]:
        """See `System`."""
        self.wrapper.task_dict = {"task": {"test": docs}}
        requests = []
        for number in numbers:
            doc = docs[number]
            self._shown[doc_path(doc)] = shown(doc)
            arguments = (utils.doc_to_text(doc, SENSES), dict(GENERATION), self._media, number, "task", "test")
            requests.append(request(arguments, number))
        said: list[str] = self.wrapper.generate_until(requests)
        return said

    @staticmethod
    def _media(doc: Any) -> list[str]:
        return [doc_path(doc)]

    def _read(self, messages: Any, use_audio_in_video: bool) -> Any:
        for message in messages:
            for item in message["content"]:
                if item["type"] == "video":
                    item |= self._shown[item["video"]]
        return qwen_omni_utils.process_mm_info(messages, use_audio_in_video=use_audio_in_video)


def request(arguments: tuple[Any, ...], number: int) -> Instance:
    """The instance that lmms-eval gives to a model for one question."""
    metadata = {"task": "task", "doc_id": number, "repeats": 1}
    return Instance(request_type="generate_until", arguments=arguments, idx=0, metadata=metadata)


def shown(doc: Any) -> dict[str, float]:
    """The release's rule for frames, as fields for qwen-omni-utils."""
    return {"fps": frame_rate(doc["frame_count"], doc["fps"]), "max_pixels": MAX_PIXELS}


def doc_path(doc: Any) -> str:
    """The clip of a doc."""
    return str(data.local_media(doc))


def sound_words() -> dict[str, Any]:
    """The arguments with which the installed transformers reads the sound of one video."""
    if hasattr(Qwen2_5OmniProcessor, "load_audio_from_video"):
        return {"load_audio_from_video": True, "audio_from_video_indices": [0]}
    return {"use_audio_in_video": True}


def provide_ffmpeg(folder: Path) -> None:
    """Let the release's loop and the wrapper find an ffmpeg program; they need one, and this package does not."""
    if shutil.which("ffmpeg"):
        return
    import imageio_ffmpeg

    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def _thinker(pretrained: Path, device: str, attn_implementation: str = "sdpa") -> Any:
    load = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    return load(pretrained, dtype=dtype, device_map={"": device}, attn_implementation=attn_implementation).eval()
