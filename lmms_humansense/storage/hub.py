"""A dataset repository on the Hub: which commit a revision is, and its small files."""

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
    """A folder of a dataset repository at a revision: a branch, tag or commit."""

    repository: str
    revision: str
    folder: str = ""

    def __str__(self) -> str:
        address = f"hf://datasets/{self.repository}@{quote(self.revision, safe='')}"
        return f"{address}/{self.folder}" if self.folder else address

    def within(self, folder: str) -> "HubFolder":
        """The place of a folder in this one."""
        return replace(self, folder=f"{self.folder}/{folder}".strip("/"))


def parse(address: str) -> HubFolder | None:
    """The place that an fsspec URL names; None if it names none of a dataset repository."""
    found = _ADDRESS.fullmatch(address.rstrip("/"))
    if found is None:
        return None
    return HubFolder(found["repository"], unquote(found["revision"] or "main"), (found["folder"] or "").strip("/"))


def small_file(place: HubFolder, name: str, cached_only: bool = False) -> Path | None:
    """The Hub's own cached copy of a small file, downloaded if need be; None where the repository has no such file.

    Without a network, with HF_HUB_OFFLINE=1 or `cached_only`, a copy that was cached before is taken. Raises
    StorageError.
    """
    with naming(f"{place}/{name}"):
        try:
            return Path(retrying(lambda: _download(place, name, cached_only)))
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):  # the repository may have it
                raise
            return None


def commit_of(file: Path) -> str:
    """The commit that a cached copy belongs to: the Hub's cache has a folder `snapshots` with a folder for each."""
    return next(folder.name for folder in file.parents if folder.parent.name == "snapshots")


def _download(place: HubFolder, name: str, cached_only: bool) -> str:
    return huggingface_hub.hf_hub_download(
        place.repository,
        place.within(name).folder,
        repo_type="dataset",
        revision=place.revision,
        local_files_only=cached_only,
    )
