"""vLLM puts the tokens of a clip with sound into another order than transformers (Qwen2.5-Omni). Loads no weights.

    python scripts/vllm_faults/order.py

`omni_get_updates_use_audio_in_video` puts a chunk of sound after each chunk of 2 s with frames, and rounds the times of
frames down. The processor of transformers has chunks without frames, and takes the times as they are.
"""

from itertools import groupby, zip_longest

import numpy as np
import torch
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerConfig
from vllm.model_executor.models.qwen2_5_omni_thinker import Qwen2_5OmniThinkerMultiModalProcessor

CONFIG = Qwen2_5OmniThinkerConfig()
NAMES = {CONFIG.video_token_index: "frames", CONFIG.audio_token_index: "sound"}
SECONDS = 12


def of_transformers(grid: list[int], step: float) -> list[str]:
    """The kinds of the tokens, by the part of the processor that orders them."""
    per_second = CONFIG.position_id_per_seconds
    times = np.arange(grid[0]).repeat(grid[1] * grid[2] // 4) * step * per_second
    chunks = [
        Qwen2_5OmniProcessor.get_chunked_index(None, each, per_second * CONFIG.seconds_per_chunk)
        for each in (times, np.arange(SECONDS * per_second))
    ]
    order: list[str] = []
    for seen, heard in zip_longest(*chunks, fillvalue=(0, 0)):
        order += ["frames"] * (seen[1] - seen[0]) + ["sound"] * (heard[1] - heard[0])
    return order


def compare(step: float) -> None:
    """Print the order of both for a clip with a step of the time axis every `step` seconds."""
    grid = [int(SECONDS / step), 4, 4]
    update = Qwen2_5OmniThinkerMultiModalProcessor.omni_get_updates_use_audio_in_video
    ids = update(CONFIG, SECONDS * CONFIG.position_id_per_seconds, torch.tensor(grid), step)
    ours = [NAMES[int(token)] for token in ids[1:-1]]
    theirs = of_transformers(grid, step)
    print(f"a step of {step:g} s: {'the same order' if ours == theirs else 'wrong order'}")
    for name, order in (("vLLM", ours), ("transformers", theirs)):
        print(f"  {name:13}", ", ".join(f"{len(list(group))} {kind}" for kind, group in groupby(order)))


if __name__ == "__main__":
    compare(1.0)
    compare(4.0)
