"""Media are fetched in parallel, ahead of the model: in order, within limits, and with the same failures."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

from lmms_humansense.dataset.anywhere import AnywhereSource
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.runtime import fetching
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import EncodedRequest, Request, Response
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from lmms_humansense.tasks.humansense import source, utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import hub, releases
from tests.helpers.ledgers import open_ledger
from tests.helpers.releases import Content, item
from tests.helpers.waits import LIMIT, until

CLIPS = 24


class HoldingServer:
    """Serves a folder, and holds each reply with a clip back until `enough` clips are requested at once."""

    def __init__(self, folder: Path, enough: int) -> None:
        self._serve, self._enough = hub.folder(folder), enough
        self._changed = threading.Condition()
        self.open = self.most_open = 0

    def __call__(self, path: str, query: str, body: bytes) -> hub.Answer:
        if path.endswith(".mp4"):
            with self._changed:
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self.most_open >= self._enough, LIMIT)
                self.open -= 1
        return self._serve(path, query, body)


@pytest.fixture(autouse=True)
def _anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    before = source.use(AnywhereSource())
    yield
    source.use(before)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of many clips with two questions about each. One file is not a clip."""
    clip = (ROOT / "videos" / "gesture" / "clip_01.mp4").read_bytes()
    names = [f"gesture/{number:02d}.mp4" for number in range(CLIPS)]
    items = [item(f"data/videos/{name}", question=f"{name} {which}") for which in range(2) for name in names]
    videos = {name: b"damaged" if name.endswith("05.mp4") else clip for name in names}
    releases.write(tmp_path / "release", "unpacked", Content(vqa=items, videos=videos))
    return tmp_path / "release"


def requests_to(root: str, named: bool = True) -> list[Request]:
    docs = utils.docs("ar", root, complete=False)
    senses = {"wrapper": "humansense_omni"}
    return [
        Request("task", number, {}, partial(utils.doc_to_messages, doc, senses), doc["media"] if named else None)
        for number, doc in enumerate(docs)
    ]


def prepared(requests: list[Request], workers: WorkerPool | None = None) -> list[EncodedRequest | Response]:
    """The encoded requests or responses, in the order of the requests."""
    settings = read_endpoint_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "frames"})
    pipe = Pipeline(EndpointEncoder(settings), workers, open_ledger(), settings)
    found: list[EncodedRequest | Response] = []
    for job in pipe.ready(requests):
        found += [*job.responses, *(request for request, _ in job.ready)]
        for _, share in job.ready:
            pipe.release(share)
    pipe.end()
    return sorted(found, key=lambda one: one.request.doc_id)


def summary(found: list[EncodedRequest | Response]) -> list[Any]:
    return [one.error if isinstance(one, Response) else (one.stats, len(one.encoded.pieces)) for one in found]


def test_a_server_that_holds_its_replies_back_gets_eight_requests_at_once(release: Path) -> None:
    holding = HoldingServer(release, enough=8)
    with hub.serving(holding) as server:
        found = prepared(requests_to(server.url))
    assert holding.most_open >= 8
    assert len(found) == 2 * CLIPS


@pytest.mark.parametrize("workers", [False, True])
def test_results_order_and_failures_are_the_same_as_for_local_files(release: Path, workers: bool) -> None:
    settings = read_endpoint_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "frames"})
    pool = WorkerPool(partial(EndpointEncoder, settings), 2, limit=60) if workers else None
    here = prepared(requests_to(str(release)))
    with hub.serving(hub.folder(release)) as server:
        fetched = prepared(requests_to(server.url), pool)
    if pool is not None:
        pool.close()
    assert [one.request.doc_id for one in fetched] == list(range(2 * CLIPS))
    assert [isinstance(one, Response) for one in fetched] == [isinstance(one, Response) for one in here]
    assert [one.request.doc_id for one in fetched if isinstance(one, Response)] == [5, 5 + CLIPS]
    assert all("05.mp4 is not an audio or video file" in one.error for one in fetched if isinstance(one, Response))
    good = [one for one in summary(fetched) if not isinstance(one, str)]
    assert good == [one for one in summary(here) if not isinstance(one, str)]


def test_a_run_without_requests_ends() -> None:
    """A process may get none, where there are more processes than questions."""
    assert prepared([]) == []


def test_each_clip_is_fetched_once(release: Path) -> None:
    with hub.serving(hub.folder(release)) as server:
        prepared(requests_to(server.url))
        sent = [one.path for one in server.settled().requests if one.path.endswith(".mp4") and one.sent]
    assert sorted(sent) == sorted(set(sent))
    assert len(sent) == CLIPS


def clips_asked_for(server: hub.Server) -> int:
    return len({one.path for one in server.settled().requests if one.path.endswith(".mp4")})


def test_the_limit_of_clips_is_fetched_ahead_and_no_more(release: Path) -> None:
    settings = read_endpoint_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "frames"})
    pipe = Pipeline(EndpointEncoder(settings), None, open_ledger(), settings)
    with hub.serving(hub.folder(release)) as server:
        jobs = pipe.ready(requests_to(server.url))
        next(jobs)
        assert pipe._fetching._prefetch is not None
        state = pipe._fetching._prefetch._state
        until(lambda: state.waiting == fetching._MOST_FETCHED and not state.running)  # there is no room for more
        assert clips_asked_for(server) == state.taken == fetching._MOST_FETCHED + 1
        jobs.close()
        pipe.end()


def test_tasks_that_do_not_name_their_clips_are_called_by_one_thread_at_a_time() -> None:
    lock, inside = threading.Lock(), [0, 0]

    def messages() -> Any:
        with lock:
            inside[0] += 1
            inside[1] = max(inside)
        time.sleep(0.002)
        with lock:
            inside[0] -= 1
        return [{"role": "user", "content": "Who?"}]

    assert len(prepared([Request("task", number, {}, messages) for number in range(50)])) == 50
    assert inside[1] == 1


def test_a_run_that_is_left_does_not_wait_for_downloads(release: Path) -> None:
    resume, over = threading.Event(), threading.Event()

    def hanging() -> Any:
        resume.wait(LIMIT)
        over.set()
        return []

    settings = read_endpoint_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "frames"})
    pipe = Pipeline(EndpointEncoder(settings), None, open_ledger(), settings)
    first = requests_to(str(release))[0]
    jobs = pipe.ready([first, *(Request("task", number, {}, hanging, number) for number in range(20))])
    next(jobs)
    jobs.close()
    pipe.end()
    assert not over.is_set()
    resume.set()
