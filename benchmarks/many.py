"""Measure what `oc.map` adds to each prompt: `python benchmarks/many.py [PROMPTS] [ROUNDS]`.

On one server, in turn: bare calls of `client.session.create` and `client.session.prompt`, and `oc.map`, each with four
at once. The model answers at once. Prints the median time for a prompt of each, and the memory that the turns need;
exits with 1 if a goal is missed: see the load average. The goals are for 1000 prompts.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import opencode_nb as oc  # noqa: E402
from opencode_nb.demo import DemoModel  # noqa: E402
from tests.conftest import make_project  # noqa: E402
from tests.support.isolation import find_program, isolate  # noqa: E402

AT_ONCE = 4
RATIO = 1.1
KB_FOR_A_TURN = 60


def prompts(count: int) -> list[str]:
    return [f"Say exactly: {number}" for number in range(count)]


async def bare(ai: oc.Opencode, texts: list[str]) -> None:
    """Send each prompt in a session of its own, by the operations of the server alone."""
    waiting = iter(texts)
    server = ai.server
    async with oc.AsyncClient(server.url, password=server.password, directory=str(ai.directory)) as client:

        async def take() -> None:
            for text in waiting:
                session = await client.session.create(title=text)
                await client.session.prompt(session.id, parts=[{"type": "text", "text": text}])

        await asyncio.gather(*(take() for _ in range(AT_ONCE)))


def seconds(function: object, *arguments: object) -> float:
    began = time.perf_counter()
    function(*arguments)  # type: ignore[operator]
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    block = max(1, count // rounds)
    kept: list[oc.Turn] = []
    times: dict[str, list[float]] = {"bare": [], "oc.map": []}
    with tempfile.TemporaryDirectory() as folder, DemoModel(pace=0) as model:
        isolate(os.environ, Path(folder) / "home", find_program())
        project = make_project(Path(folder) / "project")
        with oc.Opencode(config=model.config(), directory=project, shared=False, permission="allow") as ai:
            oc.map(prompts(AT_ONCE), ai=ai)
            asyncio.run(bare(ai, prompts(AT_ONCE)))
            gc.collect()
            before = psutil.Process().memory_info().rss
            for number in range(rounds):
                for name in list(times)[:: 1 if number % 2 else -1]:
                    if name == "bare":
                        taken = seconds(lambda: asyncio.run(bare(ai, prompts(block))))
                    else:
                        taken = seconds(lambda: kept.extend(oc.map(prompts(block), ai=ai)))
                    times[name].append(taken / block * 1000)
                model.reset()
            gc.collect()
            grown = (psutil.Process().memory_info().rss - before) / 1024 / len(kept)
            followed = len(ai._async.feed.transcripts)
    assert all(isinstance(turn, oc.Turn) for turn in kept)
    print(f"load average {os.getloadavg()[0]:.1f}, {rounds} rounds of {block} prompts, {AT_ONCE} at once, ms a prompt")
    for name, values in times.items():
        print(f"{name:10}{median(values):8.1f}  ({', '.join(f'{value:.1f}' for value in values)})")
    ratio = median(ours / theirs for ours, theirs in zip(times["oc.map"], times["bare"], strict=True))
    print(f"ratio {ratio:.2f} (goal {RATIO})")
    print(f"memory for each turn kept: {grown:.0f} KB (goal {KB_FOR_A_TURN}); sessions still followed: {followed}")
    if ratio > RATIO or grown > KB_FOR_A_TURN or followed:
        sys.exit("A goal was missed.")


if __name__ == "__main__":
    main()
