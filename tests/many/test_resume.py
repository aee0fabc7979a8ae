"""A map killed half-way and begun again: each prompt is answered once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.server import Server
from tests.conftest import REPOSITORY

COUNT = 12
WAIT = 60  # seconds


def started(server: Server, place: Path, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.many.killed", server.url, str(place), str(path), str(COUNT)]
    env = {**os.environ, "PASSWORD": server.password}
    return subprocess.Popen(command, env=env, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_a_killed_map_goes_on_and_asks_each_prompt_once(
    server: Server, place: Path, demo_model: DemoModel, tmp_path: Path
) -> None:
    path = tmp_path / "answers.jsonl"
    half = COUNT // 2
    demo_model.queue(*([text("before")] for _ in range(half)), *([gate("killed"), text("running")] for _ in range(4)))
    with started(server, place, path) as first:
        demo_model.wait_for_request(half + 4, WAIT)  # four are being answered
        first.send_signal(signal.SIGKILL)
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    with started(server, place, path) as second:
        demo_model.release("killed")
        printed, _ = second.communicate(timeout=WAIT)
    assert second.returncode == 0
    answers = printed.split()
    assert sorted(answers) == sorted(
        [*["before"] * half, *["running"] * 4, *(str(number) for number in range(COUNT - 2, COUNT))]
    )
    assert len(demo_model.requests) == COUNT


def test_turns_from_the_file_are_whole(ai: oc.Opencode, demo_model: DemoModel, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    prompts = ["Say exactly: one", "Say exactly: one", "Say exactly: two"]
    first = oc.map(prompts, ai=ai, resume=path)
    again = oc.map([*prompts[1:], "Say exactly: three"], ai=ai, resume=path)
    assert [turn.text for turn in again] == ["one", "two", "three"]
    assert len(demo_model.requests) == 4
    assert (again[0].provenance, again[0].tokens) == (first[0].provenance, first[0].tokens)
    assert again[0].session.id == first[0].session.id
    assert len(again[0].session.turns()) == 1
    assert [turn.text for turn in oc.map(prompts, ai=ai, resume=path, model="demo/demo")] == ["one", "one", "two"]
    assert len(demo_model.requests) == 7  # another model is another question
