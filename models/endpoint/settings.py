"""The arguments of `--model humansense_server`. They are checked before a request is sent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import PositiveFloat, PositiveInt

from ..runtime.arguments import read_settings
from ..runtime.settings import RunSettings

NO_KEY = "none"
"""The key that is sent if the user gives none. Servers that need no key ignore it."""


@dataclass(frozen=True)
class EndpointSettings(RunSettings):
    """The arguments of a served model.

    Attributes:
        base_url: The address before `/chat/completions`.
        model: The name of the model on the server.
        media: How media are sent. "vllm": clips with their sound, and sounds, as vLLM takes them. "frames": pictures,
            and sounds. "frames-only": pictures.
        concurrency: How many requests may be open at once.
        api_key_env: The environment variable that holds the key.
        family: With `media=vllm`: the family of the served model, by the `model_type` of its checkpoint. Without it:
            the server is asked.
        senses: "check" finds out before the first request whether sounds and pictures arrive at the model.
        frame_format: With "frames" and "frames-only": how pictures are packed. "png" is lossless; "jpeg" (quality 95,
            no chroma subsampling) has a third to a half of its size.
        timeout: The most seconds of one try.
        deadline: The most seconds of all tries of a request together.
    """

    base_url: str
    model: str
    media: Literal["vllm", "frames", "frames-only"]
    concurrency: PositiveInt = 8
    api_key_env: str = "OPENAI_API_KEY"
    family: Literal["qwen2_5_omni", "qwen3_omni_moe"] | None = None
    senses: Literal["check", "off"] = "check"
    frame_format: Literal["jpeg", "png"] = "jpeg"
    timeout: PositiveFloat = 300.0
    deadline: PositiveFloat = 900.0

    @property
    def shown_url(self) -> str:
        """The address without user name, password and query, for logs and results."""
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def is_unprotected(self) -> bool:
        """Whether requests cross the network without encryption."""
        return urlsplit(self.base_url).scheme == "http" and not self.is_loopback

    @property
    def api_key(self) -> str:
        """The key, which is only read from the environment; `NO_KEY` if there is none."""
        return os.environ.get(self.api_key_env, "").strip() or NO_KEY


def read_endpoint_settings(arguments: Mapping[str, Any]) -> EndpointSettings:
    """Read the arguments of `humansense_server`.

    Args:
        arguments: The values by name. None is the same as no value.

    Returns:
        The checked settings.

    Raises:
        ValueError: An argument is not valid (see `read_settings`), arguments contradict each other, or the environment
            has no key for a server on another machine.
    """
    needed = {
        "base_url": "the address before /chat/completions, such as http://localhost:8000/v1",
        "model": "the name of the model on the server",
        "media": "how media are sent: vllm, frames or frames-only",
    }
    settings = read_settings(EndpointSettings, arguments, needed, "humansense_server")
    _check_address(settings)
    _check_media(settings)
    if settings.api_key == NO_KEY and not settings.is_loopback:
        raise ValueError(
            f"{settings.shown_url} is not on this machine and the environment variable {settings.api_key_env} holds no "
            "key; set it (to any text if the server needs no key), or name another variable with api_key_env=."
        )
    return settings


def _check_address(settings: EndpointSettings) -> None:
    parts = urlsplit(settings.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"base_url={settings.shown_url} is not the address of a server, such as http://localhost:8000/v1."
        )
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"base_url={settings.shown_url} was given with a user name, password or query, which the results would "
            "contain; put the key into the environment variable that api_key_env= names."
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError(
            f"base_url={settings.shown_url} is the address of the call itself; leave out /chat/completions."
        )


def _check_media(settings: EndpointSettings) -> None:
    if settings.family is not None and settings.media != "vllm":
        raise ValueError(f"family is for media=vllm; with media={settings.media}, it has no effect.")
    if settings.deadline < settings.timeout:
        raise ValueError(
            f"deadline={settings.deadline:g} is shorter than timeout={settings.timeout:g}, the limit of one try."
        )
