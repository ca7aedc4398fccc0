"""Questions and media in a local folder: unpacked, in two zip archives, or a snapshot of the Hub."""

import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from .annotations import FILES, FOLDER, MEDIA, DataError
from .folders import files_below, read_small
from .lookup import leads_out, refusal

_SNAPSHOT = re.compile(r"[\\/]datasets--([^\\/]+)[\\/]snapshots[\\/]([^\\/]+)")
"""Where the Hub's cache keeps a commit of a repository."""


class LocalSource:
    """Reads a folder that holds the annotation files, or a repository's folder that holds them in `FOLDER`."""

    def default_root(self, repository: str, revision: str) -> str:
        """Download the benchmark's folder of the dataset repository.

        Args:
            repository: The dataset repository on the Hub.
            revision: A branch, tag or commit of it.

        Returns:
            The local folder with the annotation files.

        Raises:
            DataError: The repository cannot be downloaded.
        """
        return _snapshot(repository, revision)

    def address(self, root: str) -> str:
        """The absolute path of the root, which for a snapshot contains the commit."""
        return os.path.abspath(root)

    def shown(self, root: str) -> str:
        """The root."""
        return root

    def origin(self, root: str) -> dict[str, Any]:
        """The folder as `source`, or for a snapshot the repository as `source` and its `commit`.

        Raises:
            DataError: There are no annotation files.
        """
        folder = str(_folder(root))
        found = _SNAPSHOT.search(folder)
        if found is None:
            return {"source": folder}
        return {"source": f"hf://datasets/{found[1].replace('--', '/')}", "commit": found[2]}

    def annotations(self, root: str, key: str) -> bytes:
        """Read an annotation file.

        Args:
            root: A folder with the annotation files, or one that holds them in `FOLDER`.
            key: The file's key in `FILES`.

        Returns:
            The content of the file.

        Raises:
            DataError: The file cannot be read, is no regular file, or is too large to be one of questions.
        """
        path = _folder(root) / FILES[key]
        with _naming(f"{path}, which has the questions about {MEDIA[key]}, cannot be read"):
            return read_small(path)

    def media(self, root: str, key: str) -> "LocalMedia":
        """Find the media that belong to an annotation file; unpacked ones win over an archive.

        Args:
            root: A folder with the annotation files, or one that holds them in `FOLDER`.
            key: The file's key in `FILES`.

        Returns:
            The media with the names of all files.

        Raises:
            DataError: There are no media, their archive is damaged, or links in their folder multiply without end.
        """
        folder = _folder(root)
        unpacked, archive = folder / MEDIA[key], folder / f"{MEDIA[key]}.zip"
        if unpacked.is_dir() and any(unpacked.iterdir()):
            return LocalMedia(str(unpacked), *files_below(unpacked), unpacked)
        if archive.exists():
            return _packed(archive)
        raise DataError(
            f"There is neither {unpacked.name}/ nor {archive.name} in {root}; the questions of {FILES[key]} need it."
        )

    def waveform(self, path: Path) -> Any:
        """Decode the sound of a file.

        Args:
            path: A media file.

        Returns:
            What `sound.waveform` returns.

        Raises:
            DataError: The file has no sound, or its sound cannot be decoded.
        """
        from .sound import waveform

        return waveform(path)

    def reader(self) -> str:
        """A digest of the code of `waveform`."""
        from . import sound

        return digest_of_code([Path(sound.__file__)])


def digest_of_code(files: Iterable[Path]) -> str:
    """A digest of source files that decode sound, and of the libraries that they resample with."""
    digest = sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    for library in ("librosa", "soxr"):
        digest.update(version(library).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class LocalMedia:
    """Media files in `folder`: unpacked, or extracted there one by one from the archive `where` (`is_packed`)."""

    where: str
    names: Sequence[str]
    refused: Mapping[str, str]
    folder: Path
    is_packed: bool = False

    def find_local(self, name: str) -> Path | None:
        """The local file of this name, or None if it is not there.

        Raises:
            DataError: The file must not be used.
        """
        if name in self.refused:
            raise refusal(name, self.where, self.refused[name])
        path = self.folder / name
        return path if path.is_file() else None

    def fetch(self, name: str) -> Path:
        """The local file of this name, extracted now if it is packed.

        The file is never incomplete, also if several processes extract it at the same time.

        Raises:
            DataError: The file is missing, must not be used, or cannot be extracted.
        """
        path = self.folder / name
        if self.find_local(name) is not None:
            return path
        if not self.is_packed:
            raise DataError(f"{name} is not in {self.where}.")
        temporary = path.with_name(f".{uuid4().hex}.part")
        with _naming(f"{name} in {self.where} cannot be used"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with zipfile.ZipFile(self.where) as opened, opened.open(name) as packed, temporary.open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
                return temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)


def _packed(archive: Path) -> LocalMedia:
    from huggingface_hub import constants

    if not archive.is_file():
        raise DataError(f"{archive} is no regular file; put the archive itself there.")
    with _naming(f"{archive} is not a complete zip file; download it again"), zipfile.ZipFile(archive) as opened:
        names = [info.filename for info in opened.infolist() if not info.is_dir()]
    refused = {name: "its name leads out of its folder." for name in names if leads_out(name)}
    # If another archive replaces this one, its members get another folder.
    state = archive.stat()
    identity = sha256(f"{archive.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = Path(constants.HF_HOME) / "humansense" / "unpacked" / identity
    return LocalMedia(str(archive), [name for name in names if name not in refused], refused, folder, True)


@lru_cache(maxsize=8)
def _snapshot(repository: str, revision: str) -> str:
    from huggingface_hub import snapshot_download

    advice = "set HUMANSENSE_REVISION to an existing revision, or HUMANSENSE_DATA to a folder that holds the release"
    with _naming(f"The dataset {repository} at {revision} cannot be downloaded from the Hub; {advice}"):
        # The training data beside the benchmark are not downloaded.
        found = snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=f"{FOLDER}/*")
        return str(Path(found) / FOLDER)


def _folder(root: str) -> Path:
    """The folder with the annotation files."""
    scheme, is_address, _ = root.partition("://")
    if is_address:
        raise DataError(
            f"HUMANSENSE_DATA is an address ({scheme}), but only folders can be read here; set it to a folder."
        )
    for folder in (Path(root).absolute(), Path(root).absolute() / FOLDER):
        if any(os.path.exists(folder / name) for name in FILES.values()):
            return folder
    names = " or ".join(FILES.values())
    raise DataError(f"There is no {names} in {root}; set HUMANSENSE_DATA to the folder that holds them.")


@contextmanager
def _naming(problem: str) -> Iterator[None]:
    """Turns any error in the block, also of a decompressor or the Hub's client, into a DataError with `problem`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{problem} ({type(error).__name__}: {' '.join(str(error).split())}).") from error
