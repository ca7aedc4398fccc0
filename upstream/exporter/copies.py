"""Which files of this repository go to lmms-eval, where they go, and the module names that they have there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .errors import UpstreamError

HELPERS = "lmms_eval/models/model_utils/humansense"
"""The folder of the modules that the model needs; lmms-eval has such folders for its models."""

MODEL = "lmms_eval/models/chat/humansense_omni.py"
TINY = "test/models/humansense_tiny"

PREFIXES = (
    ("lmms_humansense.tasks.", "lmms_eval.tasks."),
    ("lmms_humansense.models.omni", "lmms_eval.models.chat.humansense_omni"),
    ("lmms_humansense.models", "lmms_eval.models.model_utils.humansense"),
    ("lmms_humansense.demo.tiny_model", "test.models.humansense_tiny.tiny_model"),
)
"""The names of modules here and in lmms-eval, in Python and in YAML."""

_TASK_FILES = (".py", ".yaml", "_yaml", ".json", ".mp4", ".wav", ".flac", ".mp3")
_ENTRY = "omni.py"
_RELATIVE_IMPORT = re.compile(r"^( *from )\.(?=\w)", re.MULTILINE)


def repository() -> Path:
    """The clone of this repository that this package is in.

    Raises:
        UpstreamError: This package is not in a clone.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "upstream").is_dir() or not (root / "tests" / "upstream").is_dir():
        raise UpstreamError(
            "upstream/exporter is not in a clone of lmms-humansense, whose tests and texts are part of the change: "
            'run the command in a clone, after pip install -e ".[test]".'
        )
    return root


def copies(root: Path) -> dict[str, bytes]:
    """All files of the benchmark and its model by their paths in lmms-eval, not yet in its format."""
    found = {place: file.read_bytes() for place, file in _places(root)}
    return {place: renamed(place, content) for place, content in found.items()}


def texts(root: Path, change: str) -> dict[str, bytes]:
    """The files that only lmms-eval needs.

    Args:
        root: The clone of this repository.
        change: The name of the change, whose files are in `upstream/<change>`.

    Returns:
        The content of the files by their paths in lmms-eval.
    """
    folder = root / "upstream" / change
    return {_relative(file, folder): file.read_bytes() for file in _files(folder, "")}


def renamed(place: str, content: bytes) -> bytes:
    """Replace the names of this package's modules with their names in lmms-eval.

    Args:
        place: The file's path in lmms-eval.
        content: The file's content here.

    Returns:
        The content with other names in Python and YAML files; other files are unchanged.

    Raises:
        UpstreamError: The file imports a module that has no name in lmms-eval.
    """
    if not place.endswith((".py", "yaml")):
        return content
    text = content.decode()
    for ours, theirs in PREFIXES:
        text = text.replace(ours, theirs)
    if place == MODEL:  # In lmms-eval it is not in one package with its modules.
        text = _RELATIVE_IMPORT.sub(rf"\1{HELPERS.replace('/', '.')}.", text)
    if "lmms_humansense" in text:
        raise UpstreamError(f"{place} would still import lmms_humansense; give its module a place in PREFIXES.")
    return text.encode()


def _places(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in ("humansense", "humansense_sample"):
        for file in _files(root / "tasks" / folder, _TASK_FILES):
            yield f"lmms_eval/tasks/{folder}/{_relative(file, root / 'tasks' / folder)}", file
    models = root / "models"
    for file in sorted(modules_behind(models, models / _ENTRY)):
        name = _relative(file, models)
        yield (MODEL if name == _ENTRY else f"{HELPERS}/{name}"), file
    for name in ("tiny_model", "tiny_recipes", "tiny_tokenizer"):
        yield f"{TINY}/{name}.py", root / "lmms_humansense" / "demo" / f"{name}.py"
    tests = root / "tests" / "upstream" / "exported"
    yield "test/eval/test_humansense.py", tests / "test_humansense.py"
    yield "test/models/test_humansense_omni.py", tests / "test_humansense_omni.py"


def modules_behind(package: Path, module: Path) -> set[Path]:
    """Find the modules of a package that one of its modules needs.

    Families are chosen at run time, so all of them are needed.

    Args:
        package: The folder of the package.
        module: A file in it.

    Returns:
        The module, all modules that it imports, also indirectly, and the `__init__.py` files of their packages.
    """
    found: set[Path] = set()
    waiting = {module, *(package / "local" / "families").glob("*.py")}
    while waiting:
        each = waiting.pop()
        found.add(each)
        waiting |= {*_imported(each), *_packages_of(each, package)} - found
    return found


def _packages_of(module: Path, package: Path) -> Iterator[Path]:
    """The `__init__.py` of each package that a module is in, up to `package`."""
    for folder in module.parents:
        yield folder / "__init__.py"
        if folder == package:
            return


def _imported(module: Path) -> Iterator[Path]:
    """The modules of a module's relative imports, at any place in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = module.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            named = [folder / f"{alias.name}.py" for alias in node.names]
            yield from (path for path in [folder.with_suffix(".py"), folder / "__init__.py", *named] if path.is_file())


def _files(folder: Path, endings: str | tuple[str, ...]) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and file.name.endswith(endings) and "__pycache__" not in file.parts
    )


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()
