"""vLLM starts an engine on a CPU for attention heads that its kernels do not know. Loads no weights.

    python scripts/vllm_faults/heads.py

With heads of 16 numbers the engine starts, and ends at the first question. The backend says itself that it does not
know them, but is chosen without being asked.
"""

import torch
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.v1.attention.selector import get_attn_backend


def main() -> None:
    """Print what is chosen for heads of 16 numbers, and what it knows."""
    with set_current_vllm_config(VllmConfig()):
        backend = get_attn_backend(head_size=16, dtype=torch.float32, kv_cache_dtype=None)
    print(f"chosen: {backend.get_name()}, which knows heads of {backend.get_supported_head_sizes()}")
    print("right" if backend.supports_head_size(16) else "wrong")


if __name__ == "__main__":
    main()
