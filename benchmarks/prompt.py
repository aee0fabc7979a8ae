"""Measure what the agent's access to the kernel adds to prompts: `python benchmarks/prompt.py [ROUNDS] [BEFORE]`.

In real kernels, in turn, with the access and without it (`OPENCODE_NB_KERNEL=0`), and, if BEFORE names a checkout, of
that one too: `%load_ext`; the first `%%prompt`, which starts the server; later ones; the first of another kernel, which
finds the server running. The model answers at once. Prints medians in ms, and exits with 1 if a goal is missed: see the
load average.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from opencode_nb.demo import DemoModel  # noqa: E402

TIMEOUT = 120  # seconds
LATER = 12

TIMED = """
import time
def timed(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
def prompt():
    get_ipython().run_cell_magic("prompt", "-q", "Say exactly: seen")
rows = list(range(1000))
"""
LOAD = "timed(lambda: get_ipython().run_line_magic('load_ext', 'opencode_nb'))"
FIRST = "timed(prompt)"
MORE = f"[timed(prompt) for _ in range({LATER})]"

GOALS = {
    "load": lambda with_, without: with_ <= 1.1 * without,
    "first, starts the server": lambda with_, without: with_ <= 1.1 * without,
    "first on a running server": lambda with_, without: with_ <= without + 500,
    "later": lambda with_, without: with_ <= without + 30,
}
"""What a step may take with the access beside without it, in ms. The first one has a margin for noise: no slower."""


@contextmanager
def kernel(env: dict[str, str], directory: str) -> Iterator[Any]:
    """Start a kernel, and give a function that runs a cell in it and returns its value."""
    manager, client = start_new_kernel(cwd=directory, env=env)

    def value(code: str) -> Any:
        values: list[str] = []
        reply = client.execute_interactive(
            "",
            user_expressions={"value": code},
            timeout=TIMEOUT,
            output_hook=lambda message: values.append(str(message["content"])),
        )
        told = reply["content"]["user_expressions"]["value"]
        if told["status"] != "ok":
            raise RuntimeError(f"{code}: {told} {values}")
        return json.loads(told["data"]["text/plain"])

    try:
        client.execute_interactive(TIMED, timeout=TIMEOUT)
        yield value
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def measured(checkout: Path, model: DemoModel, **more: str) -> dict[str, list[float]]:
    """Measure each step once; the later prompts several times."""
    with tempfile.TemporaryDirectory(prefix="oc-") as directory:
        subprocess.run(["git", "init", "--quiet", directory], check=True)
        env = {
            **os.environ,
            **more,
            "PYTHONPATH": str(checkout),
            "OPENCODE_CONFIG_CONTENT": json.dumps(model.config()),
            "XDG_RUNTIME_DIR": directory,
            "OPENCODE_NB_GRACE": "1",
        }
        with kernel(env, directory) as first:
            loaded, started, later = first(LOAD), first(FIRST), first(MORE)
            with kernel(env, directory) as second:
                second(LOAD)
                warm = second(FIRST)
    return dict(zip(GOALS, ([loaded], [started], [warm], later), strict=True))


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    variants: dict[str, tuple[Path, dict[str, str]]] = {
        "with": (ROOT, {}),
        "without": (ROOT, {"OPENCODE_NB_KERNEL": "0"}),
    }
    if len(sys.argv) > 2:
        variants["before"] = (Path(sys.argv[2]).resolve(), {})
    times = {name: {step: list[float]() for step in GOALS} for name in variants}
    with DemoModel(pace=0) as model:
        for round_ in range(rounds):
            names = list(variants)[:: 1 if round_ % 2 else -1]
            for name in names:
                checkout, more = variants[name]
                for step, values in measured(checkout, model, **more).items():
                    times[name][step] += values
    print(f"load average {os.getloadavg()[0]:.1f}, {rounds} rounds, medians in ms")
    print(f"{'':28}" + "".join(f"{name:>10}" for name in variants) + f"{'ratio':>8}")
    missed = []
    base = "before" if "before" in variants else "without"
    for step, met in GOALS.items():
        values = {name: median(times[name][step]) for name in variants}
        ratio = values["with"] / values[base]
        print(f"{step:28}" + "".join(f"{value:10.0f}" for value in values.values()) + f"{ratio:8.2f}")
        if not met(values["with"], values[base]):
            missed.append(step)
    if missed:
        sys.exit(f"Missed beside {base!r}: {', '.join(missed)}")


if __name__ == "__main__":
    main()
