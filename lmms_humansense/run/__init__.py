"""The command `lmms-humansense run`: lmms-eval in a watched process."""
