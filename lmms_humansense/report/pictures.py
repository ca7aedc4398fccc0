"""The pictures of the report, as SVG that takes the colours of its page."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..paper.published import human
from ..results import statistics
from ..results.runs import Metric, Run
from ..results.statistics import Estimate
from ..tasks.humansense.taxonomy import TASKS

_INK = "#0a0b0c"
"""Placeholder for the page's text colour; `_svg` replaces it."""

_COLOURS = ("#3b82c4", "#d9822b", "#3a9d6e", "#b0589c", "#8a6d3b", "#5f6bd0", "#c2504d", "#4d8f99")
"""The colours of runs; each is readable on white and on near-black (contrast above 3 with both)."""

_LENGTHS = ((0, 10), (10, 30), (30, 60), (60, 120), (120, 300), (300, np.inf))
"""The groups of clips by length, in seconds."""

_COUNT_COLOURS = LinearSegmentedColormap.from_list("counts", [(0.23, 0.51, 0.77, 0.0), (0.23, 0.51, 0.77, 0.75)])

_LONGEST_LABEL = 40

_COUNTS = 11
"""The answers 0 to 10 that a counting prompt asks for."""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        title: Its caption.
        alternative: The text for readers who cannot see it.
        svg: The SVG element.
    """

    title: str
    alternative: str
    svg: str


def pictures(runs: Sequence[Run], metric: Metric) -> list[Picture]:
    """Draw all pictures.

    Args:
        runs: The runs; only the first eight are drawn.
        metric: The metric to draw.

    Returns:
        The pictures that the samples of these runs allow.
    """
    shown = runs[: len(_COLOURS)]
    with matplotlib.rc_context({"text.parse_math": False}):  # a name may have dollar signs
        made = [
            _tasks(shown, metric),
            _groups(shown, metric, "Accuracy by length of the clip", _lengths),
            _groups(shown, metric, "Accuracy by kind of question", _kinds),
            _letters(shown),
            *(_counting(run) for run in shown if "HC" in run.leaves),
        ]
    return [picture for picture in made if picture is not None]


def _tasks(runs: Sequence[Run], metric: Metric) -> Picture:
    figure, axes = _axes(9.5, 3.6)
    places = np.arange(len(TASKS))
    people = human().scores
    axes.plot(places, [people.get(task.code, np.nan) for task in TASKS], "_", color=_INK, ms=22, mew=2, label="people")
    guesses = {code: leaf.chance["uniform"] for run in runs for code, leaf in run.leaves.items()}
    uniform = [guesses.get(task.code, np.nan) for task in TASKS]
    axes.plot(places, uniform, "_", color=_INK, ms=22, mew=1, alpha=0.5, label="guess")
    facts = []
    for number, run in enumerate(runs):
        found = {code: leaf.estimates[metric] for code, leaf in run.leaves.items()}
        _points(axes, places + _shift(number, len(runs)), [found.get(task.code) for task in TASKS], run.name, number)
        facts += [f"{run.name} has {each.mean:.0%} in {code}" for code, each in found.items() if each is not None]
    axes.set_xticks(places, [f"{task.code}\n{task.level}" for task in TASKS])
    for place in range(1, len(TASKS)):
        if TASKS[place].level != TASKS[place - 1].level:
            axes.axvline(place - 0.5, color=_INK, alpha=0.2, lw=0.8)
    return _picture(figure, axes, "The 15 tasks, beside people and a uniform guess", facts)


def _groups(
    runs: Sequence[Run], metric: Metric, title: str, key_of: Callable[[pandas.DataFrame], "pandas.Series[Any]"]
) -> Picture | None:
    """Accuracy in groups of questions."""
    found = [statistics.by(run.samples, key_of(run.samples), metric) for run in runs]
    names = sorted({name for groups in found for name in groups}, key=_in_order)
    if not names:
        return None
    figure, axes = _axes(6.4, 3.0)
    facts = []
    for number, (run, groups) in enumerate(zip(runs, found, strict=True)):
        places = np.arange(len(names)) + _shift(number, len(runs))
        _points(axes, places, [groups.get(name) for name in names], run.name, number)
        facts += [f"{run.name} has {groups[name].mean:.0%} for {name}" for name in names if name in groups]
    axes.set_xticks(range(len(names)), [name.replace(" | ", "\n") for name in names])
    return _picture(figure, axes, title, facts)


def _in_order(name: str) -> list[str]:
    """A sort key: numbers by size, words by the alphabet."""
    return [word.zfill(4) if word.isdecimal() else word for word in name.split()]


def _lengths(samples: pandas.DataFrame) -> "pandas.Series[Any]":
    seconds = pandas.to_numeric(samples["duration"], errors="coerce")
    names = [f"{low} to {high:g} s" if np.isfinite(high) else f"{low} s and more" for low, high in _LENGTHS]
    edges = [low for low, _ in _LENGTHS] + [np.inf]
    return pandas.cut(seconds, edges, labels=names, right=False)


def _kinds(samples: pandas.DataFrame) -> "pandas.Series[Any]":
    options = samples["option_count"].astype(int)
    return samples["pattern"] + options.map(lambda count: f" | {count} options" if count else "")


def _letters(runs: Sequence[Run]) -> Picture | None:
    """The share of each letter among the answers, beside its share among the right answers."""
    singles = {run.name: run.samples[run.samples["pattern"] == "single"] for run in runs}
    singles = {name: samples for name, samples in singles.items() if not samples.empty}
    if not singles:
        return None
    letters = sorted({letter for samples in singles.values() for letter in samples["gold"]})
    figure, axes = _axes(6.4, 3.0)
    places = np.arange(len(letters))
    right = next(iter(singles.values()))["gold"].value_counts(normalize=True)
    axes.bar(places, [right.get(letter, 0) for letter in letters], 0.8, color=_INK, alpha=0.15, label="right answers")
    facts = []
    for number, (name, samples) in enumerate(singles.items()):
        said = samples["parsed"].value_counts(normalize=True)
        shares = [float(said.get(letter, 0)) for letter in letters]
        axes.plot(places, shares, "o", color=_COLOURS[number], label=_label(name))
        facts += [f"{name} answers {letter} in {share:.0%}" for letter, share in zip(letters, shares, strict=True)]
    axes.set_xticks(places, letters)
    return _picture(figure, axes, "Letters answered in single choices, beside the right ones", facts)


def _counting(run: Run) -> Picture:
    """The counts that the model gave, by the right count."""
    samples = run.leaves["HC"].samples
    counts = np.zeros((_COUNTS, _COUNTS + 1))
    for gold, parsed in zip(samples["gold"], samples["parsed"], strict=True):
        said = int(parsed) if isinstance(parsed, str) and parsed.isdecimal() and int(parsed) < _COUNTS else _COUNTS
        counts[min(int(gold), _COUNTS - 1), said] += 1
    figure, axes = _axes(4.6, 3.8)
    axes.imshow(np.sqrt(counts), cmap=_COUNT_COLOURS, aspect="auto", origin="lower")
    for right, said in zip(*np.nonzero(counts), strict=True):
        axes.text(said, right, f"{counts[right, said]:.0f}", ha="center", va="center", color=_INK, fontsize=7)
    axes.set_xticks(range(_COUNTS + 1), [*map(str, range(_COUNTS)), "other"])
    axes.set_yticks(range(_COUNTS))
    axes.set_xlabel("counted")
    axes.set_ylabel("right")
    hits = int(np.trace(counts[:, :_COUNTS]))
    return _picture(figure, axes, f"Counting people: {run.name}", [f"{hits} of {int(counts.sum())} counts are right"])


def _points(axes: Axes, places: Any, found: Sequence[Estimate | None], name: str, number: int) -> None:
    there = [(place, each) for place, each in zip(places, found, strict=True) if each is not None]
    means = np.array([each.mean for _, each in there])
    spread = [means - [each.low for _, each in there], [each.high for _, each in there] - means] if there else None
    axes.errorbar(
        [place for place, _ in there],
        means,
        yerr=spread,
        fmt="o",
        ms=4,
        lw=1.2,
        color=_COLOURS[number],
        label=_label(name),
    )


def _label(name: str) -> str:
    """The name in a legend: shortened, and not beginning with an underscore, for then matplotlib leaves it out."""
    short = name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
    return f" {short}" if short.startswith("_") else short


def _shift(number: int, of: int) -> float:
    return (number - (of - 1) / 2) * 0.7 / max(of, 2)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(colors=_INK, labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_color(_INK)
        spine.set_visible(name in ("left", "bottom"))
    return figure, axes


def _picture(figure: Figure, axes: Axes, title: str, facts: Sequence[str]) -> Picture:
    if axes.get_ylabel() != "right":
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, place: f"{value:.0%}")
        axes.grid(axis="y", color=_INK, alpha=0.12, lw=0.6)
        axes.legend(fontsize=8, frameon=False, labelcolor=_INK, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(_INK)
    return Picture(title, f"{title}: {'; '.join(facts)}.", _svg(figure))


_OPENING = (
    r'<svg viewBox="\1" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    r'aria-hidden="true" focusable="false">'
)
"""It has no size, so that it is as wide as the page allows. The text for readers who cannot see it stands in the figure
element around it."""


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "humansense", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', _OPENING, svg, count=1)
    referred = set(re.findall(r"#([\w-]+)", svg))
    # Removes ids that are not used, because the next picture of the page has the same ones.
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in referred else "", svg)
    return svg.replace(_INK, "currentColor")
