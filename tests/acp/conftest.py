"""Agents that misbehave, as programs of a few lines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

ANSWERS = """
import json, os, sys, time

def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def update(**told):
    send(method="session/update", params={"sessionId": "s1", "update": told})

def say(text):
    update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})

def initialize(params):
    return {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}, "agentInfo": {"version": "7"}}

def new(params):
    return {"sessionId": "s1"}

def prompt(params):
    say("done")
    return {"stopReason": "end_turn"}

def cancel(params):
    pass

def other(method, params):
    return None
"""

LOOP = """
methods = {"initialize": initialize, "session/new": new, "session/prompt": prompt, "session/cancel": cancel}
for line in sys.stdin:
    message = json.loads(line)
    if "method" not in message:
        continue
    method = methods.get(message["method"], lambda params: other(message["method"], params))
    result = method(message["params"])
    if "id" in message and result is not None:
        send(id=message["id"], result=result)
    elif "id" in message and message["method"] not in methods:
        send(id=message["id"], error={"code": -32601, "message": "Method not found"})
"""


def written_agent(directory: Path, code: str) -> list[str]:
    """Write an agent which differs from a good one by this code; return its command."""
    file = directory / "agent.py"
    file.write_text(ANSWERS + code + LOOP, encoding="utf-8")
    return [sys.executable, "-I", "-S", str(file)]


MakeAgent = Callable[[str], list[str]]


@pytest.fixture
def make_agent(tmp_path: Path) -> MakeAgent:
    """Return a function that writes an agent, see `written_agent`."""
    return partial(written_agent, tmp_path)
