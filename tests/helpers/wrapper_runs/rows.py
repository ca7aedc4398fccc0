"""The wrappers of lmms-eval 0.7.3 that are run here, and what has to arrive through each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from lmms_humansense.tasks.humansense.taxonomy import BY_CODE, TASKS, VIDEO

Source = Literal["checkpoint", "stand-in", "server"]
"""What answers: a tiny checkpoint of the family, a recording stand-in for the model's own code, a recording server."""


class Clip(NamedTuple):
    """The first question's medium of a task in the embedded sample: frames, their rate, samples of sound at 16 kHz."""

    frames: int
    rate: float
    samples: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


CLIPS = {
    "AR": Clip(80, 20, 64273), "ER": Clip(96, 24, 64171), "GR": Clip(100, 25, 0), "PA": Clip(100, 25, 0),
    "AC": Clip(100, 25, 0), "CM": Clip(240, 29.97, 0), "HC": Clip(240, 24, 0), "TR": Clip(285, 30, 152576),
    "FR1": Clip(275, 25, 176128), "FR2": Clip(0, 1, 275768), "LD": Clip(625, 25, 0), "RR1": Clip(375, 25, 240640),
    "RR2": Clip(330, 29.97, 176128), "ES": Clip(240, 20, 192512), "PC": Clip(0, 1, 185280),
}  # fmt: skip

Rule = Callable[[Clip], int]
"""From a clip to the number of frames that a model gets."""


def evenly(count: int) -> Rule:
    """This many frames of every clip."""
    return lambda clip: count


def qwen(rate: float, most: int = 768) -> Rule:
    """qwen_vl_utils' rule: so many frames a second, an even number, at least 4 and at most `most`."""
    return lambda clip: max(4, min(most, 2 * math.floor(clip.seconds * rate / 2 + 1e-6)))


def every_second(most: int) -> Rule:
    """A frame at the beginning of each second, at most `most`."""
    return lambda clip: min(most, math.ceil(clip.frames / round(clip.rate)))


def none(clip: Clip) -> int:
    """No frames: the wrapper hands the clip over, or there is none."""
    return 0


VIDEO_CODES = tuple(task.code for task in VIDEO)
AUDIO_CODES = tuple(task.code for task in TASKS if task.is_audio)
ALL_CODES = tuple(task.code for task in TASKS)
SOUND_CODES = tuple(task.code for task in TASKS if task.has_sound)
SILENT_CODES = tuple(task.code for task in TASKS if not task.has_sound)

NOT_HEARD = dict.fromkeys(AUDIO_CODES, "no sound reaches .* run the group humansense_sample_video")
NOT_SEEN = {"AR": "no video reaches .* run the group humansense_sample_audio"}


@dataclass(frozen=True)
class Row:
    """A wrapper, how it is run, and what has to arrive.

    Attributes:
        model: The name for `--model`.
        form: Its chat wrapper or its simple one.
        args: `--model_args`; `{server}` is the address of the server.
        source: What answers.
        asks: The codes of the tasks that it can be asked.
        frames: The frames that arrive of a clip.
        hears: The codes of the tasks whose sound arrives, in full.
        clip: What arrives of a clip that the model decodes itself.
        stops: Codes of tasks that must be refused, with words of the sentence.
        needs: Requirements of packages that must be installed.
        environment: Variables that the wrapper reads; `{server}` as in `args`.
        ffmpeg: Whether it needs the program `ffmpeg`. The others have to work without it.
    """

    model: str
    form: Literal["chat", "simple"]
    args: str
    source: Source
    asks: tuple[str, ...] = VIDEO_CODES
    frames: Rule = none
    hears: tuple[str, ...] = ()
    clip: str = ""
    stops: dict[str, str] = field(default_factory=lambda: NOT_HEARD)
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ffmpeg: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}-{self.form}"

    @property
    def refused(self) -> tuple[str, ...]:
        return tuple(code for code in ALL_CODES if code not in self.asks)

    def expected(self, code: str) -> tuple[int, float, str]:
        """What arrives of the first question of a task: frames, seconds of sound, clip."""
        clip, is_audio = CLIPS[code], BY_CODE[code].is_audio
        seconds = clip.samples / 16_000 if code in self.hears else 0.0
        return (0, seconds, "") if is_audio else (self.frames(clip), seconds, self.clip)


CPU = ",device=cpu,device_map=cpu"
QWEN = "pretrained=Qwen/Qwen2.5-VL-7B-Instruct,fps=1,min_pixels=3136,max_pixels=151200" + CPU
HEARS = {"HUMANSENSE_HEARS": "1"}
KEY = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "{server}"}
GEMINI = {"GOOGLE_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": "{server}"}
QWEN3_5 = "pretrained=Qwen/Qwen3.5-9B,fps=1,max_num_frames=24,enable_thinking=False" + CPU
PHI = "pretrained=microsoft/Phi-4-multimodal-instruct,max_frames_num=16" + CPU
OMNI = "pretrained=Qwen/Qwen2.5-Omni-7B" + CPU
OMNI3 = "pretrained=Qwen/Qwen3-Omni-30B-A3B-Instruct,attn_implementation=sdpa" + CPU


def _sees(model: str, form: Literal["chat", "simple"], args: str, frames: Rule, source: Source = "checkpoint") -> Row:
    return Row(model, form, args, source, frames=frames)


def _all(model: str, form: Literal["chat", "simple"], args: str, source: Source, frames: Rule, **more: Any) -> Row:
    return Row(model, form, args, source, ALL_CODES, frames, SOUND_CODES, stops={}, **more)


ROWS = (
    _sees("qwen2_5_vl", "chat", QWEN, qwen(1)),
    _sees("qwen2_5_vl", "simple", QWEN.replace("fps=1", "max_num_frames=24"), qwen(2, 24)),
    _sees("qwen2_vl", "simple", "pretrained=Qwen/Qwen2-VL-7B-Instruct,max_num_frames=24,max_pixels=151200" + CPU,
          qwen(2, 24)),
    _sees("qwen3_vl", "chat", "pretrained=Qwen/Qwen3-VL-8B-Instruct,fps=1,max_num_frames=24" + CPU, qwen(1, 24)),
    _sees("qwen3_vl", "simple", "pretrained=Qwen/Qwen3-VL-8B-Instruct,fps=1,max_num_frames=24" + CPU, qwen(1, 24)),
    _sees("qwen3_5", "chat", QWEN3_5, qwen(1, 24)),
    _sees("qwen3_5", "simple", QWEN3_5, qwen(1, 24)),
    _sees("internvl_hf", "chat", "pretrained=OpenGVLab/InternVL3-8B-hf,num_frames=8" + CPU, evenly(8)),
    _sees("llava_hf", "simple", "pretrained=llava-hf/llava-onevision-qwen2-7b-ov-hf,max_frames_num=8" + CPU,
          evenly(8)),
    _sees("video_salmonn_2", "simple", "pretrained=tsinghua-ee/video-SALMONN-2_plus_7B" + CPU, qwen(2)),
    _sees("internvl3", "simple", "pretrained=OpenGVLab/InternVL3-8B,modality=video,num_frame=8,max_num=1",
          evenly(8), "stand-in"),
    _sees("internvl3_5", "simple", "pretrained=OpenGVLab/InternVL3_5-8B,modality=video,num_frame=8,max_num=1",
          evenly(8), "stand-in"),
    _sees("internvl2", "simple", "pretrained=OpenGVLab/InternVL2-8B,modality=video,num_frame=8", evenly(8),
          "stand-in"),
    Row("videollama3", "simple",
        "pretrained=DAMO-NLP-SG/VideoLLaMA3-7B,max_num_frames=128,use_flash_attention_2=False", "stand-in",
        clip="fps=1,max_frames=128"),
    _all("minicpm_o", "chat", "pretrained=openbmb/MiniCPM-o-2_6", "stand-in", every_second(64)),
    Row("minicpm_o", "simple", "pretrained=openbmb/MiniCPM-o-2_6", "stand-in", SILENT_CODES + AUDIO_CODES,
        every_second(64), AUDIO_CODES, stops={"TR": "leave --force_simple out"}),
    _all("phi4_multimodal", "simple", PHI, "stand-in", evenly(16)),
    # Its `return_audio=False` is not known to transformers 5, which then looks for the part that speaks.
    _all("qwen2_5_omni", "chat", OMNI, "checkpoint", qwen(2, 16), needs=("transformers<5",)),
    _all("qwen2_5_omni", "simple", OMNI, "checkpoint", qwen(2), needs=("transformers<5",), ffmpeg=True),
    _all("qwen3_omni", "chat", OMNI3, "checkpoint", qwen(2, 16)),
    # It hands the sound of a clip over as releases before 5.23 take it.
    _all("qwen3_omni", "simple", OMNI3, "checkpoint", qwen(2), needs=("transformers>=5.10.4,<5.23",), ffmpeg=True),
    Row("qwen2_audio", "simple", "pretrained=Qwen/Qwen2-Audio-7B-Instruct", "checkpoint", AUDIO_CODES,
        hears=AUDIO_CODES, stops=NOT_SEEN),
    Row("audio_flamingo_3", "simple", "pretrained=nvidia/audio-flamingo-3-hf", "checkpoint", AUDIO_CODES,
        hears=AUDIO_CODES, stops=NOT_SEEN),
    Row("kimi_audio", "simple", "pretrained=moonshotai/Kimi-Audio-7B-Instruct", "stand-in", AUDIO_CODES,
        hears=AUDIO_CODES, stops=NOT_SEEN),
    Row("gpt4o_audio", "simple", "model_version=gpt-4o-audio-preview", "server", AUDIO_CODES, hears=AUDIO_CODES,
        stops=NOT_SEEN, environment=KEY),
    Row("openai", "chat", "model=gpt-4o,base_url={server},api_key=none,max_frames_num=10", "server", ALL_CODES,
        evenly(10), SOUND_CODES, stops={}, environment=HEARS),
    Row("openai", "simple", "model=gpt-4o,base_url={server},api_key=none,max_frames_num=10", "server", ALL_CODES,
        evenly(10), SOUND_CODES, stops={}, environment=HEARS),
    Row("litellm", "simple", "model=openai/gpt-4o,base_url={server},api_key=none,max_frames_num=10", "server",
        ALL_CODES, evenly(10), SOUND_CODES, stops={}, needs=("litellm",),
        environment={**HEARS, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}),
    Row("async_openai", "chat", "model=gpt-4o,base_url={server},api_key=none,nframes=24", "server", ALL_CODES,
        evenly(24), SOUND_CODES, stops={}, environment=HEARS),
    Row("litellm", "chat", "model=openai/gpt-4o,base_url={server},api_key=none,max_frames_num=10", "server",
        ALL_CODES, evenly(10), SOUND_CODES, stops={}, needs=("litellm",),
        environment={**HEARS, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}),
    Row("gemini", "chat", "model=gemini-2.5-pro", "server", ALL_CODES, hears=SOUND_CODES, clip="video/mp4", stops={},
        needs=("google-genai",), environment=GEMINI),
    Row("gemini", "simple", "model=gemini-2.5-pro", "server", ALL_CODES, hears=SOUND_CODES, clip="video/mp4",
        stops={}, needs=("google-genai",), environment=GEMINI),
)  # fmt: skip

REFUSED = {
    ("llava_hf", "chat"): "--force_simple",
    ("phi4_multimodal", "chat"): "--force_simple",
    ("huggingface", "chat"): "qwen2_5_vl",
    ("glm4v", "simple"): "humansense_server",
    ("minicpm_v", "simple"): "minicpm_o",
}
"""Wrappers that take no video of ours, with the way that the sentence names instead."""

NOT_TRIED = {
    "baichuan_omni": "its own packages (torchaudio, ujson)",
    "gemma3": "a tiny checkpoint; none has been made",
    "llava_onevision": "the package llava",
    "llava_vid": "the package llava",
    "ola": "the packages ola and whisper",
    "omnivinci": "the code of its checkpoint",
    "sglang": "the package sglang, and a GPU",
    "uni_moe_2_omni": "its own packages (torchaudio)",
    "vita": "the package vita",
    "vllm": "the package vllm",
}
"""Wrappers that are not run here, and what they would need."""
