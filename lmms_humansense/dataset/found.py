"""Where questions and media would be read from, and which are on this machine, without asking a network."""

import contextlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ..storage.errors import StorageError, without_credentials
from ..tasks.humansense import data
from ..tasks.humansense.annotations import FILES, FOLDER, MEDIA, DataError
from ..tasks.humansense.local_source import LocalSource

if TYPE_CHECKING:
    from ..storage.hub import HubFolder

PREPARE = "run `lmms-humansense prepare` with a network and the same HF_HOME, or set HUMANSENSE_DATA to a folder"


@dataclass(frozen=True)
class Found:
    """What is known of the data without a network.

    Attributes:
        source: The folder, address or repository, without passwords.
        questions: Which annotation files are on this machine, by key ("VQA", "AQA").
        media: Which of their media are on this machine, by key, as far as this can be seen: a folder or archive, or at
            least one file that was fetched.
        problem: Why no run could begin; None if one could.
    """

    source: str
    questions: tuple[str, ...]
    media: tuple[str, ...]
    problem: str | None

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
    return Found(root, questions, media, None)


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
