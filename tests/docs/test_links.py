"""Links between the pages lead somewhere, on GitHub and in the site; versions are named in one place."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
OUTER = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
"""The files outside docs/ that are pages of the site."""
DOCS = sorted((CHECKOUT / "docs").glob("*.md"))
PAGES = [*OUTER, *DOCS]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", text)


def links(page: Path) -> list[str]:
    return [link for link in _LINK.findall(without_code(page.read_text(encoding="utf-8"))) if "://" not in link]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", without_code(page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        place = page.parent / name if name else page
        assert place.exists(), link
        if anchor:
            assert anchor in anchors(place), link


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_page_can_be_found_from_the_readme_and_in_the_navigation(page: Path) -> None:
    assert f"docs/{page.name}" in {link.partition("#")[0] for link in links(CHECKOUT / "README.md")}
    navigation = (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert re.search(rf": {re.escape(page.name)}$", navigation, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_only_one_page_says_which_transformers_are_needed(page: Path) -> None:
    if page.name in ("limits.md", "CONTRIBUTING.md", "CHANGELOG.md"):  # what was run, and how to measure it again
        return
    for block in page.read_text(encoding="utf-8").split("\n\n"):
        # A table of what was run, or what a measurement was made with, has a date.
        is_measured = re.search(r"20\d\d-\d\d-\d\d", block) or block.startswith("<!-- table -->")
        assert is_measured or not re.search(r"transformers[ =<>]+\d+\.\d", block), block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lists_and_tables_begin_after_an_empty_line(page: Path) -> None:
    # GitHub does without, but the site shows them as running text then.
    lines = without_code(page.read_text(encoding="utf-8")).splitlines()
    for before, line in pairwise(lines):
        begins = re.match(r"- |\d+\. |\|", line) and not re.match(r"- |\d+\. |\||  |<!-- ", before)
        assert not (begins and before.strip()), line
