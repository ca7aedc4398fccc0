"""Reads results of lmms-eval into runs, and computes the statistics of their scores."""
