"""Converts a response to its scores. Standard library only."""
