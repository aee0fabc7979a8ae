"""What the client costs beside raw httpx, as ratios: `python benchmarks/client.py [--peers]`.

All clients talk to the same loopback server, which knows three answers: 2,000 messages, a burst of 50,000 deltas, and
a delta 50 ms after a request. Measured are the import (a process for each), the CPU time for each streamed delta, the
CPU time for loading the messages, and the time to the first delta. `--peers` installs the two other Python clients,
each into an environment of its own under the cache directory, and measures them in the same run.
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
from urllib.parse import parse_qs, urlsplit

from platformdirs import user_cache_path

HERE = Path(__file__).parent
DELTAS = 50_000
MESSAGES = 2_000
MODEL_SECONDS = 0.05  # from a request to the first delta
PASSES = 6  # by turns, so that what else the machine does hits all clients; what is slower than the best was disturbed
IMPORTS = 2  # in each
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
    """The messages: questions, and answers with a tool call and prose."""
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
    """On a thread of its own process; keeps connections open, as the real one does."""

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
    """Print the port, and serve until standard input ends."""
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
    """The Python that has this client, installed the first time."""
    if name not in PEERS:
        return sys.executable
    directory = user_cache_path("opencode-nb-benchmarks") / name
    python = directory / "bin/python"
    if not (directory / "complete").exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
        (directory / "complete").touch()
    return str(python)


def importing(name: str) -> float:
    """CPU milliseconds."""
    code = f"import time; t = time.process_time(); {IMPORT[name]}; print((time.process_time() - t) * 1000)"
    command = [environment(name), "-c", code]
    return min(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(IMPORTS))


def measured(name: str, url: str) -> dict[str, float]:
    command = [environment(name), str(HERE / "client_contenders.py"), name, url, str(DELTAS)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {"import": importing(name), **found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure opencode-py and opencode-ai too")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    names = ["raw", "opencode_nb", *(PEERS if options.peers else ())]
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        passes = [{name: measured(name, url) for name in names} for _ in range(PASSES)]
        server.communicate()
    results = {name: {key: min(one[name][key] for one in passes) for key in UNITS} for name in names}
    show(results)
    return int(any(missed(results)))


def show(results: dict[str, dict[str, float]]) -> None:
    """A row for each measurement; times raw httpx in parentheses."""
    print(f"{'':30}" + "".join(f"{name:>22}" for name in results))
    for key, unit in UNITS.items():
        cells = [f"{result[key]:.2f} ({result[key] / results['raw'][key]:.2f})" for result in results.values()]
        print(f"{unit:30}" + "".join(f"{cell:>22}" for cell in cells))


def missed(results: dict[str, dict[str, float]]) -> list[bool]:
    ours, beside = results["opencode_nb"], results["raw"]
    goals = [(f"{UNITS[key]}: times raw httpx", ours[key] / beside[key], goal) for key, goal in GOALS.items()]
    if "opencode_py" in results:
        goals.append(("import: times opencode-py", ours["import"] / results["opencode_py"]["import"], IMPORT_GOAL))
    for what, ratio, goal in goals:
        print(f"{what} {ratio:.2f}, at most {goal}: {'yes' if ratio <= goal else 'NO'}")
    return [ratio > goal for _, ratio, goal in goals]


if __name__ == "__main__":
    sys.exit(main())
