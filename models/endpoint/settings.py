"""The arguments of `--model humansense_server`, checked before anything is asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import PositiveFloat, PositiveInt

from ..runtime.arguments import read_settings
from ..runtime.settings import RunSettings

NO_KEY = "none"
"""What is sent as a key where there is none: servers of one's own take any."""


@dataclass(frozen=True)
class EndpointSettings(RunSettings):
    """What a user may say about a served model, and about how it is shown things.

    `base_url` is the address that ends before `/chat/completions`, `model` what the server calls the model. `media`
    says what the server takes: "vllm" whole clips and sounds, "frames" pictures and sounds, "frames-only" pictures.
    `concurrency` is how many requests may be open at once, `api_key_env` the environment variable that holds the key,
    `allowed_path` (of "vllm") the folder whose files the server reads itself, `frame_format` (of "frames" and
    "frames-only") how pictures are packed: "png" keeps every bit. `timeout` is the most seconds of one try, `deadline`
    of all tries of a request together.
    """

    base_url: str
    model: str
    media: Literal["vllm", "frames", "frames-only"]
    concurrency: PositiveInt = 8
    api_key_env: str = "OPENAI_API_KEY"
    allowed_path: str | None = None
    frame_format: Literal["jpeg", "png"] = "jpeg"
    timeout: PositiveFloat = 300.0
    deadline: PositiveFloat = 900.0

    @property
    def shown_url(self) -> str:
        """The address without user name, password and query: for logs and results."""
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
        """Whether what is sent can be read on its way."""
        return urlsplit(self.base_url).scheme == "http" and not self.is_loopback

    @property
    def api_key(self) -> str:
        """The key, from the environment only."""
        return os.environ.get(self.api_key_env, "").strip() or NO_KEY


def read_endpoint_settings(arguments: Mapping[str, Any]) -> EndpointSettings:
    """Read the arguments of `humansense_server`; None is the same as no value.

    Raises:
        ValueError: See `read_settings`; also where the environment holds no key for a server elsewhere.
    """
    needed = {
        "base_url": "the address before /chat/completions, such as http://localhost:8000/v1",
        "model": "the name under which the server has the model",
        "media": "what the server takes: vllm, frames or frames-only",
    }
    settings = read_settings(EndpointSettings, arguments, needed, "humansense_server")
    _check_address(settings)
    _check_media(settings)
    if settings.api_key == NO_KEY and not settings.is_loopback:
        raise ValueError(
            f"{settings.shown_url} is not on this machine and the environment variable {settings.api_key_env} holds no "
            "key; set it, to any text if the server wants none (api_key_env= names another variable)."
        )
    return settings


def _check_address(settings: EndpointSettings) -> None:
    parts = urlsplit(settings.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url={settings.shown_url} is no address of a server, such as http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"base_url={settings.shown_url} was given with a user name, password or query, which results would keep; "
            "secrets go into the environment variable that api_key_env= names."
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError(f"base_url={settings.shown_url} names the call itself; leave out /chat/completions.")


def _check_media(settings: EndpointSettings) -> None:
    if settings.allowed_path is not None:
        if settings.media != "vllm":
            raise ValueError(
                f"allowed_path is for media=vllm; with media={settings.media} every request holds its media."
            )
        if not Path(settings.allowed_path).is_dir():
            raise ValueError(f"allowed_path={settings.allowed_path} is no folder.")
    if settings.deadline < settings.timeout:
        raise ValueError(
            f"deadline={settings.deadline:g} is shorter than timeout={settings.timeout:g}, that of one try."
        )
