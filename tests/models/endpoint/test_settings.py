"""The arguments of a served model: which are needed, which are refused, and where a key may come from."""

from typing import Any

import pytest

from lmms_humansense.models.endpoint.settings import EndpointSettings, read_endpoint_settings


def read(**arguments: Any) -> EndpointSettings:
    return read_endpoint_settings(
        {"base_url": "http://localhost:8000/v1", "model": "m", "media": "frames", **arguments}
    )


def test_three_arguments_are_needed() -> None:
    settings = read(concurrency="64", frames=None)
    assert (settings.concurrency, settings.frames, settings.frame_format, settings.on_error) == (
        64, "release", "jpeg", "continue"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"base_url": None}, "humansense_server needs base_url=, the address before /chat/completions"),
        ({"model": ""}, "needs model=, the name of the model on the server"),
        ({"media": None}, "needs media=, how media are sent: vllm, frames or frames-only"),
        ({"media": "video"}, "media=video: the value should be 'vllm', 'frames' or 'frames-only'"),
        ({"pretrained": "x"}, "humansense_server has no argument 'pretrained'"),
        ({"concurency": 4}, "has no argument 'concurency'. Did you mean concurrency?"),
        ({"concurrency": 0}, "concurrency=0: the value should be greater than 0"),
        ({"timeout": "soon"}, "timeout=soon: the value should be a valid number"),
        ({"fps": 1, "nframes": 8}, "humansense_server takes fps or nframes, not both"),
        ({"frame_format": "gif"}, "frame_format=gif: the value should be 'jpeg' or 'png'"),
        ({"timeout": 60, "deadline": 30}, "deadline=30 is shorter than timeout=60"),
        ({"base_url": "localhost:8000"}, "is not the address of a server"),
        ({"base_url": "ftp://localhost/v1"}, "is not the address of a server"),
        ({"base_url": "http://localhost/v1/chat/completions"}, "leave out /chat/completions"),
        ({"base_url": "https://me:hunter2@example.org/v1"}, "https://example.org/v1 was given with a user"),
        ({"base_url": "https://example.org/v1?key=hunter2"}, "https://example.org/v1 was given with a user"),
        ({"family": "qwen2_5_omni"}, "family is for media=vllm"),
        ({"media": "vllm", "family": "llava"}, "'qwen2_5_omni' or 'qwen3_omni_moe'"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        read(**arguments)
    assert sentence in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_a_server_on_this_machine_needs_no_key(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = read(base_url=f"http://{host}:8000/v1")
    assert (settings.is_loopback, settings.is_unprotected) == (True, False)


def test_for_another_machine_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="the environment variable OPENAI_API_KEY holds no key"):
        read(base_url="https://example.org/v1")
    monkeypatch.setenv("MY_KEY", " secret ")
    settings = read(base_url="http://example.org/v1", api_key_env="MY_KEY")
    assert settings.api_key == "secret"
    assert settings.is_unprotected
    assert "secret" not in repr(settings)
