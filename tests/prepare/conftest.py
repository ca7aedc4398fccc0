"""The tasks read through the package's own source, as in an installation. A release of four clips and sounds."""

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from lmms_humansense.dataset.anywhere import install
from lmms_humansense.tasks.humansense.source import current
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import releases, sources
from tests.helpers.decoded import InThisProcess
from tests.helpers.releases import Content, audio_item, item

CLIPS = ("gesture/clip_01.mp4", "count/park.mp4", "talk/meeting.mp4")


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with sources.used(current()):
        install()
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty HF_HOME. Tests that are not slow decode in their own process."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("lmms_humansense.prepare.pool.WorkerPool", InThisProcess)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    return tmp_path / "home"


@pytest.fixture(params=["unpacked", "packed"])
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Five questions about three clips, two of them about one with its sound, and one about a sound."""
    sound = next(path for path in sorted((ROOT / "audios").rglob("*")) if path.is_file())
    content = Content(
        videos={f"some/{Path(name).name}": (ROOT / "videos" / name).read_bytes() for name in CLIPS},
        audios={f"calls/one{sound.suffix}": sound.read_bytes()},
        vqa=[
            item("data/videos/some/clip_01.mp4", question="Who?"),
            item("data/videos/some/clip_01.mp4", question="What?"),
            item("data/videos/some/park.mp4"),
            item("data/videos/some/meeting.mp4", task_type="Talkingperson_Recognition"),
        ],
        aqa=[audio_item(f"data/audios/calls/one{sound.suffix}", task_type="Fraud_Recognition")],
    )
    root = tmp_path / "release"
    releases.write(root, request.param, content)
    monkeypatch.setenv("HUMANSENSE_DATA", str(root))
    return root
