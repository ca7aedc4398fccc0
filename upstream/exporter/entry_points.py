"""The change that lets installed packages add tasks to lmms-eval, as they can add models."""

from pathlib import Path

from . import edits
from .copies import texts
from .edits import Edit

NAME = "task-entry-points"
OWNED: tuple[str, ...] = ()
"""Folders that belong to the change alone."""


_SEARCH = """
all_paths = []
if include_defaults:
    all_paths = [os.path.dirname(os.path.abspath(__file__)) + "/"]
plugin_paths = plugin_task_folders() if include_defaults else []
all_paths.extend(plugin_paths)
if include_path is not None:
    all_paths.extend([include_path] if isinstance(include_path, str) else include_path)

# Built-in tasks, then plugins, then include_path: of several tasks of one name, the last counts.
task_index = {}
for task_dir in all_paths:
    try:
        tasks = self._get_task_and_group(task_dir)
    except Exception as error:
        if task_dir not in plugin_paths:
            raise
        self.logger.warning(f"The tasks of a plugin in {task_dir} cannot be read and are left out: {error}")
        continue
    replaced = sorted(task_index.keys() & tasks.keys())
    if replaced:
        self.logger.info(f"{len(replaced)} tasks are those of {task_dir}, and not others of the same name: {', '.join(replaced[:5])}{', ...' if len(replaced) > 5 else ''}")
    task_index = {**task_index, **tasks}

return task_index
"""  # noqa: E501
_SEARCHES = frozenset({"8244d153b1b573f8"})
"""Digests of the method that it replaces, in lmms-eval 0.7.2 to 0.7.3."""

_LATE_PLUGINS = frozenset({"68bf56566a3a82af"})
"""Digests of the lines that read LMMS_EVAL_PLUGINS too late, after the tasks were looked up, in the same releases."""

_INCLUDE_PATH = """
parser.add_argument(
    "--include_path",
    type=str,
    action="append",
    default=None,
    metavar="PATH",
    help="Folder with more tasks; may be given several times. Of several tasks of one name, that of the last folder counts, and all count before those of plugins and built-in ones.",
)
"""  # noqa: E501
_INCLUDE_PATH_OF_TASKS = """
p.add_argument(
    "--include-path",
    type=str,
    action="append",
    default=None,
    help="Folder with more tasks; may be given several times",
)
"""
_INCLUDE_PATH_OF_POWER = (
    'p.add_argument("--include-path", type=str, action="append", default=None, '
    'help="Folder with more tasks; may be given several times")'
)
_KEYWORDS = frozenset({"type", "default", "help"})

_COMMANDS = (
    "- `--include_path` : Accepts a path to a folder, and may be given several times. All YAML files in it that "
    "contain task configurations are added to the task registry. Used for when one is writing config files for "
    "their own task in a folder other than `lmms_eval/tasks/`. Of several tasks of one name, that of the last "
    "folder counts; tasks of `--include_path` count before those of plugins, and these before built-in ones."
)
_GUIDE = """## Tasks in Other Packages

A package brings its tasks with it by an entry point of the group `lmms_eval.tasks`:

```toml
[project.entry-points."lmms_eval.tasks"]
my_benchmark = "my_package.tasks"
```

It names a module or package (whose folder is searched for YAML files), a path, several of these, or a callable that
returns such. Once the package is installed, `lmms-eval --tasks`, `lmms-eval tasks`, `lmms-eval power` and `TaskManager`
find its tasks. The older way, `LMMS_EVAL_PLUGINS=my_package`, has the folder of `my_package.tasks` searched.

Built-in tasks are looked up first, then those of plugins, then those of `--include_path`; of several tasks of one name,
the last counts, as it does for models. A plugin that cannot be read costs a warning and its own tasks.

"""


def files(root: Path) -> dict[str, bytes]:
    """The files that the change adds, by their path in lmms-eval."""
    return texts(root, NAME)


def changes() -> list[Edit]:
    """The changes to files of lmms-eval."""
    tasks, main, power = "lmms_eval/tasks/__init__.py", "lmms_eval/__main__.py", "lmms_eval/cli/power_utils.py"
    return [
        edits.imported(tasks, "from lmms_eval.tasks.plugins import plugin_task_folders"),
        edits.function_body(tasks, "initialize_tasks", _SEARCH, _SEARCHES),
        edits.statement_left_out(main, "LMMS_EVAL_PLUGINS", _LATE_PLUGINS),
        edits.call(main, "--include_path", _INCLUDE_PATH, _KEYWORDS),
        edits.call("lmms_eval/cli/tasks_cmd.py", "--include-path", _INCLUDE_PATH_OF_TASKS, _KEYWORDS),
        edits.call("lmms_eval/cli/power_cmd.py", "--include-path", _INCLUDE_PATH_OF_POWER, _KEYWORDS),
        edits.text(power, "include_path: str | None = None", "include_path: str | list[str] | None = None"),
        edits.line("docs/getting-started/commands.md", "- `--include_path` :", _COMMANDS),
        edits.before_line("docs/guides/task_guide.md", "## Good Reference Tasks", _GUIDE),
        edits.changelog_item(
            "docs/releases/CHANGELOG.md",
            "CLI & UX",
            "- Installed packages bring tasks by entry points (`lmms_eval.tasks`); `--include_path` may be given "
            "several times, and its tasks count before built-in ones of the same name",
        ),
    ]
