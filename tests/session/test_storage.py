"""A server whose disk is full: the turn says so, and the next one works when there is room."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.failures import describe
from opencode_nb.session.storage import explained

STATEMENT = "Failed to execute statement"


def error(message: str, kind: str = "session.error") -> dict[str, object]:
    """An event with this error."""
    told = {"name": "UnknownError", "data": {"message": message}}
    properties = {"info": {"id": "msg_1", "error": told}} if kind == "message.updated" else {"error": told}
    return {"type": kind, "properties": properties}


@pytest.mark.parametrize("kind", ["session.error", "message.updated"])
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (STATEMENT, "could not write to its database ({}): Failed to execute statement."),
        (f"effect/sql/SqlError: {STATEMENT}\n  [cause]: SQLiteError: database or disk is full", "disk .* is full ({})"),
        ("ENOSPC: no space left on device, write", "disk of the server's data is full ({})"),
    ],
)
def test_a_write_error_names_the_disk_and_its_path(tmp_path: Path, kind: str, message: str, cause: str) -> None:
    told = explained(error(message, kind), tmp_path)["properties"]
    failure = describe(told["info"]["error"] if kind == "message.updated" else told["error"])
    for part in cause.replace("disk .* is", "is").split("{}"):
        assert part in failure.text
    assert str(tmp_path) in failure.text
    assert "prompt again" in failure.next_step


def test_a_write_error_explains_a_missing_data_directory(tmp_path: Path) -> None:
    told = explained(error(STATEMENT), tmp_path / "gone")["properties"]["error"]
    assert "No such file or directory" in describe(told).text


def test_other_errors_are_left_unchanged(tmp_path: Path) -> None:
    event = error("The model said no")
    assert explained(event, tmp_path) is event
    assert explained({"type": "session.error", "properties": {}}, tmp_path) == {
        "type": "session.error",
        "properties": {},
    }


class Disk:
    """A disk of 24 MB, in memory; where mounts are not allowed, a limit on the server's files stands for it."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.mounted = subprocess.run([*MOUNT, path], check=False).returncode == 0

    def fill(self, pid: int) -> None:
        """Leave not a byte."""
        if not self.mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        for size in (1 << 20, 1 << 12, 1):
            with (self.path / f"fill-{size}").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)

    def make_room(self, pid: int) -> None:
        if not self.mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for filler in self.path.glob("fill-*"):
            filler.unlink()

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=True)


MOUNT: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "small")
    yield disk
    disk.close()


def test_a_full_disk_fails_the_turn_and_freeing_space_recovers(
    opencode_program: Path, project: Path, disk: Disk
) -> None:
    with (
        DemoModel(pace=0) as model,
        oc.Opencode(
            directory=project,
            binary=opencode_program,
            config=model.config(),
            shared=False,
            env={"XDG_DATA_HOME": str(disk.path)},
        ) as ai,
    ):
        session = ai.session()
        assert session.prompt("hello").status == "completed"
        model.queue([[text("partial answer"), gate("full"), text(", and the rest")]])
        seen = threading.Event()
        session.subscribe(lambda change: seen.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert seen.wait(60)
        assert ai.server
        disk.fill(ai.server.pid)
        model.release("full")
        why = "The disk of the server's data is full" if disk.mounted else "The server could not write to its database"
        is_full = f"{why} .{disk.path}/opencode.*Free some space there, then prompt again"
        with pytest.raises(oc.TurnError, match=is_full):
            turn.wait(60)
        assert turn.text.startswith("partial answer")
        with pytest.raises(oc.TurnError, match=is_full):
            session.prompt("hello")
        if disk.mounted:
            with pytest.raises(oc.InternalServerError, match=f"{why} .{disk.path}/opencode.*Free some space there"):
                ai.session()
        disk.make_room(ai.server.pid)
        assert session.prompt("hello").status == "completed"
