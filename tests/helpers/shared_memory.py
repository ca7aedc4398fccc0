"""Lists the shared memory of one process. That of other programs on the machine does not count."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path


def shared_memory(pid: int) -> Counter[str]:
    """The names of the shared memory that a process has mapped or open, and how many times.

    Memory whose name ends with " (deleted)", such as "/memfd:media (deleted)", is freed with the last process that has
    it, in whatever way that process ends. Other names are those of files that a process may leave behind.
    """
    places: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # the process has ended meanwhile
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            places += line.split(maxsplit=5)[5:]
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                places.append(os.readlink(file))
    return Counter(place for place in places if place.startswith(("/memfd:media", "/dev/shm/")))
