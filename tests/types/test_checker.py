"""What a type checker says about programs that use the client."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
ROOT = PROGRAMS.parents[2]


CHECKERS = {
    "mypy": ("mypy", "--strict", "--no-incremental"),
    "basedpyright": ("basedpyright", "--level", "error"),  # pyright, and so what editors show
}


@pytest.fixture(scope="module", params=CHECKERS)
def complaints(not_quick: None, request: pytest.FixtureRequest) -> dict[str, set[int]]:
    """The lines of each program that a type checker rejects."""
    module, *options = CHECKERS[request.param]
    files = [PROGRAMS / "right.py", PROGRAMS / "wrong.py"]
    done = subprocess.run([sys.executable, "-m", module, *options, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, set[int]] = {}
    for line in done.stdout.splitlines():
        if match := re.match(r"\s*(.+?):(\d+):(?:\d+ -)? error: ", line):
            found.setdefault(Path(match[1]).name, set()).add(int(match[2]))
    return found


def test_mistakes_are_found_where_they_are_and_nowhere_else(complaints: dict[str, set[int]]) -> None:
    lines = (PROGRAMS / "wrong.py").read_text(encoding="utf-8").splitlines()
    planted = {number for number, line in enumerate(lines, 1) if "# mistake" in line}
    assert len(planted) == 12
    assert complaints["wrong.py"] == planted


def test_a_program_without_mistakes_is_accepted(complaints: dict[str, set[int]]) -> None:
    assert set(complaints) == {"wrong.py"}
