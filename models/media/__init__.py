"""A file becomes frames and a waveform. Knows nothing of models, benchmarks and lmms-eval."""
