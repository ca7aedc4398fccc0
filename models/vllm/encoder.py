"""Turns conversations into prompts for vLLM: those of a local model, with the places of their media."""

from collections.abc import Sequence
from dataclasses import replace

from ..inputs.conversation import Conversation
from ..inputs.decoding import DecodedConversation
from ..inputs.stats import MediaStats
from ..inputs.vllm_faults import faults_of
from ..local.encoder import LocalEncoder
from ..local.settings import CheckpointSettings
from ..runtime.request import EncodingResult
from .prompts import AUDIO, IMAGE, VIDEO, MediaDigests, VllmPrompt, placed


class VllmEncoder(LocalEncoder):
    """The processor of a checkpoint, with the settings that say how media are shown to the model."""

    def __init__(self, settings: CheckpointSettings, model_type: str) -> None:
        """Load the processor, as `LocalEncoder` says."""
        super().__init__(settings, model_type)
        processor = self.family.processor
        kinds = (IMAGE, VIDEO, AUDIO) if self.family.sees else (AUDIO,)
        self._tokens = {
            kind: processor.tokenizer.convert_tokens_to_ids(getattr(processor, f"{kind}_token")) for kind in kinds
        }
        self._digests = MediaDigests()

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        """Encode conversations. Media that several of them share are decoded, processed and digested once.

        Args:
            conversations: What `read` returned.

        Returns:
            For each conversation, its `VllmPrompt`, or the reason why it cannot be encoded.
        """
        self._digests = MediaDigests()
        try:
            return super().encode(conversations)
        finally:
            self._digests = MediaDigests()  # the media are not kept longer

    def stats(self, decoded: DecodedConversation) -> MediaStats:
        """Add the faults of vLLM that may change the answer, if they are not corrected."""
        return replace(decoded.stats, vllm_faults=faults_of(decoded, self.model_type))

    def prompt(self, decoded: DecodedConversation) -> VllmPrompt:
        """Make the prompt of one decoded conversation.

        Raises:
            ValueError: vLLM would confuse two of its sounds.
        """
        prompt = self.family.encode(decoded)
        return VllmPrompt(prompt, placed(prompt, decoded.videos, self._tokens, self._digests))
