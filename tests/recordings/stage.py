"""A real server with the demo model behind it, driven over plain HTTP, and its raw event stream.

Knows nothing of the package's own client, so that recordings and the demo's tests stand on the wire format alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from opencode_nb.demo import DemoModel

Json = dict[str, Any]
READY_LIMIT_S = 60.0
EVENT_LIMIT_S = 60.0
OFFLINE = {f"OPENCODE_DISABLE_{name}": "1" for name in ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "SHARE")}
ALLOW_ALL = [{"permission": "*", "pattern": "*", "action": "allow"}]


class EventLog:
    """All events of one directory's stream, in order, read by a thread of its own."""

    def __init__(self, http: httpx.Client, directory: Path) -> None:
        self.lines: list[str] = []
        self.events: list[Json] = []
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(http, directory), daemon=True)
        self._thread.start()
        self.until(lambda event: event["type"] == "server.connected")

    def _read(self, http: httpx.Client, directory: Path) -> None:
        with suppress(httpx.TransportError), http.stream("GET", "/event", params={"directory": str(directory)}) as body:
            rest = b""
            for data in body.iter_raw():
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line)
                if self._ended.is_set():
                    return

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data: "):
            with self._changed:
                self.lines.append(line[6:].decode())
                self.events.append(json.loads(line[6:]))
                self._changed.notify_all()

    def until(self, predicate: Callable[[Json], bool], *, since: int = 0, timeout: float = EVENT_LIMIT_S) -> Json:
        """The first event at or after index `since` for which the predicate holds."""

        def found() -> Json | None:
            return next((event for event in self.events[since:] if predicate(event)), None)

        with self._changed:
            event = self._changed.wait_for(found, timeout)
        if event is None:
            kinds = [event["type"] for event in self.events[since:]]
            raise TimeoutError(f"The awaited event did not come; these did: {kinds}")
        return event

    def settle(self, quiet: float = 1.0) -> None:
        """Wait until nothing (but heartbeats) has come for this many seconds: late events have no mark of their own."""
        with self._changed:
            count = -1
            while count != self._count():
                count = self._count()
                self._changed.wait_for(lambda: self._count() > count, quiet)  # noqa: B023

    def _count(self) -> int:
        return sum(1 for event in self.events if event["type"] != "server.heartbeat")

    def of(self, kind: str) -> list[Json]:
        """The properties of all events of one type."""
        return [event["properties"] for event in self.events if event["type"] == kind]

    def close(self) -> None:
        """Stop reading at the next piece."""
        self._ended.set()


class Stage:
    """One directory of a running server, one session in it."""

    def __init__(self, theatre: Theatre, directory: Path, permission: list[Json]) -> None:
        self.demo = theatre.demo
        self.http = theatre.http
        self.directory = directory
        self.log = EventLog(self.http, directory)
        self.session = self.post("/session", {"permission": permission})["id"]

    def _params(self) -> dict[str, str]:
        return {"directory": str(self.directory)}

    def post(self, path: str, body: Any = None) -> Any:
        """POST within the directory; the JSON of the answer."""
        answer = self.http.post(path, params=self._params(), json={} if body is None else body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        """GET within the directory; the JSON of the answer."""
        answer = self.http.get(path, params=self._params())
        answer.raise_for_status()
        return answer.json()

    def send(self, text: str, *, files: list[Json] | None = None, **options: Any) -> int:
        """Send a prompt, do not wait; the index in the log from which its events come."""
        since = len(self.log.events)
        parts = [*(files or []), {"type": "text", "text": text}]
        self.post(f"/session/{self.session}/prompt_async", {"parts": parts, **options})
        return since

    def wait(self, kind: str, since: int = 0, **properties: Any) -> Json:
        """The properties of the first event of this kind, with these properties, at or after index `since`."""

        def is_it(event: Json) -> bool:
            found = event["properties"]
            return event["type"] == kind and all(found.get(name) == value for name, value in properties.items())

        return dict(self.log.until(is_it, since=since)["properties"])

    def wait_idle(self, since: int = 0) -> None:
        """Wait until the session has gone idle."""
        self.wait("session.idle", since, sessionID=self.session)

    def wait_tool(self, tool: str, status: str, since: int = 0) -> Json:
        """The first part of this tool in this state."""

        def is_it(event: Json) -> bool:
            part = event["properties"].get("part") or {}
            return part.get("tool") == tool and part["state"]["status"] == status

        return dict(self.log.until(is_it, since=since)["properties"]["part"])

    def play(self, text: str, **options: Any) -> None:
        """Send a prompt and wait until the session is idle."""
        self.wait_idle(self.send(text, **options))

    def answer_permission(self, reply: str, since: int = 0, **more: str) -> Json:
        """Wait for a permission request and answer it; the request."""
        asked = self.wait("permission.asked", since)
        self.post(f"/permission/{asked['id']}/reply", {"reply": reply, **more})
        return asked

    def messages(self, session: str | None = None) -> list[Json]:
        """The stored messages."""
        return list(self.get(f"/session/{session or self.session}/message"))

    def parts(self, kind: str) -> list[Json]:
        """All stored parts of one type."""
        return [part for message in self.messages() for part in message["parts"] if part["type"] == kind]

    @property
    def answer(self) -> str:
        """The text of the last message."""
        return "".join(part["text"] for part in self.messages()[-1]["parts"] if part["type"] == "text")


class Theatre:
    """A running server and its demo model, with a new directory for each stage."""

    def __init__(self, http: httpx.Client, demo: DemoModel, root: Path) -> None:
        self.http = http
        self.demo = demo
        self.root = root

    @contextmanager
    def stage(self, name: str, *, permission: list[Json] | None = None, git: bool = True) -> Iterator[Stage]:
        """A new directory `name` (a git repository, if wanted) and a session in it; by default all is allowed."""
        directory = self.root / name
        directory.mkdir()
        if git:
            subprocess.run(["git", "init", "-q"], cwd=directory, check=True)
        stage = Stage(self, directory, ALLOW_ALL if permission is None else permission)
        try:
            yield stage
        finally:
            stage.log.close()
            with suppress(httpx.HTTPError):
                stage.post("/instance/dispose")


@contextmanager
def theatre(program: str, *, pace: float = 0, config: Json | None = None) -> Iterator[Theatre]:
    """A running server (`program` is the path of `opencode`) in a temporary home, ended on the way out."""
    with DemoModel(pace=pace) as demo, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        process, url = _start(program, root, {**demo.config(), **(config or {})})
        try:
            with httpx.Client(base_url=url, timeout=EVENT_LIMIT_S) as http:
                yield Theatre(http, demo, root)
                with suppress(httpx.HTTPError):
                    http.post("/global/dispose")
        finally:
            _stop(process)


def _start(program: str, root: Path, config: Json) -> tuple[subprocess.Popen[str], str]:
    home = root / "home"
    home.mkdir()
    dirs = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OPENCODE") or name.startswith("OPENCODE_NB_")
    }
    env = {**kept, **OFFLINE, **dirs, "HOME": str(home), "OPENCODE_CONFIG_CONTENT": json.dumps(config)}
    command = [program, "serve", "--hostname", "127.0.0.1", "--port", "0"]
    log = (root / "server.log").open("w")
    with log:
        process = subprocess.Popen(
            command, cwd=home, env=env, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    watchdog = threading.Timer(READY_LIMIT_S, process.kill)
    watchdog.start()
    assert process.stdout
    ready = next((line for line in process.stdout if "listening on" in line), None)
    watchdog.cancel()
    if ready is None:
        raise RuntimeError((root / "server.log").read_text())
    return process, ready.split()[-1]


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
