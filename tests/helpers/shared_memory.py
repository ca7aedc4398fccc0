"""The shared memory of a process of this test; what other programs have is none of its business."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path


def shared_memory(pid: int) -> Counter[str]:
    """What a process has mapped or open of shared memory, and how often.

    Memory whose name ends with " (deleted)" is gone with the last process that has it, however that one ends:
    "/memfd:media (deleted)". Other names are those of files that a process may leave.
    """
    places: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            places += line.split(maxsplit=5)[5:]
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                places.append(os.readlink(file))
    return Counter(place for place in places if place.startswith(("/memfd:media", "/dev/shm/")))
