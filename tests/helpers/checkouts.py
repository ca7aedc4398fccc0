"""Git checkouts of lmms-eval: the installed package, and the few other text files that a change writes into."""

import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

TEXTS = {
    "pyproject.toml": """[tool.ruff]
line-length = 240

[tool.ruff.lint]
select = ["E4", "E7", "E9", "F", "I"]

[tool.ruff.lint.isort]
known-first-party = ["lmms_eval"]

[project]
name = "lmms_eval"
version = "VERSION"

[project.optional-dependencies]
video = ["torchcodec"]
all = [
    "lmms_eval[video]",
]
""",
    ".gitignore": "__pycache__\n*.log\n",
    ".github/pull_request_template.md": """## Summary
<!-- What it is. -->
-

## In scope
-

## Out of scope
-

## Validation
-

## Risk / Compatibility
-

## Type of Change
- [ ] Bug fix
- [ ] New feature
- [ ] New benchmark/task
- [ ] New model integration
""",
    "docs/advanced/current_tasks.md": """# Current Tasks

## 8. Text

- [Zebra](https://example.org) (zebra)

## 9. Multimodal Evaluation & Meta-benchmarks

- [Alpha](https://example.org) (alpha)
  - Alpha small (alpha_small)
- [Zeta](https://example.org) (zeta)

## 10. Supported Models

### Chat Template Models (Recommended)
| Model | Class | What |
|---|---|---|
| `alpha` | Alpha | a model |

### Simple Models
| Model | Class |
|---|---|
""",
    "docs/releases/CHANGELOG.md": "# Changelog\n\n## v0.7\n\n### CLI & UX\n\n- Something.\n",
    "docs/getting-started/commands.md": "# Commands\n\n- `--include_path` : A folder.\n\n- `--tasks` : Tasks.\n",
    "docs/guides/task_guide.md": "# Tasks\n\n## Metrics\n\n## Good Reference Tasks\n\nSome.\n",
    "test/__init__.py": "",
    "test/eval/__init__.py": "",
    "test/models/__init__.py": "",
}

_MODULES = (
    *("__init__.py", "__main__.py", "evaluator.py", "models/__init__.py", "tasks/__init__.py"),
    *("cli/tasks_cmd.py", "cli/power_cmd.py", "cli/power_utils.py"),
)


def installed() -> Path:
    """The folder of the installed lmms-eval."""
    spec = find_spec("lmms_eval")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def write_checkout(folder: Path, whole: bool = True) -> Path:
    """Write a checkout into `folder`, of all of lmms-eval or only of the modules that changes write into."""
    if whole:
        shutil.copytree(installed(), folder / "lmms_eval", ignore=shutil.ignore_patterns("__pycache__"))
    else:
        for path in _MODULES:
            (folder / "lmms_eval" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(installed() / path, folder / "lmms_eval" / path)
    for path, text in TEXTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("VERSION", version("lmms_eval")))
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all files."""
    git(folder, "add", "--all")
    git(
        folder,
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@localhost",
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        "all",
    )


def git(folder: Path, *arguments: str) -> str:
    """Run git and return its output."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout
