"""What mkdocs needs to make a site of pages that are written for GitHub; named in `mkdocs.yml`.

README.md, CONTRIBUTING.md and CHANGELOG.md become pages. Other files outside docs/ to which a page links are copied
into the site as text. The links that lead there or come from there are changed; all others stay as they are written.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent

PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""The files outside docs/ that become pages, by their names in the site."""

COPIES = "files"
"""The folder of the site for other files outside docs/."""

_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the files outside docs/. See mkdocs' event of this name."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    for path in sorted(_linked(files)):
        content = path.read_text(encoding="utf-8")
        files.append(File.generated(config, f"{COPIES}/{_copy(path)}", content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Change the links of a page that lead out of docs/, or come from there. See mkdocs' event of this name."""
    source = Path(page.file.abs_src_path)

    def changed(match: re.Match[str]) -> str:
        opening, target, anchor, closing = match.groups()
        place = _place(source, target)
        if place is None:
            return match[0]
        return f"{opening}{_in_site(place)}{anchor or ''}{closing}"

    return _LINK.sub(changed, markdown)


def _place(source: Path, target: str) -> Path | None:
    """The file to which a link leads; None if it leads out of the checkout, or to nothing."""
    place = Path(os.path.normpath(source.parent / target))
    return place if "://" not in target and place.is_relative_to(ROOT) and place.is_file() else None


def _in_site(place: Path) -> str:
    """Where the site has a file; all pages are in one folder."""
    name = place.relative_to(ROOT).as_posix()
    if name in PAGES:
        return PAGES[name]
    return name.removeprefix("docs/") if name.startswith("docs/") else f"{COPIES}/{_copy(place)}"


def _copy(place: Path) -> str:
    """The name of a copied file, which browsers show as text."""
    return place.relative_to(ROOT).as_posix().replace("/", "-") + ".txt"


def _linked(files: Files) -> set[Path]:
    """The files outside docs/ to which pages link, and which are no pages."""
    found = set()
    for file in files.documentation_pages():
        source = Path(file.abs_src_path or "")
        for match in _LINK.finditer(source.read_text(encoding="utf-8")):
            place = _place(source, match[2])
            if place is not None and _in_site(place).startswith(f"{COPIES}/"):
                found.add(place)
    return found
