"""marimo with some cells, run as an app or opened to be edited: what is shown stands in shadow roots there."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

START_TIMEOUT = 180
"""Seconds; about 4 on an idle machine."""
STOP_TIMEOUT = 30
"""Seconds for the app and its kernel to end."""

_ADDRESS = re.compile(r"http://[\w.]+:\d+\S*")
_HEAD = "import marimo\n\napp = marimo.App()\n"
_TAIL = '\nif __name__ == "__main__":\n    app.run()\n'


@contextmanager
def marimo(mode: str, cells: list[str], directory: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Serve a notebook of these cells from `directory`, `mode` run or edit; gives its address."""
    file = directory / "app.py"
    file.write_text(_HEAD + "".join(map(_cell, cells)) + _TAIL)
    options = ["--headless", "--no-token", "--host=127.0.0.1", f"--port={_free_port()}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "marimo", mode, file.name, *options],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _wait_until_it_serves(process)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)


def _cell(source: str) -> str:
    body = "".join(f"    {line}\n" for line in source.splitlines())
    return f"\n@app.cell\ndef _():\n{body}    return\n"


def _free_port() -> int:
    """A port for a program that does not tell which one it took by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_serves(process: subprocess.Popen[str]) -> str:
    """Read the output for good; return the address as soon as it is told there."""
    lines: list[str] = []
    found: list[str] = []
    settled = threading.Event()

    def drain() -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                if match := _ADDRESS.search(line):
                    found.append(match[0])
                    settled.set()
        settled.set()

    threading.Thread(target=drain, name="marimo-log", daemon=True).start()
    settled.wait(START_TIMEOUT)
    if not found:
        process.kill()
        raise RuntimeError(f"marimo did not start within {START_TIMEOUT} s:\n{''.join(lines)}")
    _wait_until_it_listens(urlsplit(found[0]).port or 0)
    return found[0]


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)  # it tells its address before it listens, and does not tell when it does
    raise RuntimeError(f"marimo does not listen at port {port}.")
