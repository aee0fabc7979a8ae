"""Measure the cost of the managed server, as ratios: `python benchmarks/server.py [--repeats N] [--program PATH]`.

- Starting it (`serve()` until it returns) relative to `opencode serve` until its ready line; alternating. The fastest
  of each counts: slower ones were disturbed.
- Joining it relative to starting it.
- Memory of 1, 5 and 10 processes sharing one server, relative to separate servers: proportional set sizes (shared pages
  count once), each server after its first session. Separate servers are measured for 1 and 5; ten would take 5 GB, so
  they are estimated as twice five.
- Memory of the keeper (with its guard).

Runs in an isolated home, with the demo model, without network. Exits with 1 if a goal is missed. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import isolation

REPEATS = 7
KERNELS = (1, 5, 10)
OWN_MEASURED = (1, 5)  # the others are estimated
START_GOAL = 1.1  # times `opencode serve`
JOIN_GOAL = 0.1  # times starting one
KEEPER_GOAL = 20.0  # MB
HOLDER = """
import sys
from opencode_nb import Opencode
ai = Opencode(shared=sys.argv[1] == "shared").start()
ai.session()
print(ai.server.pid, flush=True)
sys.stdin.read()
"""
MB = 1e6


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="opencode-nb-benchmark-", ignore_cleanup_errors=True) as home:
        isolation.isolate(os.environ, Path(home) / "home", options.program or isolation.find_program())
        del os.environ["OPENCODE_MODELS_PATH"]  # load the whole catalog, as a user's server does
        results = [*times(options.repeats), *memory()]
    print(*(line for line, _ in results), sep="\n")
    return 0 if all(met for _, met in results) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--program", type=Path)
    return parser.parse_args()


def goal(line: str, value: float, limit: float) -> tuple[str, bool]:
    return f"{line} (goal: at most {limit:g}){'' if value <= limit else '  MISSED'}", value <= limit


# --- time -------------------------------------------------------------------------------------------------------------


def times(repeats: int) -> list[tuple[str, bool]]:
    """Measure starting and joining, alternating, so that other load on the machine affects all of them."""
    raw, started, joined = [], [], []
    raw_start()  # warm-up: creates the store and reads the program from disk
    for _ in range(repeats):
        raw.append(raw_start())
        start, join = start_and_join()
        started.append(start)
        joined.append(join)
    lines = [f"`opencode serve` to its ready line    {min(raw) * 1000:8.0f} ms"]
    factor = min(started) / min(raw)
    share = min(joined) / min(started)
    return [
        (lines[0], True),
        goal(
            f"serve(shared=True), starting it       {min(started) * 1000:8.0f} ms = {factor:.2f} x that",
            factor,
            START_GOAL,
        ),
        goal(
            f"serve(shared=True), joining it        {min(joined) * 1000:8.1f} ms = {share:.3f} x that",
            share,
            JOIN_GOAL,
        ),
    ]


def raw_start() -> float:
    began = time.perf_counter()
    command = [os.environ[isolation.PROGRAM], "serve", "--hostname", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("opencode server listening on "):
                break
        took = time.perf_counter() - began
        process.terminate()
    return took


def start_and_join() -> tuple[float, float]:
    from opencode_nb.server import serve

    began = time.perf_counter()
    with serve(shared=True) as server:
        started = time.perf_counter()
        with serve(shared=True):
            joined = time.perf_counter()
        process = psutil.Process(server.pid)
    process.wait()
    return started - began, joined - started


# --- memory -----------------------------------------------------------------------------------------------------------


def memory() -> list[tuple[str, bool]]:
    shared = {count: proportional(count, "shared") for count in KERNELS}
    own = {count: proportional(count, "own") for count in OWN_MEASURED}
    own |= {
        count: tuple(part * count / OWN_MEASURED[-1] for part in own[OWN_MEASURED[-1]])
        for count in KERNELS
        if count not in own
    }
    lines = [
        "",
        "processes   one server, MB      separate, MB   ratio   (without the processes themselves, about 40 MB each)",
    ]
    for count in KERNELS:
        one, many = sum(shared[count][:2]) / MB, sum(own[count][:2]) / MB
        reckoned = "" if count in OWN_MEASURED else "  estimated"
        lines.append(f"{count:9}   {one:14.0f}   {many:16.0f}   {one / many:5.2f}{reckoned}")
    _, keeper, resident = (size / MB for size in shared[1])
    line = f"\nkeeper and guard: {keeper:.1f} MB (resident set size, shared pages counted twice: {resident:.1f} MB)"
    return [*((text, True) for text in lines), goal(line, keeper, KEEPER_GOAL)]


def proportional(count: int, kind: str) -> tuple[float, ...]:
    """Return the bytes of the servers of `count` processes, of their keepers, and the keepers' resident set size."""
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLDER, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    servers = {psutil.Process(int(holder.stdout.readline())) for holder in holders if holder.stdout}
    keepers = {parent for server in servers for parent in server.parents()[:2]}
    sizes = [float(sum(process.memory_full_info().pss for process in group)) for group in (servers, keepers)]
    resident = float(sum(process.memory_info().rss for process in keepers))
    for holder in holders:
        holder.communicate()
    psutil.wait_procs(servers)
    return (*sizes, resident)


if __name__ == "__main__":
    sys.exit(main())
