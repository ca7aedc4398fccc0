"""What vLLM's workers answer about themselves. vLLM mixes the class into that of its workers, on every node."""

from . import mends


class Asked:
    """Methods of a worker, for `collective_rpc`."""

    def humansense_mends(self) -> list[str]:
        """The names of the corrections that the worker's process has."""
        return mends.made()
