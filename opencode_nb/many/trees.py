"""Git worktrees for a map's prompts: made from the files as they are now, compared when a turn has ended. Blocking."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

import platformdirs

from opencode_nb.changes.git_objects import Repository, discover
from opencode_nb.diffs.text import decode
from opencode_nb.errors import OpencodeError
from opencode_nb.file_lock import try_lock
from opencode_nb.many.changes import BetweenTrees

_AUTHOR = ("-c", "user.name=opencode_nb", "-c", "user.email=opencode_nb@localhost", "-c", "commit.gpgsign=false")
_LOCK = "lock"
_NO_COMMIT = "worktree=True needs a git repository with a commit: run `git init` and `git commit` in {} first."


class Trees:
    """The worktrees of one map, in a folder of their own in the user's cache. Close it: that removes them.

    Each begins with the files as they are now, uncommitted changes and new files included, ignored files not. Raises
    OpencodeError outside a repository, and in one without a commit.
    """

    def __init__(self, directory: Path) -> None:
        found = discover(directory)
        self._repository = Repository(_common(found), found.worktree)
        self._below = directory.resolve().relative_to(found.worktree.resolve())
        if not found.has("HEAD^{tree}"):
            raise OpencodeError(_NO_COMMIT.format(found.worktree))
        self._folder, self._lock = _made()
        try:
            self._forget_killed()
            self._before, self._commit = self._snapshot(found)
        except BaseException:
            self.close()
            raise

    def _forget_killed(self) -> None:
        """Have git forget the worktrees of killed maps; not the user's own, which may be on a disk that is away."""
        listed = decode(self._repository.run("worktree", "list", "--porcelain")).splitlines()
        for root in (Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")):
            if root.parent.parent == self._folder.parent.resolve() and not root.parent.exists():
                self._forget(root)

    def _forget(self, root: Path) -> None:
        with contextlib.suppress(OpencodeError):  # then the next map does it
            self._repository.run("worktree", "remove", "--force", "--force", root.as_posix())

    def _snapshot(self, found: Repository) -> tuple[str, str]:
        """Return a tree of the files as they are now, and a commit of it that no branch has."""
        index = self._folder / "index"
        if (own := found.git_dir / "index").exists():
            shutil.copy2(own, index)  # what it knows of the files need not be read again
        now = Repository(found.git_dir, found.worktree, index)
        now.run("add", "--all")
        tree = decode(now.run("write-tree")).strip()
        commit = now.run(*_AUTHOR, "commit-tree", tree, "-p", "HEAD", "-m", "The files as they were")
        return tree, decode(commit).strip()

    def add(self) -> Path:
        """Make a worktree, and return its root."""
        root = self._folder / secrets.token_hex(8)
        self._repository.run("worktree", "add", "--detach", "--quiet", str(root), self._commit)
        return root

    def directory(self, root: Path) -> Path:
        """Return where the agent works in a worktree."""
        return root / self._below

    def changes(self, root: Path) -> BetweenTrees:
        """Return what was changed in a worktree; its objects are in the repository, the worktree may go."""
        inside = discover(root)
        inside.run("add", "--all")
        after = decode(inside.run("write-tree")).strip()
        return BetweenTrees(self._repository.git_dir, self._repository.worktree, self._before, after)

    def remove(self, root: Path) -> None:
        """Remove a worktree."""
        shutil.rmtree(root, ignore_errors=True)  # first: git removes none whose `.git` the agent has damaged
        self._forget(root)

    def close(self) -> None:
        """Remove what is left."""
        for root in filter(Path.is_dir, self._folder.glob("*")):
            self.remove(root)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _common(found: Repository) -> Path:
    """Return the git directory that all worktrees of the repository share."""
    said = decode(found.run("rev-parse", "--git-common-dir")).strip()
    return (found.worktree / said).resolve()


def _made() -> tuple[Path, int]:
    """Make a folder that only the user may read, and lock it; remove those of maps that were killed."""
    above = platformdirs.user_cache_path("opencode-nb", appauthor=False) / "worktrees"
    above.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in above.iterdir():
        _remove_left(folder)
    folder = above / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try_lock(lock)
    return folder, lock


def _remove_left(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:  # it is being made, or removed
        return
    try:
        if try_lock(lock):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
