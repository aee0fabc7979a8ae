"""Log files: private, few, and never deleted while their server runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from opencode_nb.server import logs


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_logs_are_private(state: Path) -> None:
    descriptor, path = logs.open_log()
    os.close(descriptor)
    assert path.is_relative_to(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_latest_logs_and_those_in_use_are_kept() -> None:
    in_use, first = logs.open_log()
    paths = []
    for age in range(logs.KEPT + 5, 0, -1):
        descriptor, path = logs.open_log()
        os.close(descriptor)
        os.utime(path, (0, 1_000_000 - age))
        paths.append(path)
    os.utime(first, (0, 0))
    os.close(logs.open_log()[0])
    assert first.exists()
    assert [path.exists() for path in paths] == [False] * 6 + [True] * (logs.KEPT - 1)
    os.close(in_use)
    os.close(logs.open_log()[0])
    assert not first.exists()


def test_logs_go_to_a_temporary_directory_if_the_users_is_not_writable(state: Path) -> None:
    state.write_text("in the way")
    descriptor, path = logs.open_log()
    os.close(descriptor)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.unlink()
    path.parent.rmdir()


def test_tail_returns_plain_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "".join(f"line {n}\n" for n in range(100)) + "\x1b[91m\x1b[1mun\x1b]0;title\x07finish\x00ed\x9b\x1b[0m"
    )
    assert logs.tail(log, 2) == "line 99\nunfinished"
    assert logs.tail(log, 0) == ""
    assert logs.tail(log, 1, limit=len("ed\x9b\x1b[0m".encode())) == "ed"
    assert logs.tail(tmp_path / "nowhere", 5) == ""
