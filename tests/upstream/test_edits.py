"""Edits of single files: where they go, that a second time changes nothing, and what they refuse."""

import ast

import pytest
from exporter import edits
from exporter.edits import Edit
from exporter.errors import UpstreamError

MODULE = '''"""A module."""

import importlib
import os

from lmms_eval.api import task
from lmms_eval.utils import (
    one,
    two,
)

MODELS = {
    "a": "A",
    "b": "B",
}


class Manager:
    def search(self, where):
        """Search."""
        found = []
        return found


def run(args):
    parser.add_argument("--path", type=str, default=None, help="A path.")
    if os.environ.get("PLUGINS"):
        importlib.import_module("x")

    return os.fspath(args)
'''

BODY = ast.parse(MODULE).body[-2].body[0].body[1:]  # type: ignore[attr-defined]
LATE = [node for node in ast.walk(ast.parse(MODULE)) if isinstance(node, ast.If)]


def made(edit: Edit, text: str) -> str:
    """The text after the edit, which must not change a second time."""
    once = edit.make(text)
    assert edit.make(once) == once
    return once


def added(edit: Edit, text: str) -> list[str]:
    """The lines that an edit adds to a text without removing any."""
    after, before = made(edit, text).splitlines(), text.splitlines()
    rest = iter(after)
    assert all(line in rest for line in before)
    new = list(after)
    for line in before:
        new.remove(line)
    return new


def test_a_table_gets_an_entry_at_its_end() -> None:
    after = made(edits.table_entry("m.py", "MODELS", "c", "C"), MODULE)
    assert '    "b": "B",\n    "c": "C",\n}' in after


def test_an_entry_that_is_there_is_left_and_another_of_its_name_refused() -> None:
    assert made(edits.table_entry("m.py", "MODELS", "a", "A"), MODULE) == MODULE
    with pytest.raises(UpstreamError, match="another a in MODELS"):
        edits.table_entry("m.py", "MODELS", "a", "Other").make(MODULE)


@pytest.mark.parametrize("table", ["OTHERS", "Manager"])
def test_a_table_that_is_not_there_is_refused(table: str) -> None:
    with pytest.raises(UpstreamError, match=f"m.py has no table {table}"):
        edits.table_entry("m.py", table, "c", "C").make(MODULE)


@pytest.mark.parametrize(
    ("line", "before"),
    [("from lmms_eval.tasks import x", "from lmms_eval.api import task"), ("from lmms_eval.zoo import x", ")")],
)
def test_an_import_stands_where_it_is_sorted(line: str, before: str) -> None:
    lines = made(edits.imported("m.py", line), MODULE).splitlines()
    assert lines[lines.index(line) - 1] == before


def test_a_known_body_is_replaced_and_its_docstring_kept() -> None:
    edit = edits.function_body("m.py", "search", "\nif where:\n    return [where]\nreturn []\n", _known(BODY))
    after = made(edit, MODULE)
    assert '"""Search."""\n        if where:\n            return [where]\n        return []\n\n\ndef run' in after


def test_a_body_that_has_changed_is_refused() -> None:
    changed = MODULE.replace("found = []", "found = [0]")
    with pytest.raises(UpstreamError, match="an unknown version of search"):
        edits.function_body("m.py", "search", "return []", _known(BODY)).make(changed)


def test_a_statement_goes_with_its_empty_line_and_the_import_that_only_it_used() -> None:
    after = made(edits.statement_left_out("m.py", "PLUGINS", _known(LATE)), MODULE)
    assert "PLUGINS" not in after
    assert "import importlib" not in after
    assert "import os" in after, "another line uses it"
    assert 'help="A path.")\n    return os' in after


def test_a_statement_that_has_changed_is_refused() -> None:
    with pytest.raises(UpstreamError, match="an unknown use of PLUGINS"):
        edits.statement_left_out("m.py", "PLUGINS", frozenset({"0" * 16})).make(MODULE)


def test_a_call_is_replaced_by_its_first_argument() -> None:
    new = '\nparser.add_argument(\n    "--path",\n    action="append",\n)\n'
    after = made(edits.call("m.py", "--path", new, frozenset({"type", "default", "help"})), MODULE)
    assert '    parser.add_argument(\n        "--path",\n        action="append",\n    )\n    if os' in after


def test_a_call_with_other_arguments_is_refused() -> None:
    with pytest.raises(UpstreamError, match="an unknown call with '--path'"):
        edits.call("m.py", "--path", "f('--path')", frozenset({"type"})).make(MODULE)


LIST = "# All\n\n## 1. Some\n\n- [Beta](x)\n  - Beta small\n- [delta](x)\n\n## 2. Others\n\n- [A](x)\n"


@pytest.mark.parametrize(
    ("new", "before"), [("- [Alpha](x)", ""), ("- [Carrot](x)", "  - Beta small"), ("- [Omega](x)", "- [delta](x)")]
)
def test_an_item_is_sorted_into_the_list_below_a_heading(new: str, before: str) -> None:
    lines = made(edits.bullet("l.md", "Some", new), LIST).splitlines()
    assert lines[lines.index(new) - 1] == before
    assert len(lines) == len(LIST.splitlines()) + 1


def test_a_list_or_heading_that_is_not_there_is_refused() -> None:
    for heading in ("All", "None"):
        with pytest.raises(UpstreamError, match=heading):
            edits.bullet("l.md", heading, "- x").make(LIST)


def test_a_row_goes_to_the_end_of_the_table_below_a_heading() -> None:
    text = "## Models\n| a |\n|---|\n| b |\n\n## Others\n| c |\n"
    assert added(edits.row("t.md", "Models", "| new |"), text) == ["| new |"]
    assert "| b |\n| new |\n\n" in made(edits.row("t.md", "Models", "| new |"), text)


RELEASED = "# Changelog\n\n## v1\n\n### New\n\n- Old.\n"


def test_a_changelog_gets_a_heading_for_what_is_not_released_and_shares_it() -> None:
    first = made(edits.changelog_item("c.md", "New", "- One."), RELEASED)
    assert first == "# Changelog\n\n## Unreleased\n\n### New\n\n- One.\n\n## v1\n\n### New\n\n- Old.\n"
    second = made(edits.changelog_item("c.md", "New", "- Two."), first)
    assert "### New\n\n- Two.\n- One.\n\n## v1" in second
    third = made(edits.changelog_item("c.md", "CLI", "- Three."), second)
    assert "- One.\n\n### CLI\n\n- Three.\n\n## v1" in third


@pytest.mark.parametrize(
    "edit",
    [
        edits.text("m.py", "nothing like it", "something else"),
        edits.line("m.py", "nothing like it", "x"),
        edits.before_line("m.py", "nothing like it", "x\n"),
        edits.row("m.py", "Models", "| x |"),
        edits.changelog_item("m.py", "New", "- x"),
        edits.imported("m.py", "from lmms_eval.aaa import x"),
        edits.function_body("m.py", "absent", "pass", frozenset()),
        edits.call("m.py", "--absent", "f()", frozenset()),
    ],
)
def test_a_place_that_is_not_there_is_refused_by_name(edit: Edit) -> None:
    with pytest.raises(UpstreamError, match=r"^m\.py has "):
        edit.make(MODULE)


def test_texts_and_lines_are_replaced_once() -> None:
    assert "parser.add_option(" in made(edits.text("m.py", "parser.add_argument(", "parser.add_option("), MODULE)
    assert made(edits.line("l.md", "# All", "# All of them"), LIST).startswith("# All of them\n")
    assert "\nblock\n## 2. Others\n" in made(edits.before_line("l.md", "## 2. Others", "block\n"), LIST)


def _known(nodes: "list[ast.If] | list[ast.stmt]") -> frozenset[str]:
    return frozenset({edits.digest(list(nodes))})
