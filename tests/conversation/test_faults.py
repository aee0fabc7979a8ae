"""What happens to a turn when the server dies, and to the next one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text


def test_a_server_killed_in_mid_turn(opencode_program: Path, project: Path) -> None:
    with (
        DemoModel(pace=0) as model,
        oc.Opencode(directory=project, binary=opencode_program, config=model.config()) as ai,
    ):
        model.queue([[text("partial answer"), gate("killed")]])
        session = ai.session()
        seen = threading.Event()
        session.subscribe(lambda change: seen.set() if change.kind == "delta" else None)
        turn = session.prompt("go", wait=False)
        assert seen.wait(60)
        assert ai.server is not None
        os.kill(ai.server.pid, signal.SIGKILL)
        with pytest.raises(oc.TurnError, match="ended in the middle"):
            turn.wait(30)
        model.release("killed")
        assert turn.text == "partial answer"
        assert not ai.started
        assert session.prompt("hello").status == "completed"
        assert [kept.status for kept in session.turns()][-1] == "completed"


def test_a_server_that_is_not_there(unused_port: int, project: Path) -> None:
    with pytest.raises(oc.APIConnectionError):
        oc.Opencode(base_url=f"http://127.0.0.1:{unused_port}", directory=project).start()


def test_a_wrong_password(project: Path, opencode_program: Path) -> None:
    with (
        oc.serve(demo=True, directory=project, binary=opencode_program) as server,
        pytest.raises(oc.AuthenticationError),
    ):
        oc.Opencode(base_url=server.url, password="wrong", directory=project).start()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
