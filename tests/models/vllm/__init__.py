"""Tests of what needs no vLLM; `tests/vllm` has those with a real one."""
