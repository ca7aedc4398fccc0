"""Compare figures in README.md and docs/ with what the code gives now. Takes about two minutes; changes nothing.

    python scripts/check_figures.py              # status 1 if a figure does not stand where it should

A figure that is cheap to make stands between the lines `<!-- figures: NAME -->` and `<!-- end -->`. NAME is one of
`CHECKS` below, whose function says what is wrong with the text between them. All other figures stand beside the command
that makes them, which takes minutes, a GPU or a quiet machine: these commands are listed, with their pages, and must
exist.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import argument_tables
import parsing

from lmms_humansense.tasks.humansense.taxonomy import TASKS

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
WORDS = 900
"""The most words of README.md outside code blocks and comments."""

_MARK = re.compile(r"(?s)<!-- figures: (\w+) -->\n(.*?)<!-- end -->")
_COMMAND = re.compile(r"\b(?:benchmarks|scripts)/\w+\.\w+")


def main() -> None:
    """Check everything, print what was found, and end with status 1 if something is wrong."""
    wrong = 0
    for name, found in results():
        print(f"{'wrong' if found else 'ok   '} {name}")
        for sentence in found:
            print(f"      {sentence}")
        wrong += len(found)
    print("\nNot run here:")
    for command, pages in sorted(commands().items()):
        print(f"      {command} ({', '.join(pages)})")
    raise typer.Exit(int(wrong > 0))


def results() -> Iterator[tuple[str, list[str]]]:
    """Each check with what it found wrong, as sentences."""
    yield "words of README.md", list(too_long(PAGES[0].read_text(encoding="utf-8")))
    yield "tables of arguments", list(stale_tables())
    yield "commands beside figures", list(lost_commands())
    for page in PAGES:
        for name, text in marked(page):
            yield f"{page.relative_to(ROOT)}: {name}", list(CHECKS[name](text))


def marked(page: Path) -> list[tuple[str, str]]:
    """The names and texts of the marked figures of a page."""
    return _MARK.findall(page.read_text(encoding="utf-8"))


def words(text: str) -> int:
    """How many words a page has outside code blocks and comments."""
    return len(re.sub(r"(?ms)^```.*?^```|<!--.*?-->", "", text).split())


def too_long(text: str) -> Iterator[str]:
    """A sentence if README.md has too many words."""
    if words(text) > WORDS:
        yield f"{words(text)} words are more than {WORDS}: move something to a page in docs/."


def stale_tables() -> Iterator[str]:
    """The pages whose generated tables differ from the code."""
    for page in argument_tables.tables():
        text = page.read_text(encoding="utf-8")
        if argument_tables.updated(page, text) != text:
            yield f"{page.name}: run python scripts/argument_tables.py."


def commands() -> Mapping[str, list[str]]:
    """The programs in benchmarks/ and scripts/ that pages name, with these pages."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        for command in sorted(set(_COMMAND.findall(page.read_text(encoding="utf-8")))):
            found.setdefault(command, []).append(page.name)
    return found


def lost_commands() -> Iterator[str]:
    """Programs that pages name and that do not exist, and benchmarks that no page names."""
    named = commands()
    for command, pages in named.items():
        if not (ROOT / command).is_file():
            yield f"{', '.join(pages)} name {command}, which does not exist."
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        command = path.relative_to(ROOT).as_posix()
        if "__main__" in path.read_text(encoding="utf-8") and command not in named:
            yield f"No page names {command}."


def demo(text: str) -> Iterator[str]:
    """The lines of a text that the table of the demo has not."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lmms_humansense", "demo", "--output", folder]
        yield from not_shown(text, subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def not_shown(text: str, table: str) -> Iterator[str]:
    """The lines of a code block that do not stand in a table, whose borders do not count, as sentences."""
    plain = " ".join(re.sub(r"[\u2500-\u257f]", " ", table).split())
    for line in text.splitlines():
        if not line.startswith("```") and " ".join(line.split()) not in plain:
            yield f"The demo does not print {line!r}."


def parser(text: str) -> Iterator[str]:
    """The sets of responses whose counts (`benchmarks/parsing.py`) are not in a table."""
    for name in parsing.SETS:
        count = parsing.agreement(name)["all"]
        unread = f"{count['unread']} ({count['unread'] / count['answered']:.1%})" if count["unread"] else "0"
        expected = f"| {count['answered']} | {unread.replace('%', ' %')} | {count['misread']} |"
        start = f"| {name.replace('_', ' ')}, {count['responses']}"
        if not any(line.startswith(start) and line.endswith(expected) for line in text.splitlines()):
            yield f"{start} … {expected}"


def tasks(text: str) -> Iterator[str]:
    """The tasks whose row in a table is not what the taxonomy says."""
    for task in TASKS:
        row = re.escape(f"| `humansense_{task.code.lower()}` | {task.code} {task.name} | {task.level} |")
        if not re.search(rf"{row} {task.count} \|", text):
            yield f"{task.code} {task.name}, {task.level}: {task.count} questions."


def four(text: str) -> Iterator[str]:
    """The numbers in rows of a table that do not stand on the page to which the row leads."""
    for figure, link in re.findall(r"(?m)^\|[^|]*\|([^|]*)\|[^|]*\]\(([^)]*)\) \|$", text):
        page = (ROOT / link).read_text(encoding="utf-8")
        for number in re.findall(r"(?<![\w.])\d[\d.,]*(?<!\W)", figure):
            if not re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", page):
                yield f"{number} ({figure.strip()}) is not in {link}."


CHECKS: Mapping[str, Callable[[str], Iterator[str]]] = {"demo": demo, "parser": parser, "tasks": tasks, "four": four}
"""What is wrong with a marked text, by the name in its mark."""


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)
