"""Real kernels of a real Jupyter server share one OpenCode server; nothing of it outlives them, however they end."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest

from tests.server.support import assert_gone, keepers, run_tool

START_TIMEOUT = 180
"""Seconds; a cold Jupyter server on a busy machine takes about 5."""

STARTUP = """
import json, os
import opencode_nb as oc
ai = oc.Opencode().start()
with open({fifo!r}, "w") as told:
    told.write(json.dumps([os.getpid(), ai.server.pid, ai.server.url, ai.server.password]))
"""
"""What each kernel does when it starts: so that only Jupyter's REST API is needed to have kernels do something."""


class Jupyter:
    """A Jupyter server without a front-end; its kernels hold the shared server as soon as they run."""

    def __init__(self, directory: Path) -> None:
        self._fifo = directory / "told"
        os.mkfifo(self._fifo)
        startup = directory / "ipython/profile_default/startup/hold.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(STARTUP.format(fifo=str(self._fifo)))
        token = secrets.token_hex(16)
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port=0"],
            cwd=directory,
            env={
                **os.environ,
                **{name: str(directory / name.lower()) for name in names},
                "IPYTHONDIR": str(directory / "ipython"),
                "JUPYTER_TOKEN": token,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._client = httpx.Client(
            base_url=self._url(), headers={"Authorization": f"token {token}"}, timeout=START_TIMEOUT
        )

    def _url(self) -> str:
        assert self.process.stderr
        for line in self.process.stderr:
            if "http://127.0.0.1:" in line:
                return "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split("/")[0]
        raise RuntimeError("The Jupyter server did not start")

    def kernel(self) -> tuple[str, Any]:
        """Start a kernel; its id, and what it tells: pid, and the server's pid, URL and password."""
        kernel = self._client.post("/api/kernels", json={"name": "python3"}).raise_for_status().json()
        return kernel["id"], self.told()

    def restart(self, kernel: str) -> Any:
        self._client.post(f"/api/kernels/{kernel}/restart").raise_for_status()
        return self.told()

    def shut_down(self, kernel: str) -> None:
        self._client.delete(f"/api/kernels/{kernel}").raise_for_status()

    def told(self) -> Any:
        return json.loads(self._fifo.read_text())

    def close(self) -> None:
        self._client.close()
        self.process.kill()
        with self.process:
            pass


@contextmanager
def jupyter(directory: Path) -> Iterator[Jupyter]:
    directory.mkdir()
    server = Jupyter(directory)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def runtime(opencode_program: Path, tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory, and so a server, of the test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    return short_path / "opencode-nb"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_kernels_share_one_server_that_ends_with_jupyter(tmp_path: Path, runtime: Path, end: signal.Signals) -> None:
    with jupyter(tmp_path / "jupyter") as lab:
        first, (pid, *shared) = lab.kernel()
        second, (other, *told) = lab.kernel()
        assert (told, other != pid) == (shared, True)
        pid, *told = lab.restart(first)
        assert told == shared
        lab.shut_down(second)
        server_pid, url, password = shared
        server = SimpleNamespace(url=url, username="opencode", password=password)
        everything = [*keepers(server_pid), psutil.Process(server_pid), *run_tool(server, tmp_path)]
        kernel = psutil.Process(pid)
        lab.process.send_signal(end)
        assert_gone([kernel, *everything])
    assert list(runtime.iterdir()) == []
