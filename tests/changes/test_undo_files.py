"""Undo and redo restore exactly the agent's files, whatever the server's own undo does."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.changes import copies, undo_record
from opencode_nb.demo import DemoModel, gate, text, tool, usage
from opencode_nb.diffs.change import known
from opencode_nb.server import Server
from opencode_nb.transcript.attribution import own_diffs
from opencode_nb.widgets.notebook.own_notebook import own_notebook_warning
from tests.conftest import make_project

Open = Callable[..., oc.Session]

NAMES = [
    "café.txt",
    "plain.txt",
    'q"uote.txt',
    "tab\tin.txt",
    "new\nline.txt",
    " lead.txt",
    "trail ",
    "中文.txt",
    "🙂.txt",
]
NAMES += ["[id].txt", "back\\slash.txt", "-dash", "*.txt"]


@pytest.fixture
def open_at(server: Server) -> Iterator[Open]:
    opened: list[oc.Opencode] = []

    def open_session(directory: Path, **options: object) -> oc.Session:
        ai = oc.Opencode(base_url=server.url, password=server.password, directory=directory, permission="allow")
        opened.append(ai)
        return ai.session()

    yield open_session
    for ai in opened:
        ai.close()


def edit(file: Path, old: str, new: str) -> object:
    return tool("edit", filePath=str(file), oldString=old, newString=new)


def bash(command: str) -> object:
    return tool("bash", command=command, description="Does it")


def play(session: oc.Session, model: DemoModel, *calls: object) -> oc.Turn:
    model.queue([[*calls], [text("Done.")]])
    return session.prompt("go")


def begun(session: oc.Session) -> oc.Turn:
    """Start a turn and wait for its first words."""
    spoke = threading.Event()
    unsubscribe = session.subscribe(lambda change: spoke.set() if change.kind == "delta" else None)
    turn = session.prompt("go", wait=False)
    assert spoke.wait(60)
    unsubscribe()
    return turn


def test_files_with_names_that_git_quotes_are_undone_and_redone(
    open_at: Open, demo_model: DemoModel, project: Path
) -> None:
    for name in NAMES:
        (project / name).write_text("uncommitted\n")
    (project / "i.txt").write_text("matched by a pattern\n")
    session = open_at(project)
    play(session, demo_model, *(edit(project / name, "uncommitted", "edited") for name in NAMES))
    (project / "lead.txt").write_text("mine\n")
    undone = session.revert()
    assert {name: (project / name).read_text() for name in NAMES} == dict.fromkeys(NAMES, "uncommitted\n")
    assert (set(undone.files), undone.warning) == (set(NAMES), "")
    redone = session.unrevert()
    assert {name: (project / name).read_text() for name in NAMES} == dict.fromkeys(NAMES, "edited\n")
    assert (set(redone.files), redone.warning) == (set(NAMES), "")
    assert (project / "lead.txt").read_text() == "mine\n"
    assert (project / "i.txt").read_text() == "matched by a pattern\n"


def test_edits_by_the_user_during_a_turn_are_not_part_of_it(
    open_at: Open, demo_model: DemoModel, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, readme, notebook = project / "a.txt", project / "README.md", project / "mine.ipynb"
    note.write_text("one\n")
    notebook.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    session = open_at(project)
    demo_model.queue([[edit(note, "one", "two"), text("Working."), gate("saved")], [text("Done.")]])
    turn = begun(session)
    readme.write_text("mine\n")
    notebook.write_text('{"saved": "by hand"}')
    (project / "created.txt").write_text("mine\n")
    (project / "data/measured.csv").unlink()
    demo_model.release("saved")
    turn.wait(60)
    diff = turn.diff()
    assert [file.file for file in diff.files] == ["a.txt"]
    assert [file["file"] for file in own_diffs(turn.state)] == ["a.txt"]
    assert own_notebook_warning(diff.files, diff.root) == ""
    for act, content in ((session.revert, "one\n"), (session.unrevert, "two\n"), (session.revert, "one\n")):
        report = act()
        assert (note.read_text(), report.files, str(report)) == (content, ("a.txt",), "Restored: a.txt")
        assert (readme.read_text(), notebook.read_text()) == ("mine\n", '{"saved": "by hand"}')
        assert (project / "created.txt").read_text() == "mine\n"
        assert not (project / "data/measured.csv").exists()


def test_undo_names_the_copy_of_a_file_that_changed_while_a_command_ran(
    open_at: Open, demo_model: DemoModel, project: Path
) -> None:
    note = project / "a.txt"
    note.write_text("one\n")
    session = open_at(project)
    turn = play(session, demo_model, bash("echo two > a.txt"), edit(project / "README.md", "# T", "# t"))
    diff = turn.diff()
    assert {file.file: file.certain for file in diff.files} == {"README.md": True, "a.txt": False}
    assert "perhaps by someone else: a.txt." in diff.source
    undone = session.revert()
    assert note.read_text() == "one\n"
    assert undone.uncertain == ("a.txt",)
    assert Path(dict(undone.copies)["a.txt"]).read_text() == "two\n"
    assert dict(undone.copies)["a.txt"] in str(undone)


def test_a_denied_command_accounts_for_no_change(open_at: Open, demo_model: DemoModel, project: Path) -> None:
    session = open_at(project)
    demo_model.queue([[bash("echo no"), text("Wait."), gate("saved")], [text("Done.")]])
    spoke = threading.Event()
    session.subscribe(lambda change: spoke.set() if change.kind == "delta" else None)
    turn = session.prompt("go", wait=False, permission=lambda request: ("reject", "Not now."))
    assert spoke.wait(60)
    (project / "README.md").write_text("mine\n")
    demo_model.release("saved")
    assert turn.wait(60).diff().files == ()
    assert str(session.revert()) == "There were no files to restore."
    assert (project / "README.md").read_text() == "mine\n"


def test_an_edit_by_the_user_in_the_same_step_and_file_is_kept(
    open_at: Open, demo_model: DemoModel, project: Path
) -> None:
    """The step's trees contain both changes; the tool's report only its own."""
    note = project / "a.txt"
    note.write_text("one\n2\n3\n4\n5\n")
    session = open_at(project)
    demo_model.queue([[text("First."), gate("by hand"), edit(note, "one", "two")], [text("Done.")]])
    turn = begun(session)
    note.write_text("one\n2\n3\n4\nmine\n")
    demo_model.release("by hand")
    turn.wait(60)
    session.revert()
    assert note.read_text() == "one\n2\n3\n4\nmine\n"
    session.unrevert()
    assert note.read_text() == "two\n2\n3\n4\nmine\n"


def test_the_users_line_between_two_turns_survives_both_undos(
    open_at: Open, demo_model: DemoModel, project: Path
) -> None:
    note = project / "a.txt"
    note.write_text("".join(f"{n}\n" for n in range(20)))
    session = open_at(project)
    play(session, demo_model, edit(note, "\n1\n", "\none\n"))
    note.write_text(note.read_text().replace("10\n", "mine\n"))
    play(session, demo_model, edit(note, "\n18\n", "\neighteen\n"))
    session.revert()
    session.revert()
    assert note.read_text() == "".join(f"{n}\n" for n in range(20)).replace("10\n", "mine\n")


@pytest.mark.parametrize("permission", ["allow", "configured"])
def test_a_write_over_an_ignored_file_can_be_undone(
    open_at: Open, demo_model: DemoModel, project: Path, permission: str, server: Server
) -> None:
    """With a permission request the copy is made while the tool waits, else before the model writes the call."""
    (project / ".gitignore").write_text("*.log\nlocal/\n")
    if permission == "configured":
        (project / "opencode.json").write_text('{"permission": {"edit": "allow"}}')
    (project / "local").mkdir()
    files = [project / "x.log", project / "local" / "settings.ini"]
    for file in files:
        file.write_text("old\n")
    session = open_at(project)
    turn = play(session, demo_model, *(tool("write", filePath=str(file), content="new\n") for file in files))
    assert [file.file for file in turn.diff().files] == ["local/settings.ini", "x.log"]
    undone = session.revert()
    assert [file.read_text() for file in files] == ["old\n", "old\n"]
    assert (undone.files, undone.warning) == (("local/settings.ini", "x.log"), "")
    session.unrevert()
    assert [file.read_text() for file in files] == ["new\n", "new\n"]


def test_copies_left_by_a_killed_kernel_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = {days: tmp_path / f"{copies.PREFIX}{days}" for days in (0, 2)}
    for days, folder in folders.items():
        folder.mkdir()
        (folder / "1").write_text("secret")
        os.utime(folder, (time.time() - days * 24 * 3600 - 60,) * 2)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.txt").write_text("one\n")
    copies.Copies(tmp_path / "plain").take()
    assert [days for days, folder in folders.items() if folder.exists()] == [0]


def test_a_file_ignored_only_later_is_not_deleted(open_at: Open, demo_model: DemoModel, project: Path) -> None:
    note = project / "a.txt"
    note.write_text("one\n")
    session = open_at(project)
    play(session, demo_model, edit(note, "one", "two"))
    (project / ".gitignore").write_text("a.txt\n")
    assert session.revert().warning == ""
    assert note.read_text() == "one\n"
    assert session.unrevert().warning == ""
    assert note.read_text() == "two\n"


@pytest.mark.parametrize("place", ["sub-folder", "worktree", "link"])
def test_all_paths_are_relative_to_one_root(
    open_at: Open, demo_model: DemoModel, project: Path, tmp_path: Path, place: str
) -> None:
    root, directory = project, project / "src"
    if place == "worktree":
        root = directory = tmp_path / "tree"
        subprocess.run(["git", "worktree", "add", "-q", str(root), "-b", "side"], cwd=project, check=True)
    elif place == "link":
        directory = tmp_path / "link"
        directory.symlink_to(project)
    session = open_at(directory)
    is_part = place == "sub-folder"
    module = directory / ("temperatures.py" if is_part else "src/temperatures.py")
    calls = [edit(module, "* 9 / 5", "* 1.8"), *([] if is_part else [bash(f"rm {root}/data/measured.csv")])]
    turn = play(session, demo_model, *calls)
    expected = ["src/temperatures.py"] if is_part else ["data/measured.csv", "src/temperatures.py"]
    assert [file.file for file in turn.diff().files] == expected
    undone = session.revert()
    assert (list(undone.files), undone.warning, undone.root) == (expected, "", Path(os.path.realpath(root)))
    assert str(undone).startswith(f"Restored in {undone.root}: " if is_part else "Restored: ")
    assert "* 9 / 5" in (root / "src/temperatures.py").read_text()
    assert (root / "data/measured.csv").exists()
    redone = session.unrevert()
    assert (list(redone.files), redone.warning) == (expected, "")
    assert "* 1.8" in (root / "src/temperatures.py").read_text()
    assert (root / "data/measured.csv").exists() is is_part


def test_a_redo_repeats_a_deletion_in_a_subfolder(open_at: Open, demo_model: DemoModel, project: Path) -> None:
    session = open_at(project / "data")
    play(session, demo_model, bash("rm measured.csv"))
    session.revert()
    assert (project / "data/measured.csv").exists()
    assert session.unrevert().files == ("data/measured.csv",)
    assert not (project / "data/measured.csv").exists()


def test_a_nested_repository_without_commits_hides_no_change(
    open_at: Open, demo_model: DemoModel, project: Path
) -> None:
    """git then records nothing of the entire work tree."""
    subprocess.run(["git", "init", "-q", "nested"], cwd=project, check=True)
    (project / "nested/inside.txt").write_text("one\n")
    (project / "a.txt").write_text("one\n")
    session = open_at(project)
    turn = play(
        session, demo_model, edit(project / "nested/inside.txt", "one", "two"), edit(project / "a.txt", "one", "two")
    )
    assert [file.file for file in turn.diff().files] == ["a.txt", "nested/inside.txt"]
    session.revert()
    assert [(project / name).read_text() for name in ("a.txt", "nested/inside.txt")] == ["one\n", "one\n"]


def test_a_folder_replaced_by_a_link_is_left_alone(
    open_at: Open, demo_model: DemoModel, project: Path, tmp_path: Path
) -> None:
    session = open_at(project)
    turn = play(session, demo_model, edit(project / "src/temperatures.py", "* 9 / 5", "* 1.8"))
    elsewhere = tmp_path / "elsewhere"
    (project / "src").rename(elsewhere)
    (project / "src").symlink_to(elsewhere)
    (file,) = turn.diff().files
    assert file.state == "changed since"
    with pytest.raises(oc.DiffConflictError, match=r"src/temperatures\.py"):
        session.revert()
    assert (project / "src").is_symlink()
    assert "* 1.8" in (elsewhere / "temperatures.py").read_text()


def test_without_git_an_undo_uses_the_tools_reports_and_says_why(
    open_at: Open, demo_model: DemoModel, tmp_path: Path
) -> None:
    directory = tmp_path / "plain"
    directory.mkdir()
    for name in ("a.txt", "b.txt"):
        (directory / name).write_text("one\n")
    session = open_at(directory)
    write = tool("write", filePath=str(directory / "b.txt"), content="new\n")
    play(session, demo_model, edit(directory / "a.txt", "one", "two"), write, bash("touch made"))
    undone = session.revert()
    assert {name: (directory / name).read_text() for name in ("a.txt", "b.txt")} == {"a.txt": "one\n", "b.txt": "one\n"}
    assert undone.files == ("a.txt", "b.txt")
    assert undone.warning == "What commands changed is not restored: this is not a git repository."
    session.unrevert()
    assert (directory / "b.txt").read_text() == "new\n"


def test_the_reason_for_missing_snapshots_is_correct(
    open_at: Open, demo_model: DemoModel, project: Path, tmp_path: Path
) -> None:
    (project / "opencode.json").write_text('{"snapshot": false}')
    turn = play(open_at(project), demo_model, bash("touch made"))
    assert '`"snapshot": false`' in turn.diff().source
    assert "git repository" not in turn.diff().source
    other = make_project(tmp_path / "other")
    for place in (other, *other.rglob("*")):
        os.chown(place, 12345, 12345)
    session = open_at(other)
    turn = play(session, demo_model, bash("touch made"))
    assert "owned by another user" in turn.diff().source
    assert "owned by another user" in session.revert().warning


def test_a_turn_with_a_compaction_keeps_all_its_files(open_at: Open, demo_model: DemoModel, project: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (project / name).write_text("one\n")
    session = open_at(project)
    demo_model.queue([[usage(190_000, 10), edit(project / "a.txt", "one", "two")]])
    demo_model.queue([text("## Goal\n- Go on.\n")], [edit(project / "b.txt", "one", "two")], [text("Done.")])
    turn = session.prompt("go")
    both = ["a.txt", "b.txt"]
    assert [diff["file"] for diff in own_diffs(turn.state)] == both
    assert [file.file for file in turn.diff().files] == both
    for act, content in ((session.revert, "one\n"), (session.unrevert, "two\n")):
        report = act()
        assert (list(report.files), report.warning) == (both, "")
        assert [(project / name).read_text() for name in both] == [content, content]


def test_an_undo_succeeds_if_its_record_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By then the server is done: the files must still be corrected."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a file"))
    (tmp_path / "a file").write_text("")
    undo_record.note("ses_1", {"a.txt": known(b"one\n")}, first=True)
