"""Served models: a real server answers like the local model, no secret is written, and no question is asked twice."""

import base64
import io
import json
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger
from PIL import Image

from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.payload import Payload
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.local.engine import Engine
from lmms_humansense.models.local.settings import read_local_settings
from lmms_humansense.models.server import HumanSenseServer
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense.metrics.scoring import without_mark
from lmms_humansense.tasks.humansense.prompts import SYSTEM_PROMPT
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.chat_server import ChatServer, answer
from tests.helpers.commands import responses_of, results_of, run
from tests.helpers.engines import encoded

GENERATION = {"max_new_tokens": 8, "until": [], "do_sample": False}


def heard(part: dict[str, Any]) -> dict[str, Any]:
    with wave.open(io.BytesIO(base64.b64decode(part["data"]))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 2**15
    return {"array": samples, "sampling_rate": 16_000}


def seen(part: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(part["url"].partition(",")[2])))


def as_raw(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A payload for a server, as messages of a task: the same pictures and sounds, already decoded."""
    forms: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "text": lambda part: part,
        "image_url": lambda part: {"type": "image", "url": seen(part["image_url"])},
        "input_audio": lambda part: {"type": "audio", "url": heard(part["input_audio"])},
    }
    return [
        {"role": message["role"], "content": [forms[part["type"]](part) for part in message["content"]]}
        for message in messages
    ]


@pytest.mark.slow
def test_a_real_server_answers_as_the_local_model_that_is_fed_the_same(
    evaluate: Any, served: tuple[str, str], tiny_model: Path, tmp_path: Path
) -> None:
    address, name = served
    (tmp_path / "system.txt").write_text(SYSTEM_PROMPT)
    arguments = {
        "base_url": address, "model": name, "media": "frames", "frame_format": "png", "concurrency": "4",
        "system_prompt": str(tmp_path / "system.txt"),
    }  # fmt: skip
    results = evaluate(
        "humansense_sample", model="humansense_server", log_samples=True, gen_kwargs="max_new_tokens=8",
        model_args=",".join(f"{key}={value}" for key, value in arguments.items()),
    )  # fmt: skip
    assert results["results"]["humansense_sample"]["failed,none"] == 0
    wire = EndpointEncoder(read_endpoint_settings(arguments))
    engine = Engine(read_local_settings({"pretrained": str(tiny_model), "device": "cpu"}))
    compared = 0
    for task, samples in results["samples"].items():
        docs = utils.docs(task.removeprefix("humansense_sample_"), str(ROOT), complete=False)
        for sample in samples:
            messages = utils.doc_to_messages(docs[sample["doc_id"]], {"wrapper": "humansense_omni"})
            (sent,) = wire.encode([wire.read(messages)])
            assert isinstance(sent.encoded, Payload)
            prompt = encoded(engine, as_raw(json.loads(sent.encoded.messages)))
            (answer,) = engine.respond([prompt], GENERATION)
            # `transformers serve` also calls a response truncated if its last token, at the limit, ends it.
            cut = answer.tokens == GENERATION["max_new_tokens"]
            assert without_mark(sample["filtered_resps"][0]) == (answer.text, cut), f"{task} doc {sample['doc_id']}"
            assert sample["token_counts"][0]["input_tokens"] == prompt.tokens
            compared += 1
    assert compared == 39
    assert {results["model_info"]["senses"][name] for name in ("sight", "sound")} == {"arrives"}
    usage = results["model_info"]["usage"]
    assert (usage["replies"], usage["retries"], usage["narrowest_window"]) == (39, 0, 4)
    assert usage["prompt_tokens"] > 39 * 200


@pytest.mark.slow
def test_keys_are_written_nowhere_and_answers_are_kept(tmp_path: Path) -> None:
    def command(url: str, output: str) -> str:
        done = run(
            sys.executable, "-m", "lmms_eval", "--model", "humansense_server", "--verbosity", "DEBUG",
            "--tasks", "humansense_sample_hc,humansense_sample_pc", "--log_samples", "--use_cache", "cache",
            "--model_args", f"base_url={url},model=m,media=frames,senses=off,api_key_env=MY_KEY",
            "--output_path", output,
            cwd=tmp_path, MY_KEY="sk-hunter2",
        )  # fmt: skip
        return done.stdout + done.stderr

    with ChatServer(lambda number, _: answer("B")) as server:
        said = command(server.url, "first")
        assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-hunter2"}
        assert len(server.requests) == 6
        said += command(server.url, "second")
        assert len(server.requests) == 6
    assert responses_of(tmp_path / "first") == responses_of(tmp_path / "second")
    info = results_of(tmp_path / "second")["model_info"]
    assert (info["base_url"], info["usage"]["replies"], info["usage"]["answers_of_earlier_runs"]) == (server.url, 0, 6)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert "hunter2" not in said
    assert not [path for path in written if b"hunter2" in path.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("base_url=http://127.0.0.1:9/v1,model=m,media=frames", "base_url=http://127.0.0.1:9/v1 cannot be reached"),
        ("base_url=http://127.0.0.1:9/v1,model=m", "humansense_server needs media=, how media are sent"),
    ],
)
def test_what_cannot_be_asked_ends_at_once_with_a_sentence(evaluate: Any, arguments: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"HumanSense: {sentence}"):
        evaluate("humansense_sample_hc", model="humansense_server", model_args=arguments)


def test_what_others_could_read_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    said: list[str] = []
    number = logger.add(said.append, level="WARNING", format="{message}")
    with ChatServer(lambda number, _: answer("B")) as server:
        # 0.0.0.0 is also this machine, but the address does not say so.
        for host in ("127.0.0.1", "0.0.0.0"):
            HumanSenseServer(base_url=server.url.replace("127.0.0.1", host), model="m", media="frames").clean()
    logger.remove(number)
    (warning,) = said
    assert warning.startswith("The connection to http://0.0.0.0:")
    assert "is not encrypted" in warning


def test_batches_are_the_servers(evaluate: Any) -> None:
    with ChatServer(lambda number, _: answer("B")) as server, pytest.raises(ValueError, match="makes no batches"):
        evaluate(
            "humansense_sample_hc", model="humansense_server", batch_size=8,
            model_args=f"base_url={server.url},model=m,media=frames",
        )  # fmt: skip


@pytest.mark.slow
def test_a_model_that_reasons_in_tags_is_sent_to_the_think_tasks(tmp_path: Path) -> None:
    with ChatServer(lambda number, _: answer("<think>He smiles.</think><answer>B</answer>")) as server:
        done = run(
            sys.executable, "-m", "lmms_humansense", "run", "--model", "humansense_server",
            "--tasks", "humansense_sample_pc,humansense_sample_think_pc", "--output_path", "out",
            "--model_args", f"base_url={server.url},model=m,media=frames", cwd=tmp_path,
        )  # fmt: skip
    (note,) = results_of(tmp_path / "out")["humansense_notes"]
    count = len(responses_of(tmp_path / "out")) // 2
    assert note == (
        f"humansense: {count} of {count} responses have think or answer tags, "
        "for which `paper` gives 0 on these tasks: ask humansense_think."
    )
    assert f"HumanSense: {note}" in done.stdout + done.stderr
    (page,) = (tmp_path / "out").rglob("report.html")
    assert "3 of 3 responses have think or answer tags" in page.read_text(encoding="utf-8")
