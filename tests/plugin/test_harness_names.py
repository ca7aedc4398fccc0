"""The names of lmms-eval are read from its files as lmms-eval itself finds them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lmms_humansense.plugin import harness_names

FILES = {
    "a/a.yaml": 'task: "quoted_task"  # a comment\ntag: [one_tag, "two_tag"]\n',
    "a/group.yaml": "group: a_group\ntask:\n  - quoted_task\n  - other_task\n",
    "a/quoted.yaml": '"task": "key_in_quotes"\n',
    "b/_template_yaml": "tag:\n  - template_tag\ndataset_path: x\n",
    "b/bom.yaml": "\ufefftask: after_a_mark\r\n",
    "b/nested.yaml": "metadata:\n  task: not_a_task\n",
    "__pycache__/old.yaml": "task: old_task\n",
    "b/notes.txt": "task: no_yaml\n",
}


def test_names_are_those_at_the_top_of_a_file(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    expected = {"quoted_task", "one_tag", "two_tag", "a_group", "key_in_quotes", "template_tag", "after_a_mark"}
    assert set(harness_names.names_in(tmp_path)) == expected


def test_the_index_is_used_until_lmms_eval_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lmms_eval"
    (package / "tasks").mkdir(parents=True)
    (package / "tasks" / "one.yaml").write_text("task: one_task\n")
    monkeypatch.setattr(harness_names, "folder", lambda: package)
    index = tmp_path / "kept" / "index.json"
    assert set(harness_names.known_tasks(index) or ()) == {"one_task"}
    (package / "tasks" / "one.yaml").write_text("task: other_task\n")
    assert set(harness_names.known_tasks(index) or ()) == {"one_task"}
    assert set(harness_names.known_tasks(index, again=True) or ()) == {"other_task"}
    index.write_text("damaged")
    assert set(harness_names.known_tasks(index) or ()) == {"other_task"}
    content = json.loads(index.read_text())
    index.write_text(json.dumps({**content, "state": ["0.1", "", 0]}))
    assert set(harness_names.known_tasks(index) or ()) == {"other_task"}


def test_without_lmms_eval_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness_names, "folder", lambda: None)
    assert harness_names.known_tasks(tmp_path / "index") is None
    assert harness_names.known_models() is None
    assert harness_names.known_options() == ()


def test_options_are_those_of_lmms_evals_parser() -> None:
    options = {option.names[0]: option for option in harness_names.known_options()}
    assert options["--limit"].kind is float
    assert options["--use_cache"].names == ("--use_cache", "-c")
    assert not options["--log_samples"].takes_value
    assert options["--cache_requests"].choices == ("true", "refresh", "delete")


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of another release of lmms-eval."""
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(harness_names, "folder", lambda: tmp_path)
    return tmp_path


ONE = 'parser.add_argument("--limit", type=float)\n'


def test_options_are_known_in_the_form_that_lmms_eval_uses(release: Path) -> None:
    two = 'parser.add_argument("--all", "-a", action="store_true")\nparser.add_argument("--b", choices=["x", 1])\n'
    (release / "__main__.py").write_text(ONE + two)
    limit = harness_names.Option(("--limit",), kind=float)
    all_of_them = harness_names.Option(("--all", "-a"), takes_value=False)
    assert harness_names.known_options() == (limit, all_of_them, harness_names.Option(("--b",)))


@pytest.mark.parametrize(
    "other",
    [
        '"--seeds", nargs="+"',
        '"--cache", action=argparse.BooleanOptionalAction',
        '"--no_cache", action="store_false"',
        '"-v", action="count"',
        '"--limit"',
        '"command"',
        "NAME",
        "*NAMES",
        '"--name", OTHER',
        '"--name", **MORE',
    ],
)
def test_no_option_is_known_if_one_has_another_form(other: str, release: Path) -> None:
    (release / "__main__.py").write_text(f"{ONE}parser.add_argument({other})\n")
    assert harness_names.known_options() == ()


SIMPLE, CHAT = "AVAILABLE_SIMPLE_MODELS = {'one': 'One'}\n", "AVAILABLE_CHAT_TEMPLATE_MODELS = {'two': 'Two'}\n"


def test_models_and_their_aliases_are_known(release: Path) -> None:
    (release / "models" / "__init__.py").write_text(f"{SIMPLE}{CHAT}MODEL_ALIASES: dict = {{'one': ('first',)}}\n")
    assert set(harness_names.known_models() or ()) == {"one", "two", "first"}


@pytest.mark.parametrize(
    "aliases",
    [
        "",
        "MODEL_ALIASES = aliases()\n",
        "MODEL_ALIASES = {**THEIRS}\n",
        "MODEL_ALIASES = {'first': 'one'}\n",
        "MODEL_ALIASES = []\n",
        "MODEL_ALIASES = {}\nMODEL_ALIASES |= more()\n",
        "MODEL_ALIASES = {}\nAVAILABLE_SIMPLE_MODELS = more(AVAILABLE_SIMPLE_MODELS)\n",
        "MODEL_ALIASES = {}\nAVAILABLE_SIMPLE_MODELS = 'one two'\n",
    ],
)
def test_no_model_is_known_if_a_table_has_another_form(aliases: str, release: Path) -> None:
    (release / "models" / "__init__.py").write_text(f"{SIMPLE}{CHAT}{aliases}")
    assert harness_names.known_models() is None


THEIRS = """
import json
from lmms_eval.tasks import TaskManager
from lmms_eval import models
print(json.dumps([sorted(TaskManager("ERROR").all_tasks), sorted(models.MODEL_REGISTRY_V2.list_model_names())]))
"""


@pytest.mark.slow
def test_tasks_and_models_are_those_that_lmms_eval_finds(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", THEIRS], check=True, capture_output=True, text=True)
    tasks, models = json.loads(done.stdout.splitlines()[-1])
    read = harness_names.known_tasks(tmp_path / "index.json")
    assert set(read or ()) == {name for name in tasks if not name.startswith("humansense")}
    assert set(harness_names.known_models() or ()) == {name for name in models if not name.startswith("humansense")}
