"""Stand-ins for models whose code comes with their weights, which cannot be had here.

lmms-eval's wrappers load them as the published ones, with `trust_remote_code`. They record it all and answer "B".
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import BatchFeature, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from .recorder import CURRENT


class InternVLConfig(PretrainedConfig):
    model_type = "stand_in_internvl"


class MiniCPMOConfig(PretrainedConfig):
    model_type = "stand_in_minicpmo"


class GeneratingConfig(PretrainedConfig):
    model_type = "stand_in_generating"


class StandIn(PreTrainedModel):
    """Each has a configuration of its own, by whose class transformers knows which model it has loaded before."""

    _supports_sdpa = True

    def __init__(self, config: PretrainedConfig, **_: Any) -> None:
        super().__init__(config)
        self.weight = torch.nn.Linear(1, 1)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        pass


class InternVL(StandIn):
    config_class = InternVLConfig

    def chat(self, *prompt: Any, num_patches_list: list[int], **_: Any) -> tuple[str, None]:
        """The tokenizer, the tiles of all frames, the question and more; the number of tiles of each frame."""
        CURRENT.saw(len(num_patches_list))
        CURRENT.asked(prompt[2])
        return "B", None


class MiniCPMO(StandIn):
    config_class = MiniCPMOConfig

    def chat(self, msgs: list[dict[str, Any]], **_: Any) -> str:
        """A message of pictures, sounds at 16 kHz and text."""
        CURRENT.took_content(msgs[0]["content"])
        return "B"


class Generating(StandIn):
    config_class = GeneratingConfig

    def generate(self, **_: Any) -> torch.Tensor:
        """The processor has recorded what came: ids of one more token."""
        return torch.tensor([[0, 0]])


class KimiAudio:
    """The class of the package kimia_infer."""

    def __init__(self, **_: Any) -> None:
        self.prompt_manager = SimpleNamespace(text_tokenizer=_Words())

    def generate(self, chats: list[dict[str, Any]], **_: Any) -> tuple[None, str]:
        """Texts and files of sounds, in turns."""
        for turn in chats:
            if turn["message_type"] == "audio":
                CURRENT.took_file(Path(turn["content"]).read_bytes(), "audio/wav")
        CURRENT.asked("\n".join(turn["content"] for turn in chats if turn["message_type"] == "text"))
        return None, "B"


class _Words:
    eos_token_id = 0

    def encode(self, text: str, **_: Any) -> list[str]:
        return text.split()

    def decode(self, ids: Any) -> str:
        return "<end>"


class Processor:
    """What the processors of the stand-ins have in common: a tokenizer, and one token for each prompt."""

    def __init__(self, folder: str) -> None:
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    @classmethod
    def from_pretrained(cls, folder: str, **_: Any) -> Processor:
        return cls(folder)

    @classmethod
    def register_for_auto_class(cls, *_: Any) -> None:
        """Called when the class has been loaded."""

    def batch_decode(self, ids: Any, **_: Any) -> list[str]:
        return ["B" for _ in ids]


class Phi4Processor(Processor):
    class audio_processor:
        sampling_rate = 16_000

    def __call__(self, text: str, images: Any = None, audios: Any = None, **_: Any) -> BatchFeature:
        CURRENT.saw(len(images or []))
        for samples, rate in audios or []:
            CURRENT.heard(len(samples), rate)
        CURRENT.asked(text)
        return BatchFeature({"input_ids": torch.tensor([[0]])})


class VideoLLaMA3Processor(Processor):
    def __call__(self, conversation: list[dict[str, Any]], **_: Any) -> BatchFeature:
        for part in (part for turn in conversation for part in turn["content"]):
            if part["type"] == "video":
                CURRENT.took(f"fps={part['video']['fps']},max_frames={part['video']['max_frames']}")
            else:
                CURRENT.asked(part["text"])
        return BatchFeature({"input_ids": torch.tensor([[0]])})


def write(folder: Path, model: str, processor: str | None = None) -> None:
    """A checkpoint whose code are classes of this module, given by name."""
    from .checkpoints import tokenizer

    words, _ = tokenizer(folder, ())
    words.save_pretrained(folder)
    auto_map = {"AutoConfig": f"code.{model}Config"}
    auto_map |= dict.fromkeys(("AutoModel", "AutoModelForCausalLM"), f"code.{model}")
    if processor is not None:
        auto_map["AutoProcessor"] = f"code.{processor}"
        (folder / "processor_config.json").write_text(json.dumps({"auto_map": auto_map}))
    (folder / "code.py").write_text(f"from {__name__} import *\n")
    globals()[model](globals()[f"{model}Config"]()).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": auto_map}))
