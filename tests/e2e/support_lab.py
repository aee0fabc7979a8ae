"""A real JupyterLab server for the browser tests: one for the run, with a kernelspec for each ipykernel we support."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]

KERNELS = {
    "7.4": Path(sys.executable),
    "7.3": REPOSITORY / ".venv-kernel-7.3/bin/python",
    "6.31": REPOSITORY / ".venv-kernel-6.31/bin/python",
}
"""ipykernel version -> the interpreter that has it. `make kernels` builds the older ones."""

START_TIMEOUT = 180
"""Seconds; a cold JupyterLab on a busy machine takes about 10."""
STOP_TIMEOUT = 30
"""Seconds for the server to end its kernels and itself."""
API_TIMEOUT = 30
"""Seconds for one request to the server; shutting a busy kernel down takes up to 5."""

OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--ServerApp.port=0",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.extension_manager=readonly",
)
QUIET_EXTENSIONS = (
    "@jupyterlab/apputils-extension:announcements",  # asks for consent in a popup, and calls out
    "@jupyterlab/extensionmanager-extension:plugin",  # calls a package index
)


@dataclass
class Lab:
    """A running JupyterLab: `url` without a trailing slash, its `token`, and `root`, the directory it serves."""

    url: str
    token: str
    root: Path
    log: Path
    process: subprocess.Popen[str] = field(repr=False)

    @classmethod
    def start(cls, directory: Path, env: Mapping[str, str]) -> Lab:
        """Start JupyterLab on a free port, all its files below `directory`; wait until it serves."""
        root = directory / "root"
        root.mkdir(parents=True)
        token = secrets.token_hex(16)
        _write_page_config(directory / "config")
        _write_kernelspecs(directory / "data" / "kernels")
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={root}"],
            cwd=root,
            env={**env, **_directories(directory), "JUPYTER_TOKEN": token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        log = directory / "jupyterlab.log"
        url = _wait_until_it_serves(process, log)
        return cls(url, token, root, log, process)

    def request(self, method: str, path: str) -> httpx.Response:
        """Call the server's REST API, e.g. `request("GET", "api/sessions")`."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}/{path}", headers=headers, timeout=API_TIMEOUT).raise_for_status()

    def shut_kernels_down(self) -> None:
        """End every kernel, as the user does by "Shut Down All Kernels"."""
        sessions = {one["kernel"]["id"]: one["id"] for one in self.request("GET", "api/sessions").json()}
        for session in sessions.values():  # one of those that share a kernel
            self.request("DELETE", f"api/sessions/{session}")

    def forget_settings(self) -> None:
        """Bring the user's settings (the theme, for one) back to JupyterLab's defaults."""
        for file in (self.root.parent / "settings").rglob("*.jupyterlab-settings"):
            file.unlink()

    def close(self) -> None:
        """End the server, which ends its kernels."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _directories(directory: Path) -> dict[str, str]:
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {variable: str(directory / name) for variable, name in names.items()}


def _write_page_config(config: Path) -> None:
    file = config / "labconfig" / "page_config.json"
    file.parent.mkdir(parents=True)
    no_build = {"buildAvailable": False, "buildCheck": False}  # each page would have Node.js look for what to build
    file.write_text(json.dumps({"disabledExtensions": dict.fromkeys(QUIET_EXTENSIONS, True), **no_build}))


def _write_kernelspecs(kernels: Path) -> None:
    for version, python in KERNELS.items():
        if not python.exists():
            raise FileNotFoundError(f"ipykernel {version} is not set up ({python} is missing): run `make kernels`")
        file = kernels / kernel_name(version) / "kernel.json"
        file.parent.mkdir(parents=True)
        argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        file.write_text(json.dumps({"argv": argv, "display_name": f"ipykernel {version}", "language": "python"}))


def kernel_name(version: str) -> str:
    """Return the kernelspec's name for an ipykernel version, as a notebook's metadata holds it."""
    return f"ipykernel-{version}"


def _wait_until_it_serves(process: subprocess.Popen[str], log: Path) -> str:
    """Read the server's output for good, into `log`; return its URL as soon as it is told there."""
    found: list[str] = []
    settled = threading.Event()

    def drain() -> None:
        assert process.stdout
        with process.stdout, log.open("w") as file:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if "/lab?token=" in line and "http://127.0.0.1:" in line:
                    found.append(line[line.index("http://") : line.index("/lab?token=")])
                    settled.set()
        settled.set()

    threading.Thread(target=drain, name="jupyterlab-log", daemon=True).start()
    settled.wait(START_TIMEOUT)
    if not found:
        process.kill()
        raise RuntimeError(f"JupyterLab did not start within {START_TIMEOUT} s:\n{log.read_text()}")
    return found[0]
