"""lmms-eval's cache of responses, for a model that knows what its answers depend on.

The files are lmms-eval's: a log with one line for each answer, a SQLite database for each process of a run, and one for
the folder, into which a run that is over is merged. What differs:

- The key is a digest of everything that an answer depends on (see `cache_key`) and of nothing else, where lmms-eval's
  holds the text of a request, its number and the arguments of the command line: neither clips, nor what a folder with a
  checkpoint holds.
- A response is kept with its numbers of tokens and what was shown, so that a run that goes on logs what one run logs.
- An answer is on disk before the next batch is asked, also on network folders, where lmms-eval keeps up to 256 of them
  on the local disk of a node that may be gone; and in whatever order they come.
- A run reads what all other runs wrote into the folder, also those that were killed, and writes where no other does. So
  the number of processes may change, and runs may share a folder at the same time.
- Empty answers are answers. Failures are none, and are not written.
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
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from lmms_eval.caching.response_cache import ResponseCache, compute_cache_key, is_deterministic
from loguru import logger

from ..inputs.conversation import Conversation, paths_of
from ..inputs.stats import MediaStats
from ..runtime.ledger import KeepingError, Recalled
from ..runtime.request import Request, Response
from ..runtime.timeouts import within
from .cache_key import FileDigests, UnknownContentError, describe, digest_of

_REQUEST_TYPE = "generate_until"
_RUN_NAME = "LMMS_CACHE_RUN_ID"
_MERGED = ".merged"
_LOCK = ".merge.lock"


class AnswerCache(ResponseCache):
    """The cache of one process of one run. `folder` is where it is, `recalled` and `kept` count answers."""

    folder: str
    recalled: int
    kept: int
    _earlier: "EarlierRuns"
    _adopted: dict[str, tuple[Request, str]]
    _lock: threading.Lock
    _audit_file: Any
    _remote_rank_audit: str | None

    @classmethod
    def create(cls, cache_root: str, **options: Any) -> "AnswerCache":
        """Overrides lmms-eval's. Ends the program, with a sentence, where the folder cannot be written."""
        try:
            with _run_name(_own_name()):
                cache: AnswerCache = super().create(cache_root, **options)
            cache._log_into_the_folder()
            cache._earlier = EarlierRuns(Path(str(cache._cache_root)), Path(str(cache._run_dir)))
        except (OSError, sqlite3.Error) as error:
            raise SystemExit(
                f"HumanSense: --use_cache {cache_root} cannot be used ({error}); name a folder that can be written."
            ) from error
        cache.folder = str(cache._cache_root)
        cache.recalled = cache.kept = 0
        cache._adopted = {}
        cache._lock = threading.Lock()
        return cache

    def execute(self, lm: Any, reqtype: str, requests: list[Instance]) -> list[Any]:
        """The responses to all requests, in order; those that are not known are asked and kept."""
        if reqtype != _REQUEST_TYPE:
            responses: list[Any] = super().execute(lm, reqtype, requests)
            return responses
        self._identity = digest_of(lm.identity())
        self._limit = float(lm.settings.media_timeout)
        self._files = FileDigests()
        return list(lm.generate_until(requests, self))

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """See `Ledger.recall`. Raises StalledError where a file cannot be read in the time it may take."""
        media = tuple(paths_of([conversation]))
        key = self._key(request, conversation, media)
        found = self._earlier.find(key) if key else None
        response = _restored(request, found, media, key) if found is not None else None
        with self._lock:
            self.recalled += response is not None
            self._hits += response is not None
            self._misses += key is not None and response is None
            self._skipped += key is None
            if found is not None and response is not None and key:
                self._adopted[key] = request, found
        return Recalled(key, response)

    def keep(self, response: Response) -> None:
        """Have the response on disk. Raises KeepingError where that is not possible."""
        request, key, stored = response.request, response.key, _stored(response)
        arguments = dict(request.generation_kwargs)
        try:
            self._log_to_audit(
                _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, stored,
                cache_key=key or "", deterministic=key is not None, model_fingerprint_hash=self._identity[:16],
            )  # fmt: skip
            if key is not None:
                self._store(key, _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, stored)
        except (OSError, sqlite3.Error) as error:
            raise KeepingError(f"Answers can not be written to {self.folder} any more: {error}.") from error
        self.kept += key is not None

    def finalize(self, *, success: bool, **options: Any) -> None:
        """Overrides lmms-eval's. What goes wrong here costs no result, as every answer is on disk already."""
        if success:
            self._try("take over answers of runs that were ended", self._adopt)
            self._try("remove the lock of a run that was ended", self._break_lock_of_the_dead)
        self._try("merge this run", lambda: super(AnswerCache, self).finalize(success=success, **options))
        self._earlier.close()

    def _try(self, purpose: str, work: Any) -> None:
        try:
            work()
        except (OSError, sqlite3.Error) as error:
            logger.error("The cache in {} could not {} ({}); its answers are not lost.", self.folder, purpose, error)

    def _log_into_the_folder(self) -> None:
        """Write the log where the next run will look for it, even if the database is on the disk of this node."""
        if self._remote_rank_audit:
            self._audit_file.close()
            self.audit_path, self._remote_rank_audit = self._remote_rank_audit, None
            self._audit_file = open(self.audit_path, "a", encoding="utf-8")  # noqa: SIM115  # for as long as the run

    def _adopt(self) -> None:
        """Make this run complete, so that the folder's database has all its answers after the merge."""
        for key, (request, stored) in self._adopted.items():
            arguments = dict(request.generation_kwargs)
            self._store(key, _REQUEST_TYPE, request.task, request.doc_id, 0, arguments, json.loads(stored))

    def _break_lock_of_the_dead(self) -> None:
        """A process that is killed while it merges leaves its lock, and all others would wait a minute for it."""
        lock = Path(str(self._run_dir)).parent / _LOCK
        try:
            owner = json.loads((lock / "owner.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if owner.get("hostname") == socket.gethostname() and not _is_running(owner.get("pid")):
            shutil.rmtree(lock, ignore_errors=True)

    def _key(self, request: Request, conversation: Conversation, media: tuple[str, ...]) -> str | None:
        """What tells the request from others; None where its answer is drawn by chance, or that cannot be told."""
        arguments = dict(request.generation_kwargs)
        if not is_deterministic(_REQUEST_TYPE, arguments):
            return None
        work = f"Reading {', '.join(media)}"
        try:
            content = within(self._limit, lambda: digest_of(describe(conversation, self._files)), work)
        except (UnknownContentError, OSError, TypeError, ValueError):
            return None  # asking it will show what is wrong
        asked = digest_of([content, {name: repr(value) for name, value in arguments.items()}])
        key: str = compute_cache_key(
            _REQUEST_TYPE, "", "", arguments, content_hash=asked, model_fingerprint_hash=self._identity
        )
        return key


class EarlierRuns:
    """What other runs left in a folder: its database, and the logs of runs that are not merged into it. Read only."""

    def __init__(self, folder: Path, own_run: Path) -> None:
        self._lock = threading.Lock()
        self._database = _opened(folder / "cache.db")
        self._logged = dict(_logged(folder / "runs", own_run))

    def find(self, key: str) -> str | None:
        """The stored response of a key."""
        if key in self._logged:
            return self._logged[key]
        with self._lock:
            if self._database is None:
                return None
            try:
                row = self._database.execute("SELECT response FROM responses WHERE cache_key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                logger.warning("The cache of responses can not be read any more and is left out: {}", error)
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
    # Not as "immutable", as lmms-eval does: another run may be merged into it while this one reads.
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=30)


def _logged(runs: Path, own: Path) -> Iterator[tuple[str, str]]:
    """Key and response of every line of the logs of other runs; a line that was cut off when its run ended is left."""
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
    }


def _restored(request: Request, stored: str, media: tuple[str, ...], key: str | None) -> Response | None:
    """The response that was stored; None where that is none of ours, or damaged."""
    try:
        found: Mapping[str, Any] = json.loads(stored)
        return Response(
            request,
            str(found["text"]),
            int(found["input_tokens"]),
            int(found["output_tokens"]),
            MediaStats(**found["shown"]),
            tuple((str(what), str(file)) for what, file in found["remarks"]),
            media,
            key,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _own_name() -> str:
    """A name for this run that no other has, the same for all of its processes."""
    begun = os.environ.get(_RUN_NAME) or time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name = [f"{begun}-{uuid.uuid4().hex[:8]}"]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast_object_list(name, src=0)
    return name[0]


@contextlib.contextmanager
def _run_name(name: str) -> Iterator[None]:
    """Within it, lmms-eval calls a run by this name; it only takes one from the environment."""
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
