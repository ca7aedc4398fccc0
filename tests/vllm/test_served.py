"""A real vLLM server gives the prompts and answers of the local model, or a sentence says why it cannot."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.runner import EndpointRunner
from lmms_humansense.models.endpoint.senses import fault_of, find_senses
from lmms_humansense.models.endpoint.settings import EndpointSettings
from lmms_humansense.models.inputs.vllm_faults import BETWEEN, ENDS, ORDER, PARTS, POSITIONS
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import Request, Response
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.tasks.humansense.variants import BENCHMARK
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.commands import run
from tests.helpers.ledgers import open_ledger
from tests.helpers.proxies import proxy
from tests.helpers.vllm_runs import (
    Answered,
    between_whole_positions,
    local_answers,
    of_tasks,
    questions,
    requests_of,
)
from tests.helpers.vllm_servers import MODEL, VllmServer, served_answers, settings_for, vllm_server

TRUST = "--trust-request-mm-kwargs"
QWEN2_5, QWEN3 = "qwen2_5_omni", "qwen3_omni_moe"

ServerOf = Callable[..., VllmServer]
LocalOf = Callable[..., dict[str, Answered]]
DifferingOf = Callable[[EndpointSettings, str], tuple[set[str], set[str]]]


@pytest.fixture(scope="module")
def server_of(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerOf]:
    """Starts a server; the one before is ended, unless it is the same."""
    running: list[tuple[Any, Any, VllmServer]] = []
    log = tmp_path_factory.mktemp("servers") / "log"

    def server_of(family: str, mended: bool = True, *flags: str) -> VllmServer:
        described = family, mended, flags
        if not running or running[0][0] != described:
            if running:
                running.pop()[1].__exit__(None, None, None)
            context = vllm_server(checkpoint(family), log, mended, *flags)
            running.append((described, context, context.__enter__()))
        return running[0][2]

    yield server_of
    if running:
        running.pop()[1].__exit__(None, None, None)


@pytest.fixture(scope="module")
def local_of(checkpoint: Callable[[str], Path]) -> LocalOf:
    """The answers of the local model to all questions of the sample; of all variants on the release's axis."""

    @cache
    def local_of(family: str, axis: str) -> dict[str, Answered]:
        settings = read_local_settings({"pretrained": str(checkpoint(family)), "time_axis": axis})
        asked: Any = SimpleNamespace(settings=settings)
        return dict(local_answers(asked, requests_of(asked_on(axis))))

    return local_of


def asked_on(axis: str) -> dict[str, list[dict[str, Any]]]:
    return questions() if axis == "release" else questions(variants=[BENCHMARK])


def heard(said: Sequence[dict[str, Any]]) -> bool:
    """Whether messages show a clip with its sound."""
    return {"video", "audio"} <= {part["type"] for message in said for part in message["content"]}


def run_served(
    settings: EndpointSettings, requests: Sequence[Request], on_response: Callable[[], Any] = lambda: None
) -> dict[str, Response]:
    """The responses of a run, by the names of the questions."""
    client, ledger = EndpointClient(settings), open_ledger()
    pipeline = Pipeline(EndpointEncoder(settings, client.vllm_server()), None, ledger, settings)
    runner = EndpointRunner(client, settings, pipeline, ledger, SigtermGuard())
    responses = list(runner.run(requests, on_response))
    assert [response.request for response in responses] == list(requests)
    return {response.request.task: response for response in responses}


@pytest.fixture(scope="module")
def differing(local_of: LocalOf) -> DifferingOf:
    """Asks a server every question; prints and returns which prompts and which answers are not the local model's."""

    def differing(settings: EndpointSettings, family: str) -> tuple[set[str], set[str]]:
        axis = settings.time_axis
        theirs, ours = local_of(family, axis), served_answers(settings, requests_of(asked_on(axis)))
        assert len({answered.text for answered in theirs.values()}) > 10
        prompts = {name for name in theirs if ours[name].ids != theirs[name].ids}
        answers = {name for name in theirs if ours[name] != theirs[name]}
        print(f"{family}, {axis}: of {len(theirs)}, prompts {sorted(prompts)} and answers {sorted(answers)} differ")
        return prompts, answers

    return differing


@pytest.fixture(scope="module")
def between(checkpoint: Callable[[str], Path]) -> set[str]:
    """The questions that vLLM places otherwise: Qwen3-Omni's true axis has tokens between whole positions."""
    settings = read_local_settings({"pretrained": str(checkpoint("qwen3_omni_moe")), "time_axis": "true"})
    return between_whole_positions(settings, requests_of(asked_on("true")))


@cache
def faults_by_question(settings: EndpointSettings) -> dict[str, tuple[str, ...]]:
    """The faults of vLLM that each question is marked with."""
    encoder = EndpointEncoder(settings, EndpointClient(settings).vllm_server())
    requests = requests_of(asked_on(settings.time_axis))
    return {
        request.task: encoder.encode([encoder.read(request.messages())])[0].stats.vllm_faults for request in requests
    }


# The tests are in the order of their servers, each of which takes minutes to start.


def test_qwen3_omni_on_the_true_axis_differs_only_between_whole_positions(
    server_of: ServerOf, differing: DifferingOf, between: set[str]
) -> None:
    settings = settings_for(server_of(QWEN3, True, TRUST), time_axis="true")
    prompts, answers = differing(settings, QWEN3)
    assert not prompts
    assert answers <= between
    marked = faults_by_question(settings)
    assert {name for name, faults in marked.items() if faults} == between
    assert {fault for faults in marked.values() for fault in faults} == {BETWEEN}


@pytest.mark.parametrize(("family", "axis"), [(QWEN3, "release"), (QWEN2_5, "release"), (QWEN2_5, "true")])
def test_with_the_package_in_the_server_all_prompts_and_answers_are_those_of_the_local_model(
    server_of: ServerOf, differing: DifferingOf, family: str, axis: str
) -> None:
    settings = settings_for(server_of(family, True, TRUST), time_axis=axis)
    assert EndpointClient(settings).vllm_server().mended
    assert differing(settings, family) == (set(), set())


@pytest.fixture
def settings(server_of: ServerOf) -> Callable[..., EndpointSettings]:
    return lambda **arguments: settings_for(server_of("qwen2_5_omni", True, TRUST), **arguments)


def test_64_requests_at_once(settings: Callable[..., EndpointSettings], local_of: LocalOf) -> None:
    given = settings(concurrency=64)
    with proxy(given.base_url, together=64) as counting:
        responses = run_served(replace(given, base_url=counting.url), requests_of(questions()))
    assert counting.most_open == 64
    theirs = local_of("qwen2_5_omni", "release")
    assert {name: one.text for name, one in responses.items()} == {name: one.text for name, one in theirs.items()}
    assert {name: one.input_tokens for name, one in responses.items()} == {
        name: len(one.ids) for name, one in theirs.items()
    }


def test_the_senses_of_a_right_server(settings: Callable[..., EndpointSettings], tmp_path: Path) -> None:
    found = settings()
    done = run(
        sys.executable, "-m", "lmms_humansense", "check-senses", "--model_args",
        f"base_url={found.base_url},model={MODEL},media=vllm", cwd=tmp_path,
    )  # fmt: skip
    assert "pictures: arrive\nsounds: arrive\nPrompt tokens: text alone" in done.stdout


def test_what_cannot_be_asked_fails_alone(settings: Callable[..., EndpointSettings], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((ROOT / "videos" / "count" / "parade.mp4").read_bytes()[:20_000])
    clip = {"type": "video", "url": str(broken), "fps": 1.0}
    asked: dict[str, list[dict[str, Any]]] = {
        "long": [{"role": "user", "content": [{"type": "text", "text": "Who? " * 40_000}]}],
        "unreadable": [{"role": "user", "content": [clip, {"type": "text", "text": "Who?"}]}],
        **of_tasks("TR"),
    }
    responses = run_served(settings(max_failures=2), requests_of(asked))
    failed = {name: response.error for name, response in responses.items() if response.text is None}
    assert list(failed) == ["long", "unreadable"]
    assert "HTTP 400" in failed["long"]
    assert "32768" in failed["long"]
    assert "MediaError" in failed["unreadable"]


def test_a_clip_of_40_megabytes_is_heard(
    settings: Callable[..., EndpointSettings], checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    """vLLM refuses files of this size with sound; it gets only the frames that are shown."""
    path = tmp_path / "large.mov"
    write_large(path)
    assert path.stat().st_size > 40e6
    clip = {"type": "video", "url": str(path), "fps": 0.5, "time_axis": "release"}
    content: list[dict[str, Any]] = [clip, {"type": "audio", "url": str(path)}, {"type": "text", "text": "Who speaks?"}]
    asked: dict[str, list[dict[str, Any]]] = {"large": [{"role": "user", "content": content}]}
    requests = requests_of(asked)
    local: Any = SimpleNamespace(settings=read_local_settings({"pretrained": str(checkpoint("qwen2_5_omni"))}))
    theirs = dict(local_answers(local, requests))
    assert served_answers(settings(), requests) == theirs
    assert len(theirs["large"].ids) > 500  # 20 s of sound alone have as many


def write_large(path: Path) -> None:
    """Write 20 s of noise, with a sound."""
    chance = np.random.default_rng(0)
    with av.open(path, "w", format="mov") as container:
        pictures = container.add_stream("rawvideo", rate=10, width=320, height=240, pix_fmt="rgb24")
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for _ in range(200):
            noise = chance.integers(0, 255, (240, 320, 3), dtype=np.uint8)
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(pictures.encode())
        samples = (chance.normal(0, 3000, (1, 20 * 16_000))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())


def test_a_server_that_is_killed_and_started_again_in_mid_run_loses_no_question(
    server_of: ServerOf, settings: Callable[..., EndpointSettings], local_of: LocalOf
) -> None:
    server = server_of("qwen2_5_omni", True, TRUST)
    asked = questions(variants=[BENCHMARK])
    answered = 0

    def restart() -> None:
        server.kill()
        server.start()

    def on_response() -> None:
        nonlocal answered
        answered += 1
        if answered == 5:
            threading.Thread(target=restart).start()

    responses = run_served(settings(concurrency=2), requests_of(asked), on_response)
    server.wait()
    theirs = local_of("qwen2_5_omni", "release")
    assert {name: one.text for name, one in responses.items()} == {name: theirs[name].text for name in asked}


@pytest.mark.parametrize("axis", ["release", "true"])
def test_without_the_package_only_heard_clips_differ(server_of: ServerOf, differing: DifferingOf, axis: str) -> None:
    """If this fails with a new vLLM, its faults may be corrected there: see docs/vllm.md and `mends.py`."""
    settings = settings_for(server_of(QWEN2_5, False, TRUST), time_axis=axis)
    assert not EndpointClient(settings).vllm_server().mended
    prompts, answers = differing(settings, QWEN2_5)
    marked = faults_by_question(settings)
    assert answers
    assert answers <= {name for name, faults in marked.items() if POSITIONS in faults}
    assert prompts <= {name for name, faults in marked.items() if ORDER in faults}
    assert {name for name, faults in marked.items() if faults} == {
        name for name, said in asked_on(axis).items() if heard(said)
    }


@pytest.mark.parametrize("axis", ["release", "true"])
def test_qwen3_omni_without_the_package(
    server_of: ServerOf, differing: DifferingOf, between: set[str], axis: str
) -> None:
    settings = settings_for(server_of(QWEN3, False, TRUST), time_axis=axis)
    prompts, answers = differing(settings, QWEN3)
    assert not prompts
    assert answers <= (between if axis == "true" else set())
    marked = faults_by_question(settings)
    assert {name for name, faults in marked.items() if BETWEEN in faults} == (between if axis == "true" else set())
    assert all((POSITIONS in faults) == (axis == "true" and PARTS in faults) for faults in marked.values())
    assert any(faults == (ENDS,) for faults in marked.values())


def test_a_server_without_the_flag_or_without_pictures_is_stopped_by_name(server_of: ServerOf) -> None:
    server = server_of("qwen2_5_omni", False, "--limit-mm-per-prompt", '{"image": 0}')
    for media, said in (
        ("vllm", "refuses pictures (HTTP 400: Per-request mm_processor_kwargs are disabled by default"),
        ("frames", "refuses pictures (HTTP 400: "),
    ):
        settings = settings_for(server, media=media)
        client = EndpointClient(settings)
        encoder = EndpointEncoder(settings, client.vllm_server() if media == "vllm" else None)
        found = find_senses(client, encoder)
        assert found is not None
        fault = fault_of(found, settings)
        assert fault is not None
        assert said in fault
    done = run(
        sys.executable, "-m", "lmms_humansense", "run", "--model", "humansense_server", "--model_args",
        f"base_url={server.url},model={MODEL},media=vllm", "--tasks", "humansense_sample_tr", cwd=server.log.parent,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "start vLLM with an omni model and --trust-request-mm-kwargs" in done.stdout + done.stderr
