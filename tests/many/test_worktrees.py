"""Each prompt in a git worktree of its own, on the real server and with the real git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import platformdirs
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, text, tool
from opencode_nb.many.trees import Trees


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


def folders_of_maps() -> Path:
    return platformdirs.user_cache_path("opencode-nb", appauthor=False) / "worktrees"


def folders() -> list[Path]:
    return list(folders_of_maps().iterdir())


@pytest.fixture
def edits(demo_model: DemoModel) -> None:
    """Queue three turns: two that write the same file, and one that fails having written another."""
    for word in ("one", "two"):
        demo_model.queue([tool("bash", command=f"echo {word} > README.md && cat notes.txt", description="Write")])
        demo_model.queue([text(f"Wrote {word}.")])
    demo_model.queue([tool("bash", command="echo three > third.txt", description="Write")], error(418, "I'm a teapot"))


def test_each_diff_can_be_taken_where_the_files_are_as_they_were(
    options: dict[str, Any], project: Path, edits: None
) -> None:
    (project / "notes.txt").write_text("not committed\n")
    before = (project / "README.md").read_text()
    with oc.Opencode(**{**options, "directory": project}) as ai:
        one, two, failed = oc.map(list("abc"), ai=ai, worktree=True, concurrency=1)
        assert "not committed" in one.tools[0].output
        assert (project / "README.md").read_text() == before
        assert [[file.file for file in turn.diff()] for turn in (one, two)] == [["README.md"]] * 2
        assert [file.file for file in failed.turn.diff()] == ["third.txt"]
        assert one.diff().apply().done == ("README.md",)
        assert (project / "README.md").read_text() == "one\n"
        with pytest.raises(oc.DiffConflictError, match="changed since"):
            two.diff().apply()
        one.diff().revert()
        assert (project / "README.md").read_text() == before
        assert not hasattr(one.session, "prompt")  # its directory is gone
    assert folders() == []
    assert len(git(project, "worktree", "list").splitlines()) == 1
    assert git(project, "status", "--porcelain") == "?? notes.txt\n"


def test_worktrees_need_a_commit(tmp_path: Path) -> None:
    with pytest.raises(oc.OpencodeError, match="not a git repository"):
        Trees(tmp_path)
    git(tmp_path, "init", "-q")
    with pytest.raises(oc.OpencodeError, match=r"worktree=True needs a git repository with a commit"):
        Trees(tmp_path)


def test_worktrees_of_a_killed_map_are_removed_by_the_next(project: Path) -> None:
    own, killed = project.with_name("on a disk that is away"), folders_of_maps() / "killed" / "0123"
    for away in (own, killed):
        git(project, "worktree", "add", "-q", "--detach", str(away))
        shutil.rmtree(away)
    killed.parent.rmdir()
    with Trees(project / "src") as trees:
        listed = git(project, "worktree", "list")
        assert str(own) in listed
        assert str(killed) not in listed
        root = trees.add()
        assert (trees.directory(root) / "temperatures.py").exists()
        left = folders()[0].with_name("left")
        left.mkdir()
        (left / "lock").touch()
        with Trees(project):
            assert left not in folders()
            assert root.exists()
        (root / "new.txt").write_text("new\n")
        trees.remove(root)
        assert not root.exists()
        trees.add()  # is left to the end
    assert folders() == []
    assert len(git(project, "worktree", "list").splitlines()) == 2
