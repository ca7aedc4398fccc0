"""vLLM gives frames the embeddings of sound if a step ends within a clip with sound (Qwen2.5-Omni, Qwen3-Omni).

    python scripts/vllm_faults/merging.py

The tokens of such a clip alternate: frames, sound, frames, sound. vLLM computes a prompt in steps. If one step has the
end of a sound and the beginning of the next frames, `check_interleaved_audio_video` does not see that they alternate.
Then the embeddings are written in the order of the media, video first, and not in the order of their tokens. Loads no
weights.
"""

import torch
from vllm.model_executor.models.qwen2_5_omni_thinker import check_interleaved_audio_video
from vllm.model_executor.models.utils import _merge_multimodal_embeddings

VIDEO, SOUND = 1, 2


def main() -> None:
    """Print what the tokens of one step get."""
    step = torch.tensor([SOUND, SOUND, VIDEO, VIDEO, VIDEO])
    is_video, is_sound = step == VIDEO, step == SOUND
    # As `_gather_mm_embeddings` passes them: one item for each medium, in the order of mm_features.
    embeddings = [torch.full((3, 1), float(VIDEO)), torch.full((2, 1), float(SOUND))]
    seen = check_interleaved_audio_video(is_video, is_sound, int(is_video.sum()), int(is_sound.sum()))
    merged = _merge_multimodal_embeddings(torch.zeros(5, 1), embeddings, is_video | is_sound).flatten()
    print(f"tokens of the step (1: frames, 2: sound)  {step.tolist()}")
    print(f"taken for interleaved                     {seen}")
    print(f"media whose embeddings they get           {merged.int().tolist()}")
    print("wrong" if merged.tolist() != step.tolist() and not seen else "right")


if __name__ == "__main__":
    main()
