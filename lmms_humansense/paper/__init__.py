"""Comparison with the paper: its published scores, the settings that differ from its code, and its result files."""
