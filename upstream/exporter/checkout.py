"""A git checkout of lmms-eval: what its commit holds, what is changed in it, and writing a change into it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from .errors import UpstreamError, missing

_NAMED = 5
"""How many changed files a sentence names at most."""


class Checkout:
    """The checkout at `root`. Raises UpstreamError where there is none, or git is not installed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not (self.root / "lmms_eval" / "__init__.py").is_file():
            raise UpstreamError(f"{root} is no checkout of lmms-eval: it has no lmms_eval/__init__.py.")
        if Path(self._git("rev-parse", "--show-toplevel").strip().decode()).resolve() != self.root:
            raise UpstreamError(f"{root} is not the root of a git checkout; name the folder that holds .git.")

    @property
    def commit(self) -> str:
        """The short name of the commit that is checked out."""
        return self._git("rev-parse", "--short", "HEAD").decode().strip()

    def committed(self, path: str) -> str:
        """The text of a file as it is committed. Raises UpstreamError where there is none."""
        try:
            return self._git("show", f"HEAD:{path}").decode()
        except UpstreamError:
            raise missing(path.rpartition("/")[0] or "The checkout", f"no {path.rpartition('/')[2]}") from None

    def committed_below(self, folder: str) -> set[str]:
        """The paths of all committed files in a folder."""
        return set(self._git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", folder).decode().split("\0")) - {""}

    def refuse_changes(self, wanted: Mapping[str, bytes | None]) -> None:
        """Raise UpstreamError for files that differ from the commit, unless they are as `wanted` (None: not there)."""
        status = self._git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").decode()
        changed = [entry[3:] for entry in status.split("\0") if entry]
        others = [path for path in changed if path not in wanted or self._content(path) != wanted[path]]
        if others:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            raise UpstreamError(
                f"{self.root} has local changes ({', '.join(others[:_NAMED])}{more}): commit or stash them first."
            )

    def refuse_ignored(self, paths: list[str]) -> None:
        """Raise UpstreamError where git would leave one of these out of a commit."""
        asked = subprocess.run(
            ["git", "check-ignore", "--stdin"], cwd=self.root, input="\n".join(paths), capture_output=True, text=True
        )
        if asked.stdout:
            raise UpstreamError(
                f"The checkout's .gitignore leaves out what the change adds: {asked.stdout.split()[0]}."
            )

    def write(self, wanted: Mapping[str, bytes | None]) -> list[str]:
        """Have these files as they are wanted (None: not there); returns those that were not."""
        written = [path for path, content in wanted.items() if self._content(path) != content]
        for path in written:
            content, file = wanted[path], self.root / path
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        return written

    def _content(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def _git(self, *arguments: str) -> bytes:
        try:
            ended = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True)
        except FileNotFoundError:
            raise UpstreamError("The program git is needed to look at the checkout; install it.") from None
        if ended.returncode:
            raise UpstreamError(f"git {arguments[0]} failed in {self.root}: {ended.stderr.decode().strip()}")
        return ended.stdout
