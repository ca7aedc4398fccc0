"""What is installed and what can be asked: `list`, `doctor` and `--version`."""
