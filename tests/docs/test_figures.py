"""Figures that are cheap to make are what the pages say."""

from pathlib import Path

import check_figures
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MARKED = [
    pytest.param(name, text, id=f"{page.name}-{name}", marks=[pytest.mark.slow] if name == "demo" else [])
    for page in check_figures.PAGES
    for name, text in check_figures.marked(page)
]
CHANGED = {
    "parser": ("| 245 | 7 (2.9 %) | 0 |", "| 245 | 6 (2.4 %) | 0 |"),
    "tasks": ("| L2 | 281 |", "| L2 | 282 |"),
    "four": ("1.7 times", "7.7 times"),
}
"""A figure of each kind, and a wrong one in its place."""


def test_every_kind_of_figure_is_marked_once() -> None:
    assert sorted(name for page in check_figures.PAGES for name, _ in check_figures.marked(page)) == sorted(
        check_figures.CHECKS
    )


@pytest.mark.parametrize(("name", "text"), MARKED)
def test_marked_figures(name: str, text: str) -> None:
    assert list(check_figures.CHECKS[name](text)) == []


@pytest.mark.parametrize("name", sorted(CHANGED))
def test_wrong_figures_are_found(name: str) -> None:
    (text,) = (text for page in check_figures.PAGES for one, text in check_figures.marked(page) if one == name)
    right, wrong = CHANGED[name]
    assert right in text
    assert len(list(check_figures.CHECKS[name](text.replace(right, wrong)))) == 1


def test_lines_are_looked_for_in_a_table_with_borders() -> None:
    table = "HumanSense, acc, %\n┏━━━━┳━━━━━━┓\n┃    ┃ Avg. ┃\n┡━━━━╇━━━━━━┩\n│ a  │ 99.0 │\n└────┴──────┘"
    assert list(check_figures.not_shown("```\nHumanSense, acc, %   Avg.\na  99.0\n```\n", table)) == []
    assert list(check_figures.not_shown("a  98.0", table)) == ["The demo does not print 'a  98.0'."]


def test_the_commands_beside_figures_exist_and_each_benchmark_is_named() -> None:
    assert list(check_figures.lost_commands()) == []


def test_the_tables_of_arguments_are_those_of_the_code() -> None:
    assert list(check_figures.stale_tables()) == []  # python scripts/argument_tables.py writes them


def test_the_readme_is_short() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert list(check_figures.too_long(readme)) == []
    assert list(check_figures.too_long(readme + " word" * 900)) != []
