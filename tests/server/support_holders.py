"""Remote-controlled processes that hold a shared server, and a program that starts faster than the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.server.support import END_SECONDS

HOLDER = f"""
import json, os, signal, sys
from opencode_nb.server import serve

events = []

def hold(**options):
    global server
    server = serve(shared=True, binary=sys.argv[1], **options)
    server.on_down(lambda: events.append("down"))
    server.on_restart(lambda: events.append("back"))
    server.on_exit(lambda code: events.append(f"exit {{code}}"))
    return {{"url": server.url, "password": server.password, "pid": server.pid, "log": str(server.log_path)}}

def holders():
    return [[holder.pid, holder.label, holder.this] for holder in server.status().holders]

def fork():
    pid = os.fork()
    while not pid:
        signal.pause()
    return pid

def wait_until(done):
    return server._held.wait_until(done, {END_SECONDS})

for line in sys.stdin:
    try:
        answer = eval(line)
    except Exception as error:
        answer = f"{{type(error).__name__}}: {{error}}"
    os.write(1, json.dumps(answer).encode() + b"\\n")
"""


class HolderProcess:
    """Another process of this user; `ask` evaluates an expression in it (see HOLDER for the available names)."""

    def __init__(self, program: Path, env: Mapping[str, str] | None = None, **popen: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            **popen,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, expression: str) -> None:
        """Start evaluating an expression; `answer` waits for the result."""
        assert self.process.stdin
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, expression: str) -> Any:
        self.tell(expression)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        with self.process:
            pass


QUICK = """#!{python} -IS
import pathlib, socketserver, sys
if "--version" in sys.argv:
    sys.exit(print("1.18.33"))
class Quick(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b'HTTP/1.0 200 OK\\r\\n\\r\\n{{"healthy": true, "version": "1.18.33"}}')
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
if pathlib.Path(__file__).with_name("crash").exists():
    sys.exit(4)
server = Server(("127.0.0.1", int(sys.argv[-1])), Quick)
print(f"opencode server listening on http://127.0.0.1:{{sys.argv[-1]}}", flush=True)
server.serve_forever()
"""


def quick_program(directory: Path) -> Path:
    """A program that is ready within 0.1 s and answers every request; creating a file `crash` beside it ends it."""
    path = directory / "opencode-quick"
    path.write_text(QUICK.format(python=sys.executable))
    path.chmod(0o755)
    return path
