"""Undo and redo on the real server lose nothing that someone else wrote meanwhile."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.changes import backups
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.server import Server


@pytest.fixture
def session(server: Server, project: Path) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project, permission="allow") as ai:
        yield ai.session()


@pytest.fixture
def note(project: Path) -> Path:
    file = project / "note.txt"
    file.write_text("one\n")
    return file


@pytest.fixture
def mine(project: Path) -> Path:
    file = project / "mine.txt"
    file.write_text("mine\n")
    return file


def shell(session: oc.Session, model: DemoModel, command: str) -> oc.Turn:
    model.queue([[tool("bash", command=command, description="Does it")], [text("Done.")]])
    return session.prompt(command)


def copy_named(warning: str) -> str:
    """Return the text of the only copy that a warning names."""
    (place,) = re.findall(r" as (\S+)\.$", warning)
    assert Path(place).parent == backups.folder()
    return Path(place).read_text()


def test_an_undo_is_refused_if_the_user_changed_a_file_of_the_turn(
    session: oc.Session, demo_model: DemoModel, note: Path, project: Path
) -> None:
    turn = shell(session, demo_model, "echo two >> note.txt; echo new > new.txt")
    note.write_text("by hand\n")
    with pytest.raises(
        oc.DiffConflictError, match=r"Nothing was done: note\.txt: .*turn\.diff\(\).*force=True"
    ) as error:
        session.revert()
    assert [path for path, _ in error.value.refused] == ["note.txt"]
    assert (note.read_text(), (project / "new.txt").read_text()) == ("by hand\n", "new\n")
    assert [kept_turn.id for kept_turn in session.turns()] == [turn.id]

    undone = session.revert(force=True)
    assert (note.read_text(), (project / "new.txt").exists()) == ("one\n", False)
    assert undone.files == ("new.txt", "note.txt")
    assert copy_named(undone.warning) == "by hand\n"

    note.write_text("by hand again\n")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt"):
        session.unrevert()
    assert (note.read_text(), session.turns()) == ("by hand again\n", [])
    redone = session.unrevert(force=True)  # back to the state before the undo
    assert note.read_text() == "by hand\n"
    assert copy_named(redone.warning.splitlines()[-1]) == "by hand again\n"


def test_a_redo_keeps_changes_to_other_files(
    session: oc.Session, demo_model: DemoModel, note: Path, mine: Path, project: Path
) -> None:
    gone, new = project / "gone.txt", project / "later.txt"
    gone.write_text("gone\n")
    shell(session, demo_model, "echo two >> note.txt")
    shell(session, demo_model, "echo three >> note.txt")
    session.revert()
    mine.write_text("changed after the undo\n")
    gone.unlink()
    new.write_text("new\n")
    for act, content in ((session.revert, "one\n"), (session.unrevert, "one\ntwo\nthree\n")):
        assert act().warning == ""
        assert note.read_text() == content
        assert (mine.read_text(), gone.exists(), new.read_text()) == ("changed after the undo\n", False, "new\n")


def test_an_edit_between_two_turns_survives_their_undo(
    session: oc.Session, demo_model: DemoModel, note: Path, mine: Path
) -> None:
    first = shell(session, demo_model, "echo two >> note.txt")
    note.write_text("by hand\n")
    shell(session, demo_model, "echo three >> note.txt; echo more >> mine.txt")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt"):
        session.revert(first)
    assert (note.read_text(), mine.read_text()) == ("by hand\nthree\n", "mine\nmore\n")
    assert session.revert().warning == ""
    assert (note.read_text(), mine.read_text()) == ("by hand\n", "mine\n")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt"):
        session.revert()
    assert note.read_text() == "by hand\n"


def test_a_file_deleted_by_the_agent_and_recreated_by_the_user_is_kept(
    session: oc.Session, demo_model: DemoModel, note: Path
) -> None:
    shell(session, demo_model, "rm note.txt")
    note.mkdir()
    (note / "inside").write_text("by hand\n")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt: a folder is there now"):
        session.revert(force=True)
    (note / "inside").unlink()
    note.rmdir()
    note.write_text("by hand\n")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt"):
        session.revert()
    note.write_text("one\n")  # the same as the undo writes: nothing is lost
    assert session.revert().warning == ""


def test_touching_a_file_and_reverting_hunks_do_not_block_an_undo(
    session: oc.Session, demo_model: DemoModel, note: Path, mine: Path
) -> None:
    turn = shell(session, demo_model, "sed -i 's/one/two/' note.txt; echo more >> mine.txt")
    turn.diff()["mine.txt"].revert()
    note.write_text(note.read_text())
    assert session.revert().warning == ""
    assert (note.read_text(), mine.read_text()) == ("one\n", "mine\n")
    note.touch()
    assert session.unrevert().files == ("note.txt",)
    note.touch()
    assert session.revert().warning == ""
    assert note.read_text() == "one\n"


def test_a_stopped_turn_can_be_undone(session: oc.Session, demo_model: DemoModel, note: Path) -> None:
    calls = [tool("edit", filePath=str(note), oldString="one", newString="two")]
    demo_model.queue([[tool("read", filePath=str(note))], [*calls, text("Now."), gate("stopped")]])
    changed = threading.Event()
    session.subscribe(lambda change: changed.set() if note.read_text() == "two\n" else None)
    turn = session.prompt("go", wait=False)
    assert changed.wait(60)
    session.abort()
    demo_model.release("stopped")
    with pytest.raises(oc.AbortedError):
        turn.wait(30)
    note.write_text("by hand\n")
    with pytest.raises(oc.DiffConflictError, match=r"note\.txt"):
        session.revert()
    note.write_text("two\n")
    assert session.revert().warning == ""
    assert note.read_text() == "one\n"


def test_async_undo_accepts_force(server: Server, project: Path, demo_model: DemoModel, note: Path) -> None:
    url, password = server.url, server.password

    async def main() -> str:
        async with oc.AsyncOpencode(base_url=url, password=password, directory=project, permission="allow") as ai:
            session = await ai.session()
            call = tool("bash", command="echo two >> note.txt", description="Does it")
            demo_model.queue([[call], [text("Done.")]])
            await session.prompt("go")
            await asyncio.to_thread(note.write_text, "by hand\n")
            with pytest.raises(oc.DiffConflictError):
                await session.revert()
            return (await session.revert(force=True)).warning

    assert copy_named(asyncio.run(main())) == "by hand\n"
    assert note.read_text() == "one\n"
