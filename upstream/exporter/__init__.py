"""This repository as changes to lmms-eval that its maintainers can merge."""
