"""Real worker processes: results are bit-identical, a killed worker costs one clip, and no process is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import joblib
import psutil
import pytest
import torch

from lmms_humansense.models.inputs.conversation import Conversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.settings import LocalSettings, read_local_settings
from lmms_humansense.models.runtime import worker_pool
from lmms_humansense.models.runtime.ipc import ClosedError
from lmms_humansense.models.runtime.request import EncodingResult
from lmms_humansense.models.runtime.worker_pool import WorkerPool, cores_left, worker_count
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import clips
from tests.helpers.engines import local_workers
from tests.helpers.shared_memory import shared_memory
from tests.helpers.stuck import StuckEncoding, StuckLoading, StuckLocalEncoder
from tests.helpers.waits import LIMIT, until

SENSES = {"wrapper": "humansense_omni"}


def settings_of(checkpoint: Path, **arguments: Any) -> LocalSettings:
    return read_local_settings({"pretrained": str(checkpoint), "device": "cpu", **arguments})


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> LocalEncoder:
    return LocalEncoder(settings_of(tiny_model), "qwen2_5_omni")


@pytest.fixture(scope="module")
def pool(tiny_model: Path) -> Iterator[WorkerPool]:
    made = local_workers(settings_of(tiny_model))
    yield made
    made.close()


def ask(url: Path | str, *, heard: bool = False, **hints: Any) -> list[dict[str, Any]]:
    sound = [{"type": "audio", "url": str(url)}] if heard else []
    video = {"type": "video", "url": str(url), **hints}
    return [{"role": "user", "content": [video, *sound, {"type": "text", "text": "What is it?"}]}]


def the_sample(encoder: LocalEncoder) -> list[Conversation]:
    docs = [doc for code in BY_CODE for doc in utils.docs(code, str(ROOT), complete=False)]
    return [encoder.read(utils.doc_to_messages(doc, SENSES)) for doc in docs]


def generated(encoder: LocalEncoder, folder: Path) -> list[Conversation]:
    """Clips of other sizes, rates, codecs and sounds, on both time axes, and media in memory."""
    sound = clips.tones(44_100, 2, seconds=6.0)
    clips.write_sound(folder / "stereo.mp4", sound, 44_100, "aac", late=0.7, pictures=30)
    clips.write_sound(folder / "mono.mkv", clips.tones(8_000, 1, seconds=5.0), 8_000, "pcm_s16le", pictures=25)
    clips.write_video(folder / "odd.mp4", frames=41, size=(150, 98), options={"g": "7"})
    clips.write_video(folder / "old.avi", frames=30, codec="mpeg4")
    messages = [
        ask(folder / "stereo.mp4", heard=True),
        ask(folder / "stereo.mp4", heard=True, time_axis="release", fps=0.5),
        ask(folder / "mono.mkv", heard=True, max_pixels=151_200),
        ask(folder / "odd.mp4", fps=0.7),
        ask(folder / "old.avi", time_axis="release"),
        [{"role": "user", "content": [{"type": "audio", "url": {"array": sound[0], "sampling_rate": 44_100}}]}],
        [{"role": "user", "content": [{"type": "image", "url": clips.picture(3)}, {"type": "text", "text": "Who?"}]}],
    ]
    return [encoder.read(one) for one in messages]


def assert_identical(got: list[EncodingResult], expected: list[EncodingResult]) -> None:
    for one, other in zip(got, expected, strict=True):
        assert (one.reason, one.stats, one.remarks) == (other.reason, other.stats, other.remarks)
        assert isinstance(one.encoded, EncodedPrompt) and isinstance(other.encoded, EncodedPrompt)
        assert one.encoded.has_heard_video == other.encoded.has_heard_video
        assert one.encoded.has_silent_video == other.encoded.has_silent_video
        assert one.encoded.tensors.keys() == other.encoded.tensors.keys()
        for name, value in other.encoded.tensors.items():
            assert one.encoded.tensors[name].dtype == value.dtype, name
            assert torch.equal(one.encoded.tensors[name], value), name


@pytest.mark.parametrize(
    "make",
    [pytest.param(lambda encoder, folder: the_sample(encoder), id="sample", marks=pytest.mark.slow),
     pytest.param(generated, id="generated")],
)  # fmt: skip
def test_inputs_are_bit_identical_to_those_made_one_by_one(
    encoder: LocalEncoder, pool: WorkerPool, tmp_path: Path, make: Callable[[LocalEncoder, Path], list[Conversation]]
) -> None:
    conversations = make(encoder, tmp_path)
    # The simple way: each conversation alone, without any sharing or cache.
    serial = [EncodingResult(encoder.family.encode(made), made.stats, tuple(made.remarks))
              for made in map(encoder.decode, conversations)]  # fmt: skip
    worker = pool.worker()
    assert_identical([outcome for one in conversations for outcome in worker.encode([one])], serial)
    assert_identical(worker.encode(conversations), serial)
    worker.close()


def test_samples_about_one_clip_share_its_memory(encoder: LocalEncoder, pool: WorkerPool) -> None:
    messages = [ask(ROOT / "videos" / "count" / "park.mp4", fps=1.0) for _ in range(2)]
    messages[1][0]["content"][-1]["text"] = "And who is that, over there?"
    worker = pool.worker()
    first, second = worker.encode([encoder.read(one) for one in messages])
    worker.close()
    assert isinstance(first.encoded, EncodedPrompt) and isinstance(second.encoded, EncodedPrompt)
    assert first.encoded.tensors["pixel_values_videos"] is second.encoded.tensors["pixel_values_videos"]
    assert first.encoded.tokens != second.encoded.tokens


def test_a_failing_clip_is_reported_with_its_reason(encoder: LocalEncoder, pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    worker = pool.worker()
    good = ask(ROOT / "videos" / "count" / "park.mp4")
    broken, fine = worker.encode([encoder.read(ask(tmp_path / "broken.mp4")), encoder.read(good)])
    worker.close()
    assert broken.reason.startswith(f"MediaError: {tmp_path / 'broken.mp4'} is not an audio or video file")
    assert "Traceback" in broken.trace
    assert fine.encoded is not None


def test_a_conversation_that_cannot_be_sent_fails_with_its_reason(encoder: LocalEncoder, pool: WorkerPool) -> None:
    odd = encoder.read([{"role": "user", "content": [{"type": "image", "url": threading.Lock()}]}])
    worker = pool.worker()
    (outcome,) = worker.encode([odd])
    assert "pickle" in outcome.reason
    assert worker.encode([encoder.read(ask(ROOT / "videos" / "count" / "park.mp4"))])[0].encoded is not None
    worker.close()


def test_a_worker_that_is_killed_costs_its_clip_and_is_replaced(encoder: LocalEncoder, pool: WorkerPool) -> None:
    good = encoder.read(ask(ROOT / "videos" / "count" / "park.mp4"))
    worker = pool.worker()
    killed = worker._pid
    os.kill(killed, signal.SIGKILL)
    (outcome,) = worker.encode([good])
    park = ROOT / "videos" / "count" / "park.mp4"
    assert outcome.reason.startswith(f"WorkerError: The process that decoded {park} ended (a fault in a decoder")
    assert worker.encode([good])[0].encoded is not None
    assert worker._pid != killed
    worker.close()


def test_if_a_worker_is_killed_the_clips_of_its_job_are_tried_one_by_one(
    encoder: LocalEncoder, pool: WorkerPool
) -> None:
    conversations = [encoder.read(ask(ROOT / "videos" / "count" / name)) for name in ("park.mp4", "parade.mp4")]
    worker = pool.worker()
    os.kill(worker._pid, signal.SIGKILL)
    assert all(outcome.encoded is not None for outcome in worker.encode(conversations))
    worker.close()


def test_a_stalled_worker_is_given_up(encoder: LocalEncoder, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, media_timeout=0.02)
    hurried = WorkerPool(partial(StuckLocalEncoder, settings, "qwen2_5_omni"), 1, settings.media_timeout)
    worker = hurried.worker()
    stuck = psutil.Process(worker._pid)
    (outcome,) = worker.encode([encoder.read(ask(ROOT / "videos" / "count" / "parade.mp4", nframes=70))])
    assert "parade.mp4 took more than 0.02 s and was given up; media_timeout= sets this limit." in outcome.reason
    assert outcome.reason.startswith("StalledError: Decoding ")
    assert worker._pid != stuck.pid
    until(lambda: not stuck.is_running())
    hurried.close()


@pytest.mark.slow
def test_if_the_first_process_has_ended_another_is_started(tiny_model: Path, encoder: LocalEncoder) -> None:
    pool = local_workers(settings_of(tiny_model))
    worker = pool.worker()
    pool._first.kill()
    pool._first.wait()
    good = encoder.read(ask(ROOT / "videos" / "count" / "park.mp4"))
    worker.encode([good])  # this worker ended with the first process, or is about to
    assert worker.encode([good])[0].encoded is not None
    pool.close()


def test_workers_that_cannot_load_say_why(tmp_path: Path) -> None:
    pool = local_workers(LocalSettings(str(tmp_path)))
    with pytest.raises(RuntimeError, match=r"use media_workers=0 to run without them: (?s:.*)cannot be loaded"):
        pool.worker()
    pool.close()


def test_the_process_that_is_forked_has_no_threads(pool: WorkerPool) -> None:
    pool.worker().close()  # it is ready
    first = pool._first.pid
    threads = {path.parent.name: path.read_text().strip() for path in Path(f"/proc/{first}/task").glob("*/comm")}
    del threads[str(first)]
    # pyarrow's allocator cleans up in a thread of its own, and handles forks.
    assert set(threads.values()) <= {"jemalloc_bg_thd"}


def test_a_system_without_workers_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "send_fds")
    assert worker_count(LocalSettings("x"), torch.device("cuda")) == 0
    with pytest.raises(ValueError, match="media_workers=2 is not possible on this system; use media_workers=0"):
        worker_count(LocalSettings("x", media_workers=2), torch.device("cuda"))


def processes_of(pool: WorkerPool) -> list[psutil.Process]:
    first = psutil.Process(pool._first.pid)
    return [first, *first.children(recursive=True)]


def left(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still exist, including zombies."""
    return [process for process in processes if process.is_running()]


@pytest.fixture
def _without_kill_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that do not end at once are not killed after some seconds, which would look the same."""
    monkeypatch.setattr(worker_pool, "_END_LIMIT", 2 * LIMIT)


@pytest.mark.usefixtures("_without_kill_timeout")
def test_closing_ends_every_process_at_once_and_leaves_no_zombie(encoder: LocalEncoder, tmp_path: Path) -> None:
    pool = WorkerPool(partial(StuckEncoding, tmp_path), 3, limit=2 * LIMIT)
    workers = [pool.worker() for _ in range(3)]
    processes = processes_of(pool)
    assert len(processes) == 4
    clip = encoder.read(ask(ROOT / "videos" / "count" / "parade.mp4"))
    threads = [threading.Thread(target=_ignoring_errors, args=[one, [clip] * 20]) for one in workers]
    for thread in threads:
        thread.start()
    until(lambda: {path.name for path in tmp_path.iterdir()} == {str(worker._pid) for worker in workers})
    pool.close()  # returns, although the workers never finish
    assert pool._first.returncode == 0
    assert left(processes) == []
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def _ignoring_errors(worker: Any, conversations: list[Conversation]) -> None:
    try:
        worker.encode(conversations)
    except ClosedError:
        return


@pytest.mark.usefixtures("_without_kill_timeout")
def test_closing_does_not_wait_for_a_process_that_loads(tmp_path: Path) -> None:
    pool = WorkerPool(partial(StuckLoading, tmp_path), 1, limit=2 * LIMIT)
    until(lambda: any(tmp_path.iterdir()))
    processes = processes_of(pool)
    pool.close()
    assert pool._first.returncode == -signal.SIGKILL  # while it loaded
    assert left(processes) == []


def test_a_worker_that_has_ended_is_not_kept_as_a_zombie(pool: WorkerPool) -> None:
    worker = pool.worker()
    process = psutil.Process(worker._pid)
    worker.close()
    until(lambda: not process.is_running())  # a zombie still counts as running


PROGRAM = """
import os, signal, sys
from types import SimpleNamespace
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background processes ignore it
from lmms_humansense.models.omni import HumanSenseOmni
clip = {"type": "video", "url": sys.argv[2], "nframes": 70}
message = [{"role": "user", "content": [clip, {"type": "text", "text": "Who?"}]}]
model = HumanSenseOmni(sys.argv[1], device="cpu", media_workers=2)
model.task_dict = {"task": {"test": [None] * 500}}
args = lambda place: ("", lambda doc: message, {"max_new_tokens": 2}, place, "task", "test")
for result in model.generate_until([SimpleNamespace(args=args(place), metadata=None) for place in range(500)]):
    print("answered", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 3), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_however_the_program_ends_its_workers_end_with_it(tiny_model: Path, number: int, status: int) -> None:
    clip = str(ROOT / "videos" / "count" / "parade.mp4")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", PROGRAM, str(tiny_model), clip]
    with subprocess.Popen(command, start_new_session=True, **pipes) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "answered\n"
        until(lambda: len(psutil.Process(program.pid).children(recursive=True)) == 3)
        started = psutil.Process(program.pid).children(recursive=True)
        memory = sum(map(shared_memory, [program.pid, *(process.pid for process in started)]), Counter[str]())
        # Ctrl-C reaches every process of a terminal, the other signals only the program.
        (os.killpg if number == signal.SIGINT else os.kill)(program.pid, number)
        _, errors = program.communicate(timeout=LIMIT)
    assert program.returncode in (status, -number)
    until(lambda: left(started) == [])
    assert [name for name in memory if not name.endswith(" (deleted)")] == []  # memory with a name could be left behind
    if number == signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert errors.count("Traceback") == 1


@pytest.mark.parametrize(
    ("device", "cores", "processes", "expected"),
    [("cuda", 16, 1, 8), ("cuda", 16, 4, 3), ("cuda", 4, 8, 1), ("cuda", 1, 1, 1), ("cpu", 16, 1, 2), ("cpu", 1, 1, 1)],
)
def test_the_number_of_workers_follows_the_cores(
    monkeypatch: pytest.MonkeyPatch, device: str, cores: int, processes: int, expected: int
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert worker_count(LocalSettings("x"), torch.device(device)) == expected
    assert worker_count(LocalSettings("x", media_workers=5), torch.device(device)) == 5
    assert worker_count(LocalSettings("x", media_workers=0), torch.device(device)) == 0


def test_a_model_on_the_cpu_leaves_cores_to_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    before = torch.get_num_threads()
    for device, count, expected in (("cpu", 3, 1), ("cpu", 0, before), ("cuda", 3, before), ("cpu", 9, 1)):
        pool = SimpleNamespace(count=count) if count else None
        with cores_left(torch.device(device), cast(WorkerPool | None, pool)):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == before
