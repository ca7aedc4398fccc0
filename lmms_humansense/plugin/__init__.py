"""How lmms-eval finds this package, and what this package changes in it. lmms-eval calls `register` and `tasks`."""

from .entry_points import register, tasks

__all__ = ["register", "tasks"]
