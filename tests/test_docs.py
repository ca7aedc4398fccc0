"""Links between the pages lead somewhere, and README stays short."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PAGES = sorted([CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *(CHECKOUT / "docs").glob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", text)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", without_code(page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        place = page.parent / name if name else page
        assert place.exists(), link
        if anchor:
            assert anchor in anchors(place), link


def test_every_page_can_be_found_from_the_readme() -> None:
    links = set(_LINK.findall((CHECKOUT / "README.md").read_text(encoding="utf-8")))
    assert {f"docs/{page.name}" for page in (CHECKOUT / "docs").glob("*.md")} <= links


def test_the_readme_is_short() -> None:
    assert len(without_code((CHECKOUT / "README.md").read_text(encoding="utf-8")).split()) <= 900
