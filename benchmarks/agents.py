"""Measure an agent's sessions relative to a bare client of its protocol: `python benchmarks/agents.py`.

Both speak with the same program, whose answers are scripted: one delta 50 ms after a prompt, and a burst of 5,000. The
bare client is a `ClientSideConnection` of the package agent-client-protocol, whose `session_update` only counts.
Measures the time to the first delta and the CPU time of the burst in this process, alternating between both. Prints
minimum values, and in parentheses their ratio. Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import acp
from acp.client.connection import ClientSideConnection
from acp.schema import TextContentBlock

import opencode_nb as oc
from opencode_nb.session.session import AsyncSession

UPDATES = 5_000
REPEATS = 9
GOALS = {"first": 1.1, "burst": 1.5}  # times the bare client
UNITS = {"first": "first delta, ms", "burst": f"{UPDATES:,} updates, CPU ms"}

AGENT = """
import json, sys, time

def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n")

def say(text, number=1):
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    for _ in range(number):
        send(method="session/update", params={"sessionId": "s1", "update": update})

for line in sys.stdin:
    message = json.loads(line)
    result = {"initialize": {"protocolVersion": 1, "agentCapabilities": {}}, "session/new": {"sessionId": "s1"}}
    if message["method"] == "session/prompt":
        if message["params"]["prompt"][0]["text"] == "first":
            time.sleep(0.05)
        say("word ", 1 if message["params"]["prompt"][0]["text"] == "first" else UPDATES)
        result["session/prompt"] = {"stopReason": "end_turn"}
    send(id=message["id"], result=result[message["method"]])
    sys.stdout.flush()
"""


class Bare(acp.Client):
    """Counts the updates, and notes when the first one came."""

    def __init__(self) -> None:
        self.count, self.first = 0, 0.0

    def on_connect(self, conn: Any) -> None:
        """Take the connection, which is not needed."""

    async def session_update(self, session_id: str, update: Any, **_more: Any) -> None:
        """Count an update."""
        self.first = self.first or time.perf_counter()
        self.count += 1


async def bare(connection: ClientSideConnection, client: Bare, kind: str) -> float:
    """Return what one prompt takes a bare client, in seconds."""
    client.count, client.first = 0, 0.0
    began, cpu = time.perf_counter(), time.process_time()
    await connection.prompt(prompt=[TextContentBlock(type="text", text=kind)], session_id="s1")
    spent = time.process_time() - cpu
    assert client.count == (1 if kind == "first" else UPDATES)
    return client.first - began if kind == "first" else spent


async def ours(session: AsyncSession, kind: str) -> float:
    """Return what one prompt takes a session, in seconds."""
    first = 0.0
    began, cpu = time.perf_counter(), time.process_time()
    if kind == "first":
        async for update in session.stream(kind):
            first = first or (time.perf_counter() if update.kind == "text" else 0.0)
        return first - began
    turn = await session.prompt(kind)
    spent = time.process_time() - cpu
    assert len(turn.text) == UPDATES * len("word ")
    return spent


async def measured(command: list[str], directory: Path) -> dict[str, tuple[float, float]]:
    """Return the least that each measure takes, of the bare client and of a session."""
    found: dict[str, tuple[float, float]] = {}
    client = Bare()
    async with (
        acp.spawn_agent_process(client, *command, cwd=directory) as (connection, _process),
        oc.AsyncAcpAgent(command, cwd=directory) as agent,
    ):
        await connection.initialize(protocol_version=1)
        await connection.new_session(cwd=str(directory), mcp_servers=[])
        session = await agent.session()
        for kind in GOALS:
            taken = [(await bare(connection, client, kind), await ours(session, kind)) for _ in range(REPEATS)]
            found[kind] = min(one for one, _ in taken), min(other for _, other in taken)
    return found


def main() -> None:
    """Print the figures, and exit with 1 if a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "agent.py"
        program.write_text(AGENT.replace("UPDATES", str(UPDATES)), encoding="utf-8")
        found = asyncio.run(measured([sys.executable, "-I", "-S", str(program)], Path(folder)))
    missed = False
    for kind, (one, other) in found.items():
        ratio = other / one
        missed |= ratio > GOALS[kind]
        figures = f"bare {one * 1000:.1f}, opencode_nb {other * 1000:.1f}"
        print(f"{UNITS[kind]}: {figures} ({ratio:.2f} times, goal {GOALS[kind]})")
    sys.exit(missed)


if __name__ == "__main__":
    main()
