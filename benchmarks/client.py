"""Measure the cost of the client relative to raw httpx: `python benchmarks/client.py [--peers]`.

All clients use the same loopback server, which has three answers: 2,000 messages, a burst of 50,000 deltas, and a delta
50 ms after a request. Measures the import (in a process each), the CPU time per streamed delta, the CPU time of loading
the messages, and the time to the first delta, alternating between the client and raw httpx in one process
(client_contenders.py). `--peers` installs the two other Python clients, each into its own environment under the cache
directory, and measures them in the same run. Prints minimum values, and in parentheses the median ratio to raw httpx.
Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import venv
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from platformdirs import user_cache_path

HERE = Path(__file__).parent
DELTAS = 50_000
MESSAGES = 2_000
MODEL_SECONDS = 0.05  # from a request to the first delta
IMPORTS = 9
GOALS = {"stream": 1.3, "load": 1.1, "first": 1.05}  # times raw httpx
IMPORT_GOAL = 0.2  # times opencode-py
PEERS = {"opencode_py": ["opencode-py==0.8.0"], "opencode_ai": ["--pre", "opencode-ai"]}
IMPORT = {
    "raw": "import httpx, json",
    "opencode_nb": "from opencode_nb import Client; Client('http://127.0.0.1:1')",
    "opencode_py": "from opencode import OpencodeClient",
    "opencode_ai": "from opencode_ai import Opencode",
}
UNITS = {
    "import": "import, CPU ms",
    "stream": "one of 50,000 deltas, CPU us",
    "load": "2,000 messages, CPU ms",
    "first": "first delta, ms",
}

# --- the server -------------------------------------------------------------------------------------------------------


def event(kind: str, **properties: object) -> bytes:
    data = {"id": "evt_0123456789abcdefghijklmnop", "type": kind, "properties": properties}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DELTA = event(
    "message.part.delta",
    sessionID="ses_0123456789abcdefghijklmnop",
    messageID="msg_0123456789abcdefghijklmnop",
    partID="prt_0123456789abcdefghijklmnop",
    field="text",
    delta=" word",
)


def conversation() -> bytes:
    """Return the messages: answers with a tool call and prose."""
    ids = {"sessionID": "ses_0123456789abcdefghijklmnop", "messageID": "msg_0123456789abcdefghijklmnop"}
    tokens = {"input": 100, "output": 20, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    state = {"status": "completed", "input": {"command": "ls"}, "output": "file\n" * 20, "title": "ls", "metadata": {}}
    parts = [
        {"id": "prt_1", "type": "step-start", "snapshot": "0" * 40, **ids},
        {"id": "prt_2", "type": "text", "text": "Some words of prose. " * 20, "time": {"start": 1, "end": 2}, **ids},
        {"id": "prt_3", "type": "tool", "tool": "bash", "callID": "call_1", "state": state, **ids},
        {"id": "prt_4", "type": "step-finish", "reason": "stop", "cost": 0.01, "tokens": tokens, **ids},
    ]
    info = {"id": ids["messageID"], "role": "assistant", "cost": 0.01, "tokens": tokens, "time": {"created": 1}}
    return json.dumps([{"info": {**info, **ids}, "parts": parts} for _ in range(MESSAGES)]).encode()


class Server:
    """Keeps connections open, as the real server does."""

    def __init__(self) -> None:
        self.messages = conversation()
        self.streams: set[asyncio.StreamWriter] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line[15:]) for line in head.lower().split("\r\n") if line[:15] == "content-length:"), 0
                )
                await reader.readexactly(length)
                await self.answer(head.split(" ")[1], writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.streams.discard(writer)
            writer.close()

    async def answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        path = urlsplit(target).path
        if path == "/event":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write(event("server.connected"))
            self.streams.add(writer)
            deltas = int(parse_qs(urlsplit(target).query)["deltas"][0])
            if deltas:
                writer.write(DELTA * deltas + event("end"))
        else:
            body = self.messages if path.endswith("/message") else b"true"
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            if path.endswith("/abort"):
                asyncio.get_running_loop().call_later(MODEL_SECONDS, self.tell)
        await writer.drain()

    def tell(self) -> None:
        for writer in self.streams:
            writer.write(DELTA)


async def serve() -> None:
    """Print the port, and serve until stdin closes."""
    server = await asyncio.start_server(Server().connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()


# --- the measurements -------------------------------------------------------------------------------------------------


def environment(name: str) -> str:
    """Return the Python that has this client, installed on first use."""
    if name not in PEERS:
        return sys.executable
    directory = user_cache_path("opencode-nb-benchmarks") / name
    python = directory / "bin/python"
    if not (directory / "complete").exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
        (directory / "complete").touch()
    return str(python)


class Measured(NamedTuple):
    """A client's minimum in UNITS, that of raw httpx, and the median ratio."""

    own: float
    beside: float
    ratio: float

    @classmethod
    def of(cls, pairs: list[tuple[float, float]]) -> Measured:
        """Summarise alternating measurements of raw httpx and the client."""
        beside, own = zip(*pairs, strict=True)
        return cls(min(own), min(beside), median(one / other for other, one in pairs))


def importing(name: str) -> list[tuple[float, float]]:
    """Return the CPU milliseconds of importing raw httpx and this client, alternating."""

    def once(what: str) -> float:
        code = f"import time; t = time.process_time(); {IMPORT[what]}; print((time.process_time() - t) * 1000)"
        return float(subprocess.run([environment(name), "-c", code], check=True, capture_output=True).stdout)

    once("raw"), once(name)  # compiles
    return [(once("raw"), once(name)) for _ in range(IMPORTS)]


def measured(name: str, url: str) -> dict[str, Measured]:
    command = [environment(name), str(HERE / "client_contenders.py"), name, url, str(DELTAS)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {key: Measured.of(pairs) for key, pairs in {"import": importing(name), **found}.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also measure opencode-py and opencode-ai")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        results = {name: measured(name, url) for name in ["opencode_nb", *(PEERS if options.peers else ())]}
        server.communicate()
    show(results)
    return int(any(missed(results)))


def show(results: dict[str, dict[str, Measured]]) -> None:
    """Print one row per measurement, with the ratio to raw httpx in parentheses."""
    print(f"{'':30}{'raw':>16}" + "".join(f"{name:>22}" for name in results))
    for key, unit in UNITS.items():
        cells = [f"{result[key].own:.2f} ({result[key].ratio:.2f})" for result in results.values()]
        print(f"{unit:30}{results['opencode_nb'][key].beside:>16.2f}" + "".join(f"{cell:>22}" for cell in cells))


def missed(results: dict[str, dict[str, Measured]]) -> list[bool]:
    ours = results["opencode_nb"]
    goals = [(f"{UNITS[key]}: times raw httpx", ours[key].ratio, goal) for key, goal in GOALS.items()]
    if "opencode_py" in results:
        beside = results["opencode_py"]["import"]
        goals.append(("import: times opencode-py", ours["import"].own / beside.own, IMPORT_GOAL))
    for what, ratio, goal in goals:
        print(f"{what} {ratio:.2f}, at most {goal}: {'yes' if ratio <= goal else 'NO'}")
    return [ratio > goal for _, ratio, goal in goals]


if __name__ == "__main__":
    sys.exit(main())
