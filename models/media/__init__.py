"""Turns a file into frames and a waveform. Knows nothing of models, benchmarks and lmms-eval."""
