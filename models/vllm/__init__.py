"""A checkpoint that vLLM runs in this process, with the media, prompts and workers of a local model."""
