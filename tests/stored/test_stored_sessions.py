"""Sessions read from the file that the real server writes, while it runs and without it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text
from opencode_nb.server import Server
from opencode_nb.stored import store


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


def live() -> Path:
    """Return the store of the run's server, which has it open."""
    return Path(os.environ["XDG_DATA_HOME"], "opencode", "opencode.db")


@pytest.fixture(scope="module")
def kept(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store of the server with two sessions."""
    directory = tmp_path_factory.mktemp("kept")
    with oc.Opencode(base_url=server.url, password=server.password, directory=directory) as ai:
        for title in ("First", "Second"):
            ai.session(title)
    with closing(sqlite3.connect(live())) as source, closing(sqlite3.connect(directory / "opencode.db")) as copy:
        source.backup(copy)
        copy.execute("DELETE FROM session WHERE directory <> ?", [str(directory)])
        copy.commit()
    return directory


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    """A copy of that store, to change."""
    return Path(shutil.copytree(kept, tmp_path / "data"))


def change(data: Path, *statements: str) -> None:
    """Change a store as another version of OpenCode would have written it."""
    with closing(sqlite3.connect(data / "opencode.db")) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()


def test_lists_what_a_running_server_has_stored(ai: oc.Opencode, demo_model: DemoModel, project: Path) -> None:
    before = datetime.now(UTC)
    first, second, old = (ai.session(title) for title in ("First", "Second", "Old"))
    child = ai.session("Child", parent=first.id)
    ai.client.session.update(old.id, time={"archived": 1_700_000_000_000})
    demo_model.queue([text("Hello.")])
    first.prompt("Hi.")
    names = sorted(path.name for path in live().parent.iterdir())

    listed = oc.stored_sessions(project)
    assert [session.id for session in listed] == [first.id, second.id] == [info["id"] for info in ai.sessions()]
    newest = listed[0]
    assert (newest.title, newest.directory, newest.messages) == (first.title, str(project), 2)
    assert (newest.parent, newest.archived, newest.share_url) == (None, None, "")
    assert newest.version == ai.version
    assert before.timestamp() - 1 < newest.created.timestamp() <= newest.updated.timestamp()

    assert oc.stored_session(child.id).parent == first.id
    with_archived = oc.stored_sessions(project, archived=True)
    assert {session.id: session.archived for session in with_archived}[old.id] == datetime(
        2023, 11, 14, 22, 13, 20, tzinfo=UTC
    )
    assert oc.stored_sessions(project, limit=1) == listed[:1]
    assert first.id in {session.id for session in oc.stored_sessions()}
    assert sorted(path.name for path in live().parent.iterdir()) == names


def test_reading_a_closed_store_leaves_it_as_it_is(data: Path) -> None:
    change(data, "PRAGMA journal_mode=WAL")
    content = (data / "opencode.db").read_bytes()
    assert [session.title for session in oc.stored_sessions(data=data)] == ["Second", "First"]
    assert [session.title for session in oc.stored_sessions(data=data / "opencode.db")] == ["Second", "First"]
    assert [path.name for path in data.iterdir()] == ["opencode.db"]
    assert (data / "opencode.db").read_bytes() == content


def test_reads_changes_that_are_only_in_the_log_of_the_store(data: Path) -> None:
    with closing(sqlite3.connect(data / "opencode.db")) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE session SET title = 'Renamed' WHERE title = 'Second'")
        writer.commit()
        assert [session.title for session in oc.stored_sessions(data=data)] == ["Renamed", "First"]


def test_reads_a_store_from_before_usage_was_recorded(data: Path) -> None:
    later = ("cost", "tokens_input", "tokens_output", "agent", "model", "path", "metadata")
    change(data, *(f"ALTER TABLE session DROP COLUMN {name}" for name in later))
    assert [session.title for session in oc.stored_sessions(data=data)] == ["Second", "First"]


def test_finds_a_store_of_another_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "opencode.db").rename(data / "mine.db")
    monkeypatch.setenv("OPENCODE_DB", str(data / "mine.db"))
    assert len(oc.stored_sessions()) == 2


def damage(data: Path) -> None:
    (data / "opencode.db").write_bytes(b"not a database, and long enough to be taken for one" * 100)


def truncate(data: Path) -> None:
    content = (data / "opencode.db").read_bytes()
    (data / "opencode.db").write_bytes(content[: len(content) // 2])


def remove(data: Path) -> None:
    (data / "opencode.db").unlink()


def of_the_generation_before(data: Path) -> None:
    remove(data)
    (data / "storage" / "session").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, "is damaged"),
        (truncate, "is damaged"),
        (remove, "There is no OpenCode store"),
        (of_the_generation_before, "Start OpenCode once"),
        (lambda data: change(data, "ALTER TABLE session RENAME TO conversation"), "does not know: no session.id"),
        (lambda data: change(data, "ALTER TABLE session RENAME COLUMN title TO name"), "no session.title"),
        (lambda data: change(data, "UPDATE session SET time_updated = 9e30"), "can't be read"),
    ],
)
def test_a_store_that_cannot_be_read_says_why(data: Path, spoil: Callable[[Path], None], told: str) -> None:
    spoil(data)
    with pytest.raises(oc.OpencodeError, match=told) as caught:
        oc.stored_sessions(data=data)
    assert str(data) in str(caught.value)


def test_a_locked_store_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    change(data, "PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(data / "opencode.db")) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE session SET title = 'Locked'")
        with pytest.raises(oc.OpencodeError, match="is locked by another program"):
            oc.stored_sessions(data=data)


def test_an_unknown_session_and_a_negative_limit_raise(data: Path) -> None:
    with pytest.raises(oc.OpencodeError, match="no session ses_unknown"):
        oc.stored_session("ses_unknown", data=data)
    with pytest.raises(ValueError, match="limit=-1"):
        oc.stored_sessions(data=data, limit=-1)
