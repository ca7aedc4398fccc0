"""The pages as a site: mkdocs is content with them, and nothing is loaded from elsewhere."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("material") is None, reason='mkdocs-material is missing: pip install ".[docs]"'),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    names = {path.stem for path in (CHECKOUT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} == {*names, "index", "contributing", "changelog", "404"}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|iframe|source)[^>]*\ssrc="?(?:https?:)?//', text), page.name
        assert not re.search(r'<link[^>]*rel="?(?:style|icon|preconnect)[^>]*href="?(?:https?:)?//', text), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\"?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_links_lead_to_files_and_anchors_of_the_site(site: Path) -> None:
    for page in site.glob("*.html"):
        if page.name == "404.html":  # has absolute links
            continue
        for link in re.findall(r'<a[^>]*\shref="?([^" >]+)', page.read_text(encoding="utf-8")):
            name, _, anchor = link.partition("#")
            if "://" in link or not name.removeprefix("."):
                continue
            place = (page.parent / name).resolve()
            assert place.is_file(), f"{page.name}: {link}"
            if anchor and place.suffix == ".html":
                assert re.search(rf'id="?{re.escape(anchor)}["\s>]', place.read_text(encoding="utf-8")), link


def test_a_link_to_nothing_fails_the_build(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(CHECKOUT / name, tmp_path)
    for name in ("docs", "scripts", "lmms_humansense/demo/tiny_omni", "tests/tasks/metrics/responses"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    with (tmp_path / "docs" / "limits.md").open("a", encoding="utf-8") as page:
        page.write("\n[nothing](nothing.md)\n")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nothing.md" in done.stderr
