"""What a user sees while a run is watched: a bar in a terminal, or a line now and then in a log, and warnings."""

import contextlib
import io
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from ..plugin import run_events

_LOOK = 0.25
"""Seconds between two looks at the events."""

_FIRST, _GROWTH, _LONGEST = 30.0, 1.5, 900.0
"""Seconds between the first two lines in a log, by how much the time to the next one grows, and the most seconds: 10
hours are 50 lines."""

_BAR_OF_OTHERS = re.compile(r"Model Responding:\s*\d+%[^\r\n]*?(\d+)/(\d+)")
"""The bar of lmms-eval's own models, in what they print."""

_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours text in a terminal, or moves its cursor."""


class Output:
    """Takes what the watched process prints: into a file, if one can be written, and the end of it into memory.

    Args:
        file: The file, which is made with its folder.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._end = b""
        self._writes = True
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    def take(self, content: bytes) -> None:
        """Take more output. Once the file cannot be written, because the disk is full, only the end is kept."""
        self._end = (self._end + content)[-16_384:]
        if self._writes:
            try:
                with self.file.open("ab") as opened:
                    opened.write(content)
            except OSError:
                self._writes = False

    @property
    def end(self) -> str:
        """The last part of the output."""
        return self._end.decode(errors="replace")

    def last_lines(self, count: int) -> list[str]:
        """The last lines that are not empty, without colours and the earlier states of bars."""
        text = _CODE.sub("", self.end).replace("\r\n", "\n")
        lines = (line.rpartition("\r")[2].rstrip() for line in text.split("\n"))
        return [line for line in lines if line][-count:]


class Page:
    """Shows the events of a run on a console, within a `with` block.

    A run does not depend on it: what cannot be shown is left out, and characters that the console lacks are replaced.

    Args:
        events: The file of the events.
        console: Where to show them.
        output: What the process prints, in which the bars of other models are looked for.
        warns: Whether to show warnings.
    """

    def __init__(self, events: Path, console: Console, output: Output, warns: bool = True) -> None:
        self._events, self._console, self._output, self._warns = events, console, output, warns
        self._read, self._said, self._ended = 0, set[str](), threading.Event()
        self._first: float | None = None
        self._state: dict[str, Any] = {}
        self._last, self._pause, self._printed = time.monotonic(), _FIRST, ""
        self._phase = "Loading lmms-eval, the model and the questions"
        self._bar = Bar(TextColumn("{task.description}"), BarColumn(), console=console, transient=True)
        self._task = self._bar.add_task(self._phase, total=None)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Page":
        replace_unknown(self._console)
        with contextlib.suppress(Exception):
            if self._console.is_terminal:
                self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
        with contextlib.suppress(Exception):
            if self._console.is_terminal:
                self._bar.stop()
            if self._first is not None:
                self._console.print(self.summary(), markup=False)

    def _follow(self) -> None:
        while not self._ended.wait(_LOOK):
            self._look()

    def _look(self) -> None:
        with contextlib.suppress(Exception):
            self._read_events()
            self._show()

    def _read_events(self) -> None:
        with self._events.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for event in run_events.events_in(whole.decode()):
            with contextlib.suppress(Exception):  # the events after it count
                self._take(event)
        if self._phase == "Asking" and "failed" not in self._state:
            found = _BAR_OF_OTHERS.findall(self._output.end)
            if found:
                self._progress({"done": int(found[-1][0]), "total": int(found[-1][1])})

    def _take(self, event: dict[str, Any]) -> None:
        if event["what"] == "begun":
            self._first, self._state = None, {}
        elif event["what"] == "asking":
            self._phase = "Asking"
        elif event["what"] == "progress":
            self._progress(event)
        elif event["what"] == "ended":
            self._phase = "Writing the results"
        elif event["what"] == "warning" and self._warns and event["text"] not in self._said:
            self._said.add(event["text"])
            self._console.print(f"Warning: {event['text']}", markup=False)

    def _progress(self, state: dict[str, Any]) -> None:
        self._state = state
        if self._first is None:
            self._first = time.monotonic()
        if state["done"] == state["total"]:
            self._phase = "Scoring"

    def _show(self) -> None:
        if self._console.is_terminal:
            done, total = self._state.get("done", 0), self._state.get("total")
            self._bar.update(self._task, description=self.line(), completed=done, total=total)
        elif time.monotonic() - self._last > self._pause and self.line() != self._printed:
            self._last, self._pause = time.monotonic(), min(_GROWTH * self._pause, _LONGEST)
            self._printed = self.line()
            self._console.print(self._printed, markup=False)

    def line(self) -> str:
        """Where the run is, in a line."""
        if self._first is None:
            return f"{self._phase} …"
        done, total, rate = self._state["done"], self._state["total"], self._rate()
        left = f"about {_duration((total - done) / rate)} left" if rate and done < total else ""
        return ", ".join(
            filter(None, [f"{self._phase}: {done:,} of {total:,}", self._rate_text(), left, *self._counts()])
        )

    def summary(self) -> str:
        """What was done, in a sentence."""
        assert self._first is not None
        total, recalled = self._state["total"], self._state.get("recalled", 0)
        whose = "this process's " if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        if recalled and recalled == total:
            return (
                ", ".join([f"Nothing was asked: earlier runs have all {whose}{total:,} answers", *self._counts()]) + "."
            )
        earlier = f" ({recalled:,} of them by earlier runs)" if recalled else ""
        asked = counted(total, "question", " was", " were")
        start = f"{self._state['done']:,} of {whose}{asked} answered{earlier}"
        spent = _duration(time.monotonic() - self._first)
        return ", ".join(filter(None, [f"{start} in {spent}", self._rate_text(), *self._counts()])) + "."

    def _rate(self) -> float:
        """Answers per second that this run has got itself."""
        fresh = self._state["done"] - self._state.get("recalled", 0)
        return fresh / max(time.monotonic() - (self._first or 0.0), 1e-3)

    def _rate_text(self) -> str:
        rate = self._rate()
        return f"{rate:.2g} questions/s" if rate else ""

    def _counts(self) -> list[str]:
        state = self._state
        busy = [f"model busy {state['busy']:.0%} of the time"] if state.get("busy") is not None else []
        return busy + [f"{state[name]:,} {name}" for name in ("failed", "truncated") if name in state]


def replace_unknown(console: Console) -> None:
    """Let a console print "?" for characters that its encoding lacks, instead of raising an error."""
    if isinstance(console.file, io.TextIOWrapper):
        console.file.reconfigure(errors="replace")


def counted(count: int, what: str, one: str = "", several: str = "") -> str:
    """A number of things in words: "1 question", "2 questions".

    Args:
        count: How many there are.
        what: What one of them is called.
        one: What follows if there is one.
        several: What follows if there are none or several.

    Returns:
        The number and the noun, and what follows.
    """
    return f"{count:,} {what}{one}" if count == 1 else f"{count:,} {what}s{several}"


def _duration(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
