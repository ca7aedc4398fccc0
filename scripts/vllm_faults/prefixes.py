"""vLLM's prefix cache takes the sound of a clip for that of another one with the same frames. Loads no weights.

    python scripts/vllm_faults/prefixes.py

The frames and the sound of a clip with sound (`use_audio_in_video`) have the same range of tokens. For each block of
it, `_gen_mm_extra_hash_keys` takes the identity of the first of both, the frames, and leaves the loop if the range does
not end in this block.
"""

from types import SimpleNamespace
from typing import Any

from vllm.multimodal.inputs import PlaceholderRange
from vllm.v1.core.kv_cache_utils import _gen_mm_extra_hash_keys

BLOCK, OFFSET, LENGTH, END = 16, 20, 200, 240


def keys_of_blocks(sound: str) -> list[list[Any]]:
    """What vLLM adds to the tokens of each block of a prompt, for a clip whose sound has this identity."""
    place = PlaceholderRange(OFFSET, LENGTH)
    request: Any = SimpleNamespace(
        mm_features=[SimpleNamespace(identifier=identity, mm_position=place) for identity in ("frames", sound)]
    )
    found, following = [], 0
    for start in range(0, END, BLOCK):
        keys, following = _gen_mm_extra_hash_keys(request, start, start + BLOCK, following)
        found.append(keys)
    return found


def main() -> None:
    """Print which blocks of two clips are taken for the same."""
    one, other = keys_of_blocks("a voice"), keys_of_blocks("a siren")
    shared = [number for number, (ours, theirs) in enumerate(zip(one, other, strict=True)) if ours == theirs]
    inside = [number for number in shared if (number + 1) * BLOCK > OFFSET and number * BLOCK < OFFSET + LENGTH]
    print(f"blocks with tokens of the clip: {OFFSET // BLOCK} to {(OFFSET + LENGTH - 1) // BLOCK}")
    print(f"equal for both sounds:          {inside}")
    print("wrong" if inside else "right")


if __name__ == "__main__":
    main()
