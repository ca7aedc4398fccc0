"""Tests with a real vLLM, in the environment that `scripts/vllm_env.sh` makes: `pytest -m vllm tests/vllm`."""
