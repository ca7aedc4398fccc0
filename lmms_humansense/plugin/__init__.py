"""What makes lmms-eval find this package, and what is changed in it. lmms-eval calls `register` and `tasks`."""

from .entry_points import register, tasks

__all__ = ["register", "tasks"]
