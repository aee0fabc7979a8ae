"""Costs on disk: several processes at once, a kill in the middle of a write, a full disk; and their report."""

from __future__ import annotations

import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from opencode_nb.spending import costs, records
from opencode_nb.spending.records import Entry
from opencode_nb.spending.report import report

NOW = time.time()

PRELUDE = """
import os, resource, sys, time
from opencode_nb.spending import costs
from opencode_nb.spending.records import Entry, append, folder

def entry(step):
    return Entry(step, time.time(), "/project", "ses_1", "demo/demo", 0.5, 100)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of this test's own, for this process and those that it starts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    yield tmp_path
    costs.delete()


def entry(step: str, *, days_ago: int = 0, cost: float = 0.5, model: str = "demo/demo", project: str = "/a") -> Entry:
    return Entry(step, NOW - days_ago * 86_400, project, "ses_1", model, cost, 100)


def start(code: str) -> subprocess.Popen[str]:
    command, pipe = [sys.executable, "-c", PRELUDE + code], subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def output(process: subprocess.Popen[str]) -> str:
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    return told


def kept() -> list[str]:
    return [one.step for one in costs.entries()]


def test_two_processes_at_once_lose_and_double_nothing() -> None:
    """Both write the same steps, as two kernels that follow one session do, and steps of their own."""
    code = """
print("ready", flush=True)
sys.stdin.readline()
for number in range(400):
    append([entry(f"both-{number}"), entry(f"{os.getpid()}-{number}")])
"""
    processes = [start(code), start(code)]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n", "ready\n"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output(process)
    found = kept()
    assert len(found) == len(set(found)) == 1200
    lines = next(costs.folder().glob("*.jsonl")).read_text().splitlines()
    assert len(lines) == 1600  # none was overwritten by the other


def test_a_kill_in_the_middle_of_a_write_loses_nothing_that_was_written() -> None:
    code = """
for number in range(1_000_000):
    append([entry(f"{os.getpid()}-{number}-{part}") for part in range(200)])
    print(f"{os.getpid()}-{number}", flush=True)
"""
    written = []
    for _ in range(3):
        process = start(code)
        assert process.stdout is not None
        written.append(process.stdout.readline().strip())
        time.sleep(random.uniform(0, 0.05))  # at any moment of a write
        process.send_signal(signal.SIGKILL)
        written += [line.strip() for line in process.communicate()[0].splitlines(True) if line.endswith("\n")]
    records.append([entry("after")])
    found = kept()
    assert len(found) == len(set(found))
    assert {f"{name}-{part}" for name in written for part in range(200)} | {"after"} <= set(found)


def test_a_line_that_was_cut_off_is_skipped_and_the_next_one_is_whole() -> None:
    records.append([entry("first"), entry("second")])
    file = next(costs.folder().glob("*.jsonl"))
    file.write_bytes(file.read_bytes()[:-20] + b"\xff")
    records.append([entry("third")])
    assert kept() == ["first", "third"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(costs.folder().stat().st_mode) == 0o700


def test_a_full_disk_keeps_costs_in_memory_says_so_once_and_writes_them_later() -> None:
    told = output(
        start(
            """
import logging
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")

def kept(step):
    costs.keep([entry(step)])
    costs._keeper._changed.acquire()
    costs._keeper._changed.wait_for(lambda: not costs._keeper._writing, 60)
    costs._keeper._changed.release()
    return [one.step for one in costs.entries()]

append([entry("one")])
file = next(folder().glob("*.jsonl"))
size = file.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, resource.RLIM_INFINITY))
for step in ("two", "three"):
    print(kept(step), file.stat().st_size == size, bool(costs.problem()), flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(kept("four"), len(file.read_text().splitlines()), costs.problem() == "")
"""
        )
    )
    warnings = [line for line in told.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "Costs cannot be written to" in warnings[0]
    assert [line for line in told.splitlines() if not line.startswith("WARNING")] == [
        "['one', 'two'] True True",
        "['one', 'two', 'three'] True True",
        "['one', 'two', 'three', 'four'] 4 True",
    ]


def test_what_was_not_written_yet_is_written_as_the_process_ends() -> None:
    output(start("costs.keep(entry(str(number)) for number in range(100))"))
    assert len(kept()) == 100


def test_old_months_are_deleted_and_the_oldest_of_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (500, 70, 35, 0):
        records.append([entry(f"{days}", days_ago=days)])
    assert len(costs.entries(days=1000)) == 3
    monkeypatch.setattr(records, "MAX_BYTES", 200)
    records.append([entry("last")])
    assert {one.step for one in costs.entries(days=1000)} == {"0", "last"}


def test_costs_of_a_file_that_is_none_and_of_later_versions_are_read() -> None:
    records.append([entry("first")])
    file = next(costs.folder().glob("*.jsonl"))
    line = file.read_text().replace("first", "later").replace("{", '{"new": 1, ', 1)
    file.write_text(f'{file.read_text()}{line}[]\n{{"step": 1}}\nnothing\n')
    assert kept() == ["first", "later"]


def test_deleted_costs_are_gone() -> None:
    costs.keep([entry("one")])
    costs.delete()
    assert costs.entries() == []


def test_the_report_adds_up_days_models_and_projects() -> None:
    used = [
        entry("1", days_ago=1, cost=0.25),
        entry("2", cost=1.0, model="demo/other", project="/b\x1b[31m"),
        entry("3", cost=0.0),
    ]
    today = datetime.fromtimestamp(NOW).date()
    told = report(used, today, 30)
    assert told.startswith("Today: $1.0000, 200 tokens, 2 steps\nLast 30 days: $1.2500, 300 tokens, 3 steps\n")
    bars = {line.split()[0]: line.count("█") for line in told.splitlines() if line.startswith("  20")}
    assert bars == {str(today - timedelta(days=1)): 4, str(today): 18}
    rows = [line.split() for line in told.splitlines() if line.startswith(("  demo", "  /"))]
    assert [row[:2] for row in rows] == [
        *(["demo/other", "$1.0000"], ["demo/demo", "$0.2500"]),
        *(["/b\N{REPLACEMENT CHARACTER}[31m", "$1.0000"], ["/a", "$0.2500"]),
    ]
    assert report([], today, 7) == "Today: $0.0000, 0 tokens, 0 steps\nLast 7 days: $0.0000, 0 tokens, 0 steps"


def test_costs_are_read_from_the_day_that_is_asked_for() -> None:
    records.append([entry("old", days_ago=3), entry("new")])
    assert [one.step for one in costs.entries(days=2)] == ["new"]
    assert records.read(date(2000, 1, 1)).keys() == {"old", "new"}
    assert datetime.now(UTC).strftime("%Y-%m") in {file.stem for file in costs.folder().glob("*.jsonl")}
