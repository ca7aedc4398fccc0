"""Qwen2.5-Omni: 3B, 7B and fine-tunes of them. Only the thinker is loaded; nobody listens to the talker."""

from typing import Any

import torch
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from ..prepare import Prepared

# transformers 5.23 asks for sound in video by other names; before it, these would silently drop the sound.
_NAMES_SOUNDS = hasattr(Qwen2_5OmniProcessor, "load_audio_from_video")


class Qwen25Omni:
    """A loaded Qwen2.5-Omni thinker with its processor."""

    frame_factor = 28
    # The sentence of the model's own documentation; the talker would complain about any other.
    system_prompt = (
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech."
    )

    def __init__(self, pretrained: str, device: torch.device, dtype: torch.dtype, attention: str) -> None:
        self.processor = Qwen2_5OmniProcessor.from_pretrained(pretrained)
        # Frames come in their final size; newer releases of transformers would cap it by a rule of their own.
        self.processor.video_processor.cap_pixels_per_frame = False
        self.model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            pretrained, dtype=dtype, attn_implementation=attention, device_map={"": device}
        ).eval()

    def encode(self, prepared: Prepared) -> dict[str, torch.Tensor]:
        """The thinker's inputs for one prepared conversation, on the CPU.

        The rate at which frames were sampled is not passed on: the release does not do it either, so the processor
        takes 2 frames per second.
        """
        text = self.processor.apply_chat_template(prepared.messages, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(
            text=[text],
            images=list(prepared.images) or None,
            videos=list(prepared.videos) or None,
            audio=list(prepared.sounds) or None,
            return_tensors="pt",
            padding=True,
            do_sample_frames=False,
            **_sound_in_video(prepared),
        )
        return dict(inputs)

    def generate(self, inputs: dict[str, torch.Tensor], interleaved: bool, arguments: dict[str, Any]) -> str:
        """The response to the inputs of one sample; `interleaved` says that a video is heard in it."""
        moved = {name: self._to_model(value) for name, value in inputs.items()}
        tokenizer = self.processor.tokenizer
        ids = self.model.generate(
            **moved,
            **arguments,
            use_audio_in_video=interleaved,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        said: str = tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return said

    def _to_model(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(self.model.device, self.model.dtype if value.is_floating_point() else None)


def _sound_in_video(prepared: Prepared) -> dict[str, Any]:
    if not prepared.interleaved:
        return {}
    if _NAMES_SOUNDS:
        return {"load_audio_from_video": True, "audio_from_video_indices": list(prepared.sound_of_video)}
    return {"use_audio_in_video": True}


FAMILY = Qwen25Omni
