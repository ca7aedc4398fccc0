"""HumanSense (arXiv 2508.10576) for lmms-eval: tasks, an omni model, and tools around them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lmms-humansense")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
