"""What programs write past `sys.stdout` while the agent's code runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from opencode_nb.kernel.running.descriptors import redirected


@pytest.fixture
def written() -> list[tuple[str, str]]:
    return []


def texts(written: list[tuple[str, str]], kind: str) -> str:
    return "".join(text for of, text in written if of == kind)


def test_programs_output_is_taken_whole(written: list[tuple[str, str]], capfd: pytest.CaptureFixture[str]) -> None:
    text = "ü" * 100_001
    with redirected(lambda kind, text: written.append((kind, text))):
        subprocess.run([sys.executable, "-X", "utf8", "-c", "print('ü' * 100_001, end='')"], check=True)
        os.write(2, b"error")
    os.write(1, b"after")
    assert texts(written, "stdout") == text
    assert texts(written, "stderr") == "error"
    assert capfd.readouterr() == ("after", "")


def test_a_program_left_running_can_write_on(written: list[tuple[str, str]], capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stdin.read(); print('x' * 10**6); sys.stdout.flush()"
    with redirected(lambda kind, text: written.append((kind, text))):
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    process.communicate()
    assert process.returncode == 0
    assert written == []
    assert capfd.readouterr() == ("", "")
