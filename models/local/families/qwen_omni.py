"""What Qwen2.5-Omni and Qwen3-Omni share: one call of the processor for text, pictures, videos and sounds."""

from typing import Any

import torch
import transformers

from ...inputs.decoding import DecodedConversation
from ..collation import SECONDS, EncodedPrompt, prompt_from
from ..video_patches import SteppedVideoProcessor
from .base import Family


class QwenOmni(Family):
    """A thinker with its processor. The talker, which makes speech, is not needed and not loaded."""

    costly = ("feature_extractor", "video_processor")

    def __init__(self, pretrained: str, model_type: str) -> None:
        super().__init__(pretrained, model_type)
        # Frames have their final size. The processor would enlarge small ones and, in new releases, shrink large ones.
        self.processor.video_processor.do_resize = False
        # transformers 5.23 has new names for the arguments of sound in videos. With these names, older releases would
        # silently drop the sound.
        self._names_sounds = hasattr(getattr(transformers, self.processor_class), "load_audio_from_video")

    def encode(self, decoded: DecodedConversation) -> EncodedPrompt:
        """Make the inputs of the thinker for one decoded conversation.

        If the frame rate of a video is not given, the processor uses its default: 2 frames per second for Qwen2.5-Omni,
        1 for Qwen3-Omni.
        """
        text = self.processor.apply_chat_template(decoded.messages, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(
            text=[text],
            images=list(decoded.images) or None,
            videos=list(decoded.videos) or None,
            audio=list(decoded.sounds) or None,
            return_tensors="pt",
            do_sample_frames=False,
            **self._sound_arguments(decoded),
            **self._rate(decoded),
        )
        result = prompt_from(inputs, decoded.interleaved, len(decoded.videos))
        self._correct_seconds(result.tensors, decoded)
        return result

    def quickened(self, name: str, part: Any) -> Any:
        """Return a part of the processor with the same results; the video processor makes its patches faster.

        Args:
            name: The name of the part.
            part: The part.

        Returns:
            The part, or a wrapper of the video processor.
        """
        return SteppedVideoProcessor(part) if name == "video_processor" else part

    def generation_extras(self, has_heard_video: bool) -> dict[str, Any]:
        """Return whether the sound of videos is interleaved with them."""
        return {"use_audio_in_video": has_heard_video}

    def audio_arguments(self, decoded: DecodedConversation) -> dict[str, Any]:
        """Return the arguments of the feature extractor for the sounds of `decoded`, of which there is at least one."""
        return {}

    def _sound_arguments(self, decoded: DecodedConversation) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if decoded.sounds and (audio_arguments := self.audio_arguments(decoded)):
            arguments["audio_kwargs"] = audio_arguments
        if not decoded.interleaved:
            return arguments
        if self._names_sounds:
            indices = list(decoded.sound_of_video)
            return arguments | {"load_audio_from_video": True, "audio_from_video_indices": indices}
        return arguments | {"use_audio_in_video": True}

    def _rate(self, decoded: DecodedConversation) -> dict[str, Any]:
        """The frame rate if all videos have the same one. It has to be a number: a list fails in every version."""
        rates = set(decoded.rates)
        rate = rates.pop() if len(rates) == 1 else None
        return {} if rate is None else {"fps": rate}

    def _correct_seconds(self, tensors: dict[str, torch.Tensor], decoded: DecodedConversation) -> None:
        """Give each video its own time axis if their rates differ. They are silent then, so no token has to move."""
        if len(set(decoded.rates)) <= 1:
            return
        frames_per_step = self.processor.video_processor.temporal_patch_size
        for index, rate in enumerate(decoded.rates):
            if rate is not None:
                tensors[SECONDS][index] = frames_per_step / rate
