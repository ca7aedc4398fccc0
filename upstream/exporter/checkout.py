"""A git checkout of lmms-eval: reading its commit, finding local changes, and writing a change into it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from .errors import UpstreamError, missing

_NAMED = 5
"""The most changed files that a message names."""


class Checkout:
    """The git checkout of lmms-eval at `root`.

    Raises:
        UpstreamError: `root` is no such checkout, or git is not installed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not (self.root / "lmms_eval" / "__init__.py").is_file():
            raise UpstreamError(f"{root} is no checkout of lmms-eval: it has no lmms_eval/__init__.py.")
        if Path(self._git("rev-parse", "--show-toplevel").strip().decode()).resolve() != self.root:
            raise UpstreamError(f"{root} is not the root of a git checkout; give the folder that holds .git.")

    @property
    def commit(self) -> str:
        """The short name of the commit that is checked out."""
        return self._git("rev-parse", "--short", "HEAD").decode().strip()

    def committed(self, path: str) -> str:
        """The text of a file in the commit.

        Raises:
            UpstreamError: The commit has no such file.
        """
        try:
            return self._git("show", f"HEAD:{path}").decode()
        except UpstreamError:
            raise missing(path.rpartition("/")[0] or "The checkout", f"no {path.rpartition('/')[2]}") from None

    def committed_below(self, folder: str) -> set[str]:
        """The paths of all committed files in a folder."""
        return set(self._git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", folder).decode().split("\0")) - {""}

    def refuse_changes(self, wanted: Mapping[str, bytes | None]) -> None:
        """Refuse local changes, except those of the change itself.

        Args:
            wanted: The content of files by their path; None for a file that must not exist.

        Raises:
            UpstreamError: A file differs both from the commit and from `wanted`.
        """
        status = self._git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").decode()
        changed = [entry[3:] for entry in status.split("\0") if entry]
        others = [path for path in changed if path not in wanted or self._content(path) != wanted[path]]
        if others:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            raise UpstreamError(
                f"{self.root} has local changes ({', '.join(others[:_NAMED])}{more}): commit or stash them first."
            )

    def refuse_ignored(self, paths: list[str]) -> None:
        """Refuse files that git ignores.

        Raises:
            UpstreamError: Git would leave one of `paths` out of a commit.
        """
        asked = subprocess.run(
            ["git", "check-ignore", "--stdin"], cwd=self.root, input="\n".join(paths), capture_output=True, text=True
        )
        if asked.stdout:
            raise UpstreamError(f"The checkout's .gitignore excludes a file of the change: {asked.stdout.split()[0]}.")

    def write(self, wanted: Mapping[str, bytes | None]) -> list[str]:
        """Write files.

        Args:
            wanted: The content of files by their path; None for a file to delete.

        Returns:
            The paths whose content was different before.
        """
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
