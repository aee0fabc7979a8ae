"""Find out why the server keeps no snapshots of a directory. Blocking."""

from __future__ import annotations

from pathlib import Path

from opencode_nb.changes import git_objects


def reason(directory: Path) -> str:
    """Return why no snapshots were taken of a directory, to continue a sentence."""
    if not directory.is_dir():
        return "its files are on another machine"
    try:
        git_objects.discover(directory)
    except git_objects.GitError as error:
        return _refused(str(error), directory)
    return 'the server took no snapshots (`"snapshot": false` in OpenCode\'s configuration)'


def _refused(words: str, directory: Path) -> str:
    if "dubious ownership" in words:
        return f"{directory} is in a repository owned by another user, which git refuses (`git config safe.directory`)"
    if "could not be run" in words:
        return "the `git` program is not installed"
    return "this is not a git repository"
