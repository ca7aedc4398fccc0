"""lmms-eval's response cache, for a model that knows what its answers depend on.

The files are those of lmms-eval: a log with one line for each answer, a SQLite database for each process of a run, and
one database for the whole folder, into which a finished run is merged. The differences:

- The key is a digest of everything that an answer depends on (see `cache_key`), and of nothing else. lmms-eval's key
  contains the text of a request, its number and the arguments of the command line, but neither the content of clips nor
  the content of a checkpoint's folder.
- A response is stored with its token counts, with what was shown and with how it ended, so that a continued run logs
  and scores the same as a run without interruption.
- An answer is on disk before the next batch starts. This also holds on network folders, and for answers that come in
  any order. lmms-eval keeps up to 256 answers on the local disk of a node, and these are lost if the node is.
- At its start, a run reads what all other runs have written into the folder, including runs that were killed. It writes
  into files of its own. So the number of processes may change, and several runs may share a folder at the same time.
- Empty answers are stored. Failures are not, and neither are answers about files that changed after their look-up.
"""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from lmms_eval.caching.response_cache import ResponseCache, compute_cache_key
from loguru import logger

from ..inputs.conversation import Conversation, paths_of
from ..inputs.generation import arguments_used
from ..inputs.stats import MediaStats
from ..media.digests import FileDigests, SeenFile, digests_folder, is_unchanged
from ..runtime.ledger import KeepingError, Recalled
from ..runtime.request import Request, Response
from ..runtime.timeouts import StalledError, within
from .cache_key import NotedDigests, UnknownContentError, describe, digest_of

_REQUEST_TYPE = "generate_until"
_RUN_NAME = "LMMS_CACHE_RUN_ID"
_MERGED = ".merged"
_LOCK = ".merge.lock"


class AnswerCache(ResponseCache):
    """The response cache of one process of one run.

    Attributes:
        folder: The folder of the cache.
        recalled: How many answers of earlier runs this process uses.
        kept: How many new answers this process has stored.
    """

    folder: str
    recalled: int
    kept: int
    _earlier: "EarlierRuns"
    _adopted: dict[str, tuple[Request, str]]
    _identity: str
    _known_arguments: frozenset[str]
    _media_timeout: float
    _files: FileDigests
    _shown: dict[Request, list[SeenFile]]
    _lock: threading.Lock
    _audit_file: Any
    _remote_rank_audit: str | None

    @classmethod
    def create(cls, cache_root: str, **options: Any) -> "AnswerCache":
        """Create the cache of this process.

        Args:
            cache_root: The folder that `--use_cache` names.
            **options: See `ResponseCache.create` of lmms-eval.

        Returns:
            The cache, with the answers of all earlier runs in the folder.

        Raises:
            SystemExit: The folder cannot be written.
        """
        try:
            with _run_name(_own_name()):
                cache: AnswerCache = super().create(cache_root, **options)
            cache._log_into_the_folder()
            cache._earlier = EarlierRuns(Path(str(cache._cache_root)), Path(str(cache._run_dir)))
        except (OSError, sqlite3.Error) as error:
            raise SystemExit(
                f"HumanSense: --use_cache {cache_root} cannot be used ({error}); give a folder that can be written."
            ) from error
        cache.folder = str(cache._cache_root)
        cache.recalled = cache.kept = 0
        cache._adopted = {}
        cache._identity = ""
        cache._files = FileDigests(digests_folder())
        cache._shown = {}
        cache._lock = threading.Lock()
        return cache

    def execute(self, lm: Any, reqtype: str, requests: list[Instance]) -> list[Any]:
        """Answer requests. Those that have no stored answer are sent to the model, and their answers are stored.

        Args:
            lm: The model: a `ChatModel`.
            reqtype: The type of the requests. Only those of "generate_until" are stored.
            requests: The requests of lmms-eval.

        Returns:
            The response to each request, in order.
        """
        if reqtype != _REQUEST_TYPE:
            responses: list[Any] = super().execute(lm, reqtype, requests)
            return responses
        answers = lm.generate_until(requests, self)  # first, because it refuses what cannot be asked
        self._known_arguments = lm.known_arguments
        self._media_timeout = float(lm.settings.media_timeout)
        if not self._identity:  # a run may come several times, and reading a checkpoint takes long
            self._identity = digest_of(lm.identity())
        return list(answers)

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """Look up the answer that an earlier run gave to a request, as `Ledger.recall` says."""
        media = tuple(paths_of([conversation]))
        key, contents = self._key(request, conversation, media)
        found = self._earlier.find(key) if key else None
        response = _restored(request, found, media, key) if found is not None else None
        with self._lock:
            self.recalled += response is not None
            self._hits += response is not None
            self._misses += key is not None and response is None
            self._skipped += key is None
            if found is not None and response is not None and key:
                self._adopted[key] = request, found
            elif key is not None:
                self._shown[request] = contents
        return Recalled(key, response)

    def keep(self, response: Response) -> None:
        """Write a response. It is on disk when this returns. If its files have changed, no later run uses it.

        Raises:
            KeepingError: The response cannot be written.
        """
        request, key, stored = response.request, self._key_to_keep(response), _stored(response)
        arguments = dict(request.generation_kwargs)
        try:
            self._log_to_audit(
                _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, stored,
                cache_key=key or "", deterministic=key is not None, model_fingerprint_hash=self._identity[:16],
            )  # fmt: skip
            if key is not None:
                self._store(key, _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, stored)
        except (OSError, sqlite3.Error) as error:
            raise KeepingError(f"Answers can no longer be written to {self.folder}: {error}.") from error
        self.kept += key is not None

    def _key_to_keep(self, response: Response) -> str | None:
        """The key of a response; None if it may be about other files than those that were looked up for the key."""
        with self._lock:
            contents = self._shown.pop(response.request, [])
        for content in contents:
            try:
                same = within(self._media_timeout, partial(is_unchanged, content), f"Reading {content.path}")
            except StalledError:
                same = False
            if not same:
                logger.warning(
                    "{} changed while {} was asked: the answer counts, but is not kept.", content.path, response.request
                )
                return None
        return response.key

    def finalize(self, *, success: bool, **options: Any) -> None:
        """Merge this run into the folder's database. Errors are only logged: every answer is on disk already.

        Args:
            success: Whether the run has answered all requests.
            **options: See `ResponseCache.finalize` of lmms-eval.
        """
        if success:
            self._try("copy the answers of interrupted runs", self._adopt)
            self._try("remove the lock of an interrupted run", self._break_stale_lock)
        self._try("merge this run", lambda: super(AnswerCache, self).finalize(success=success, **options))
        self._earlier.close()

    def _try(self, purpose: str, work: Any) -> None:
        try:
            work()
        except (OSError, sqlite3.Error) as error:
            logger.error("The cache in {} could not {} ({}). No answer is lost.", self.folder, purpose, error)

    def _log_into_the_folder(self) -> None:
        """Write the log into the folder, where the next run reads it, even if the database is on this node's disk."""
        if self._remote_rank_audit:
            self._audit_file.close()
            self.audit_path, self._remote_rank_audit = self._remote_rank_audit, None
            self._audit_file = open(self.audit_path, "a", encoding="utf-8")  # noqa: SIM115  # open until the run ends

    def _adopt(self) -> None:
        """Copy recalled answers into this run, so that the folder's database has all its answers after the merge."""
        for key, (request, stored) in self._adopted.items():
            arguments = dict(request.generation_kwargs)
            self._store(key, _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, json.loads(stored))

    def _break_stale_lock(self) -> None:
        """Remove the lock of a process that was killed while it merged. All others would wait a minute for it."""
        lock = Path(str(self._run_dir)).parent / _LOCK
        try:
            owner = json.loads((lock / "owner.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if owner.get("hostname") == socket.gethostname() and not _is_running(owner.get("pid")):
            shutil.rmtree(lock, ignore_errors=True)

    def _key(
        self, request: Request, conversation: Conversation, media: tuple[str, ...]
    ) -> tuple[str | None, list[SeenFile]]:
        """The key of the answer to a request, and what its files held; no key if it is sampled, or they are unknown."""
        arguments = arguments_used(request.generation_kwargs, self._known_arguments)
        if arguments["do_sample"]:
            return None, []
        work, files = f"Reading {', '.join(media)}", NotedDigests(self._files)
        try:
            content = within(self._media_timeout, lambda: digest_of(describe(conversation, files)), work)
        except (UnknownContentError, OSError, TypeError, ValueError):
            return None, []  # asking the request reports what is wrong
        question = digest_of([content, arguments])
        key: str = compute_cache_key(
            _REQUEST_TYPE, "", "", arguments, content_hash=question, model_fingerprint_hash=self._identity
        )
        return key, files.contents


class EarlierRuns:
    """Reads the answers of other runs in a folder: its database, and the logs of runs that are not merged into it.

    Args:
        folder: The folder of the cache.
        own_run: The subfolder of this run, which is not read.
    """

    def __init__(self, folder: Path, own_run: Path) -> None:
        self._lock = threading.Lock()
        self._database = _opened(folder / "cache.db")
        self._logged = dict(_logged(folder / "runs", own_run))

    def find(self, key: str) -> str | None:
        """The stored response of a key, as JSON; None if there is none."""
        if key in self._logged:
            return self._logged[key]
        with self._lock:
            if self._database is None:
                return None
            try:
                row = self._database.execute("SELECT response FROM responses WHERE cache_key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                logger.warning("The response cache can no longer be read, and its answers are not used: {}", error)
                self._database = None
                return None
        return str(row[0]) if row else None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database = None


def _opened(path: Path) -> sqlite3.Connection | None:
    if not path.exists():
        return None
    # lmms-eval opens it as "immutable". Here another run may be merged into it while this one reads.
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=30)


def _logged(runs: Path, own: Path) -> Iterator[tuple[str, str]]:
    """Key and response of every line in the logs of other runs. Lines that were cut off by a kill are skipped."""
    for log in sorted(runs.glob("*/rank_*.audit.jsonl")):
        if log.parent == own or (log.parent / _MERGED).exists():
            continue
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    record = json.loads(line)
                    if record["cache_key"] and record["deterministic"]:
                        yield record["cache_key"], record["response"]


def _stored(response: Response) -> dict[str, Any]:
    assert response.text is not None, f"{response.request} has no response"
    return {
        "text": response.text,
        "output_tokens": response.output_tokens,
        "input_tokens": response.input_tokens,
        "shown": asdict(response.stats),
        "remarks": [list(remark) for remark in response.remarks],
        "truncated": response.truncated,
        "reasoning": response.reasoning,
    }


def _restored(request: Request, stored: str, media: tuple[str, ...], key: str | None) -> Response | None:
    """The response that was stored; None if it is damaged or was not stored by this class."""
    try:
        found: Mapping[str, Any] = json.loads(stored)
        return Response(
            request,
            str(found["text"]),
            int(found["input_tokens"]),
            int(found["output_tokens"]),
            _stats(found["shown"]),
            tuple((str(what), str(file)) for what, file in found["remarks"]),
            media,
            key,
            truncated=None if found["truncated"] is None else bool(found["truncated"]),
            reasoning=str(found["reasoning"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _stats(stored: Mapping[str, Any]) -> MediaStats:
    stats = MediaStats(**stored)
    return replace(stats, vllm_faults=tuple(map(str, stats.vllm_faults)))  # JSON has lists only


def _own_name() -> str:
    """A unique name for this run, the same in all of its processes."""
    begun = os.environ.get(_RUN_NAME) or time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name = [f"{begun}-{uuid.uuid4().hex[:8]}"]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(name, src=0)
    return name[0]


@contextlib.contextmanager
def _run_name(name: str) -> Iterator[None]:
    """Within this context, lmms-eval uses this name for a new run. It takes names only from the environment."""
    before = os.environ.get(_RUN_NAME)
    os.environ[_RUN_NAME] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RUN_NAME]
        else:
            os.environ[_RUN_NAME] = before


def _is_running(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, TypeError, ValueError):
        return False
    except OSError:
        return True
    return True
