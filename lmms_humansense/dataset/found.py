"""Where questions and media would be read from, and which are on this machine, without asking a network."""

import contextlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.media.stand_in import MOST_BYTES, read_stand_in
from ..storage import prepared
from ..storage.errors import StorageError, without_credentials
from ..tasks.humansense import data
from ..tasks.humansense.annotations import FILES, FOLDER, MEDIA, DataError
from ..tasks.humansense.folders import read_small
from ..tasks.humansense.local_source import LocalSource

if TYPE_CHECKING:
    from ..storage.hub import HubFolder

PREPARE = "run `lmms-humansense prepare` with a network and the same HF_HOME, or set HUMANSENSE_DATA to a folder"

STORE = "decoded"
"""The store of decoded clips in a folder that was prepared with `--decoded`."""


@dataclass(frozen=True)
class Found:
    """What is known of the data without a network.

    Attributes:
        source: The folder, address or repository, without passwords.
        questions: Which annotation files are on this machine, by key ("VQA", "AQA").
        media: Which of their media are on this machine, by key, as far as this can be seen: a folder or archive, or at
            least one file that was fetched.
        problem: Why no run could begin; None if one could.
        decoded: Of which of them no file is here, but small files that stand for decoded clips, by key.
    """

    source: str
    questions: tuple[str, ...]
    media: tuple[str, ...]
    problem: str | None
    decoded: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether they are in a folder that the user has named, where nothing is fetched."""
        return "://" not in self.source

    def problem_of(self, keys: Collection[str]) -> str | None:
        """Why a run with questions of these annotation files ("VQA", "AQA") could not begin; None if it could."""
        if self.problem is not None or not self.is_folder:
            return self.problem
        for key in sorted(keys):
            if key not in self.questions:
                return f"There is no {FILES[key]} in {self.source}."
            if key not in self.media:
                return f"There is neither {MEDIA[key]}/ nor {MEDIA[key]}.zip in {self.source}."
        return None

    def problem_of_decoded(self, keys: Collection[str], cache: Path | None) -> str | None:
        """Say why a run cannot show media that were decoded beforehand.

        Args:
            keys: The annotation files, "VQA" or "AQA".
            cache: The folder of decoded clips that the run would use; None if it would use none.

        Returns:
            A sentence with the remedy; None if the run may show them.
        """
        if not set(keys) & set(self.decoded) or (cache is not None and any(cache.glob("??/*"))):
            return None
        beside = Path(self.source).absolute() / STORE
        use = str(beside) if beside.is_dir() else "the folder of decoded clips"
        lacking = "no media_cache is named" if cache is None else f"media_cache, {cache}, holds none"
        return (
            f"{self.source} was prepared with --decoded, has no clips, and needs decoded ones, but {lacking}: set "
            f"HUMANSENSE_MEDIA_CACHE={use}, or media_cache= in --model_args."
        )


def is_offline() -> bool:
    """Whether the Hub must not be asked (HF_HUB_OFFLINE)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def repository() -> str:
    """The dataset repository of the benchmark on the Hub."""
    (source,) = json.loads(resources.files("lmms_humansense.tasks.humansense").joinpath("source.json").read_text())
    return str(source["repository"])


def find() -> Found:
    """Look for the data that the environment variables name."""
    root = data.root_of_user()
    if not root:
        return _in_cache()
    if "://" in root:
        return Found(without_credentials(root), (), (), None)
    try:
        LocalSource().origin(root)
    except DataError as error:
        return Found(root, (), (), str(error))
    folder = next(place for place in (Path(root), Path(root) / FOLDER) if _any_file(place))
    questions = tuple(key for key, name in FILES.items() if (folder / name).is_file())
    media = tuple(key for key, name in MEDIA.items() if (folder / name).is_dir() or (folder / f"{name}.zip").is_file())
    return Found(root, questions, media, None, _decoded(folder, media))


def _decoded(folder: Path, keys: Collection[str]) -> tuple[str, ...]:
    """The keys of the media that a prepared folder has in their decoded form only."""
    try:
        listed = prepared.read(read_small(folder / prepared.LIST), str(folder)).media
    except (OSError, StorageError, DataError):  # no prepared folder, or a run says what is wrong with it
        return ()
    return tuple(key for key in keys if _has_only_small_files(folder / MEDIA[key], listed.get(MEDIA[key], {})))


def _has_only_small_files(folder: Path, files: prepared.Files) -> bool:
    """Whether small files stand for all files that are there; of these, one is read."""
    there = {name: size for name, (size, _) in files.items() if size is not None}
    if not there or max(there.values()) > MOST_BYTES:
        return False
    with contextlib.suppress(OSError):
        return read_stand_in(folder / next(iter(there))) is not None
    return False


def _any_file(folder: Path) -> bool:
    return any((folder / name).exists() for name in FILES.values())


def _in_cache() -> Found:
    from ..storage import cache, hub

    revision = os.environ.get("HUMANSENSE_REVISION", "").strip() or "main"
    place = hub.HubFolder(repository(), revision, FOLDER)
    questions = tuple(key for key, name in FILES.items() if _is_cached(place, name))
    fetched = cache.cache_folder() / "media"
    media: tuple[str, ...] = ()
    with contextlib.suppress(OSError):  # another user's folder, whose files cannot be listed
        media = questions if fetched.is_dir() and any(fetched.iterdir()) else ()
    problem = None
    if is_offline() and not questions:
        problem = f"HF_HUB_OFFLINE is set, and the questions are not in the Hub's cache: {PREPARE} that has them."
    return Found(f"hf://datasets/{place.repository}", questions, media, problem)


def _is_cached(place: "HubFolder", name: str) -> bool:
    from ..storage import hub

    try:
        return hub.small_file(place, name, cached_only=True) is not None
    except StorageError:
        return False
