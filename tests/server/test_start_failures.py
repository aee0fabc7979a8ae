"""Every way a start can fail: reported in time, with its reason, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from opencode_nb.errors import BinaryNotFoundError, ServerStartError
from opencode_nb.server import Server
from tests.server.support import CASE, assert_gone, started_by

Start = Callable[..., Server]
Program = Callable[[str], Path]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(CASE, str(tmp_path))
    yield
    assert_gone(started_by(str(tmp_path)))


@pytest.mark.parametrize("lines", ["exec sleep 1000", "trap '' TERM INT HUP\nwhile :; do sleep 1; done"])
def test_a_hanging_program_is_ended_at_the_timeout(start: Start, program: Program, lines: str) -> None:
    began = time.monotonic()
    with pytest.raises(ServerStartError, match=r"not ready within 0\.5 s") as caught:
        start(binary=program(f"echo thinking\n{lines}"), timeout=0.5)
    assert time.monotonic() - began < 10  # a bound, not a speed: the program would run for ever
    assert caught.value.exit_code is None
    assert caught.value.tail == "thinking"


def test_a_program_that_exits_gives_exit_code_and_log(start: Start, program: Program) -> None:
    with pytest.raises(ServerStartError, match="exit code 3") as caught:
        start(binary=program("echo starting\necho 'boom: no such thing' >&2\nexit 3"))
    assert caught.value.exit_code == 3
    assert "boom: no such thing" in caught.value.tail
    assert "boom: no such thing" in str(caught.value)


def test_a_program_that_is_not_opencode_says_which_variable_names_it(
    start: Start, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = program('[ "$1" = --version ] && echo Python 3.12.1 || exit 2')
    monkeypatch.setenv("OPENCODE_NB_BINARY", str(other))
    with pytest.raises(ServerStartError, match=r"exit code 2\. \$OPENCODE_NB_BINARY=\S+ is the only place looked at: "):
        start(binary=None)


def test_a_killed_program_gives_its_signal(start: Start, program: Program) -> None:
    with pytest.raises(ServerStartError) as caught:
        start(binary=program("kill -9 $$"))
    assert caught.value.exit_code == -signal.SIGKILL


def test_a_file_that_is_not_a_program_is_an_error(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "opencode"
    path.write_bytes(b"\0\1\2 no program")
    path.chmod(0o755)
    with pytest.raises(ServerStartError, match="could not be run") as caught:
        start(binary=path)
    assert caught.value.exit_code is None


def test_a_missing_program_names_the_places_searched(start: Start, tmp_path: Path) -> None:
    with pytest.raises(BinaryNotFoundError, match="opencode-nb install") as caught:
        start(binary=tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_a_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(ServerStartError, match=f"127.0.0.1:{port}: the port is in use") as caught:
            start(port=port)
    assert caught.value.exit_code == 1


def test_a_missing_directory_is_an_error(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ServerStartError, match="No directory at"):
        start(directory=tmp_path / "nowhere")


def test_a_removed_working_directory_is_an_error(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ServerStartError, match="working directory is gone"):
        start(directory=None)


@pytest.mark.parametrize("options", [{"port": -1}, {"port": 65536}])
def test_wrong_options_are_refused(start: Start, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="port"):
        start(**options)


def test_other_machines_are_not_let_in_without_a_password(start: Start) -> None:
    with pytest.raises(ValueError, match="it needs a password"):
        start(hostname="0.0.0.0", env={"OPENCODE_SERVER_PASSWORD": ""})


@pytest.mark.parametrize("options", [{"port": 4096}, {"hostname": "0.0.0.0"}, {"demo": True}])
def test_options_of_an_own_server_are_refused_for_a_shared_one(start: Start, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="leave out shared=True"):
        start(shared=True, **options)


@pytest.mark.parametrize("content", ["{ // a comment\n}", "[1]"])
def test_unreadable_inherited_config_is_named(start: Start, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", content)
    with pytest.raises(ValueError, match="OPENCODE_CONFIG_CONTENT"):
        start(config={"share": "disabled"})


def test_a_server_that_is_too_old_is_refused(start: Start, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    server = (
        "import http.server as h\n"
        "class Old(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        '        self.send_response(200); self.end_headers(); self.wfile.write(b\'{"version": "1.16.9"}\')\n'
        "    log_message = lambda *_: None\n"
        "s = h.HTTPServer(('127.0.0.1', 0), Old)\n"
        "print(f'opencode server listening on http://127.0.0.1:{s.server_port}', flush=True)\n"
        "s.serve_forever()\n"
    )
    old = program(f"[ \"$1\" = --version ] && exit 1\nexec {sys.executable} - <<'EOF'\n{server}EOF")
    with pytest.raises(ServerStartError, match=r"OpenCode 1\.16\.9; 1\.17\.0 or newer is needed"):
        start(binary=old)
    monkeypatch.setenv("OPENCODE_NB_SKIP_VERSION_CHECK", "1")
    assert start(binary=old).version == "1.16.9"


def test_an_interrupt_during_start_leaves_nothing(program: Program, tmp_path: Path) -> None:
    fifo = tmp_path / "running"
    os.mkfifo(fifo)
    hanging = program(f'[ "$1" = --version ] && exit\necho $$ > {fifo}\nexec sleep 1000')
    code = (
        "import sys\nfrom opencode_nb.server import serve\n"
        "try:\n    serve(binary=sys.argv[1], timeout=600)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, hanging], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        started = psutil.Process(int(fifo.read_text()))
        holder.send_signal(signal.SIGINT)
        assert holder.stdout.readline() == "interrupted\n"
        assert_gone([started])
        assert_gone([process for process in started_by(str(tmp_path)) if process.pid != holder.pid])
        holder.stdin.close()
