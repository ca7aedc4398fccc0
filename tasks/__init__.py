"""Task folders that lmms-eval searches."""
