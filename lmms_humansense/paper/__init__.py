"""Beside the paper: its published scores, what differs from its code, and its result files."""
