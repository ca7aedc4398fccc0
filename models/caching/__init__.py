"""Answers of earlier runs: what an answer depends on, and where answers are kept."""
