"""Dataset repositories on the Hub: their addresses, commits and small files."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from .errors import naming
from .remote import retrying

_ADDRESS = re.compile(
    r"hf://datasets/(?P<repository>[^/@]+/[^/@]+)(?:@(?P<revision>refs/(?:pr|convert)/[^/]+|[^/]+))?(?:/(?P<folder>.*))?"
)


@dataclass(frozen=True)
class HubFolder:
    """A folder of a dataset repository.

    Attributes:
        repository: "owner/name".
        revision: A branch, tag or commit.
        folder: The path in the repository; empty for its root.
    """

    repository: str
    revision: str
    folder: str = ""

    def __str__(self) -> str:
        address = f"hf://datasets/{self.repository}@{quote(self.revision, safe='')}"
        return f"{address}/{self.folder}" if self.folder else address

    def within(self, folder: str) -> "HubFolder":
        """A folder inside this one."""
        return replace(self, folder=f"{self.folder}/{folder}".strip("/"))


def parse(address: str) -> HubFolder | None:
    """Parse an fsspec URL; None if it is not in a dataset repository on the Hub."""
    found = _ADDRESS.fullmatch(address.rstrip("/"))
    if found is None:
        return None
    return HubFolder(found["repository"], unquote(found["revision"] or "main"), (found["folder"] or "").strip("/"))


def small_file(place: HubFolder, name: str, cached_only: bool = False) -> Path | None:
    """Download a small file into the Hub's own cache, or find it there.

    Without a network, or with HF_HUB_OFFLINE=1, a cached copy is used.

    Args:
        place: The folder of the file.
        name: The name of the file in that folder.
        cached_only: Never ask the Hub; use only a cached copy.

    Returns:
        The cached copy, or None if the repository has no such file.

    Raises:
        StorageError: The file cannot be downloaded and is not in the cache.
    """
    with naming(f"{place}/{name}"):
        try:
            path = retrying(
                lambda: huggingface_hub.hf_hub_download(
                    place.repository,
                    place.within(name).folder,
                    repo_type="dataset",
                    revision=place.revision,
                    local_files_only=cached_only,
                )
            )
            return Path(path)
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):  # not cached, but the repository may have it
                raise
            return None


def commit_of(file: Path) -> str:
    """The commit of a cached copy: the Hub's cache keeps each commit in a folder below `snapshots`."""
    return next(folder.name for folder in file.parents if folder.parent.name == "snapshots")
