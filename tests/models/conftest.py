"""Fixtures that tests of several rooms of models/ share."""

from pathlib import Path
from typing import Any

import av
import pytest

from lmms_humansense.models.media import digests
from lmms_humansense.models.media.digests import sha256_of
from tests.helpers import clips


@pytest.fixture(scope="session")
def heard_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 6 s whose sound begins late. Copy it before you change it."""
    path = tmp_path_factory.mktemp("clips") / "heard.mp4"
    return clips.write_sound(path, clips.tones(44_100, 2, seconds=6.0), 44_100, "aac", late=0.5, pictures=30)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the media files that are opened, one entry for each time."""
    names: list[str] = []
    av_open = av.open

    def noted(file: str, **options: Any) -> Any:
        names.append(Path(file).name)
        return av_open(file, **options)

    monkeypatch.setattr(av, "open", noted)
    return names


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read for their digests."""
    names: list[str] = []

    def noted(path: Path) -> str:
        names.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(digests, "sha256_of", noted)
    return names
