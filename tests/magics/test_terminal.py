"""IPython in a real terminal: a turn streams, asks, stops at Ctrl-C, and nothing else writes while the user types."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.support.terminals import end

WAIT = 60
"""Seconds for the next thing to show; a cold server and the first prompt take about 10 on a busy machine."""
QUIET = 1.0
"""Seconds in which the live view, redrawn eight times a second, would show."""
STOPPED = 40.0
"""Seconds from Ctrl-C to its message: half the duration of the answer. Usually under one."""

ALLOW = "Allow? [y]es, once / [a]lways (echo *) / [n]o, or say why not: "


class Terminal:
    """IPython, as a user sees it."""

    def __init__(self, directory: Path) -> None:
        env = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
        arguments = ["-m", "IPython", "--no-banner", "--colors=nocolor", "--HistoryManager.enabled=False"]
        self.child = pexpect.spawn(
            sys.executable, arguments, cwd=directory, env=env, dimensions=(50, 200), encoding="utf-8", timeout=WAIT
        )
        self.child.delaybeforesend = None
        self.count = 1
        self.expect(f"In [{self.count}]:")

    def expect(self, text: str) -> str:
        """Wait until this shows; return what came before it, without control sequences."""
        self.child.expect_exact(text)
        return plain(self.child.before or "")

    def answer(self, text: str) -> None:
        """Type a line."""
        self.child.send(text + "\r")

    def start(self, source: str) -> None:
        """Paste a cell and run it."""
        self.child.send(f"\x1b[200~{source}\x1b[201~\x1b\r")

    def ended(self) -> str:
        """Wait for the next input prompt; return the output until then."""
        self.count += 1
        return self.expect(f"In [{self.count}]:")

    def run(self, source: str) -> str:
        """Run a cell to its end; return its output."""
        self.start(source)
        return self.ended()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|\r", "", text)


@pytest.fixture(scope="module")
def terminal(opencode_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """One terminal for the module, with the demo started."""
    terminal = Terminal(tmp_path_factory.mktemp("terminal"))
    try:
        terminal.run("%load_ext opencode_nb")
        shown = terminal.run("%opencode start --demo")
        assert "OpenCode 1." in shown
        assert "Model: demo/demo (the scripted demo, which is not an AI)" in shown
        yield terminal
        processes = psutil.Process(terminal.child.pid).children(recursive=True)
        assert processes
        terminal.run("%unload_ext opencode_nb")
        assert psutil.wait_procs(processes, timeout=0)[1] == []
    finally:
        end(terminal.child)


def test_a_turn_streams_and_is_shown_once(terminal: Terminal) -> None:
    terminal.start("%%prompt\nGive me a long answer of 300 tokens at 100 per second")
    terminal.expect("Model: demo/demo")
    terminal.expect("item 1")
    rest = terminal.ended()
    assert "item 1" not in rest.split("item 4")[-1]
    assert "demo/demo" in rest
    assert "Out[" not in rest
    assert "long answer" in terminal.run("_.prompt")


def test_a_permission_prompt_has_the_screen_to_itself(terminal: Terminal) -> None:
    terminal.start("%%prompt\nAsk for permission")
    terminal.expect("The agent asks for permission to run a shell command:")
    terminal.expect(ALLOW)
    assert terminal.child.expect([pexpect.TIMEOUT, r".+"], timeout=QUIET) == 0
    terminal.answer("y")
    shown = terminal.ended()
    assert "You allowed once" in shown
    assert "Working" not in shown.splitlines()[-1]


@pytest.mark.parametrize(("answer", "says"), [("n", "You denied"), ("only in the morning", "only in the morning")])
def test_a_permission_can_be_denied(terminal: Terminal, answer: str, says: str) -> None:
    terminal.start("%%prompt\nAsk for permission")
    terminal.expect(ALLOW)
    terminal.answer("")
    terminal.expect("Please answer y, a, n, or say why not: ")
    terminal.answer(answer)
    assert says in " ".join(terminal.ended().split())  # its lines are wrapped


def test_a_question_can_be_answered(terminal: Terminal) -> None:
    terminal.start("%%prompt\nAsk me a question")
    terminal.expect("Choose a number, or answer in your own words (empty declines): ")
    terminal.answer("2")
    terminal.expect("Choose numbers, separated by commas, or answer in your own words (empty declines): ")
    terminal.answer("1,3")
    shown = terminal.ended()
    assert "You answered: Parquet" in shown
    assert "You answered: time, comment" in shown


def test_ctrl_c_at_a_question_stops_the_turn(terminal: Terminal) -> None:
    terminal.start("%%prompt\nAsk for permission")
    terminal.expect(ALLOW)
    terminal.child.sendintr()
    terminal.expect("Interrupted: the agent was stopped.")
    terminal.ended()
    assert "aborted" in terminal.run("_.status")


def test_ctrl_c_stops_the_turn_and_keeps_its_output(terminal: Terminal) -> None:
    terminal.start("%%prompt\nGive me a long answer of 4000 tokens at 50 per second")
    terminal.expect("item 2")
    began = time.monotonic()
    terminal.child.sendintr()
    shown = terminal.expect("Interrupted: the agent was stopped. The partial answer is kept, in `_`.")
    seconds = time.monotonic() - began
    print(f"stopped after {seconds * 1000:.0f} ms")
    assert seconds < STOPPED
    assert "Traceback" not in shown
    assert terminal.ended().strip() == ""
    assert "('aborted', True, False)" in terminal.run("_.status, 'item 1' in _.text, _.session.busy")
    terminal.run("%%prompt\nSay exactly: next one")
    assert "NEXT ONE" in terminal.run("_.text.upper()")


def test_the_agent_runs_code_in_the_terminals_python(terminal: Terminal) -> None:
    terminal.start("%%prompt\nRun in my kernel: `kept = 6 * 7; kept + 1`")
    asked = terminal.expect("Allow? [y]es, once")
    assert "kept = 6 * 7; kept + 1" in asked
    terminal.answer("y")
    shown = terminal.ended()
    assert "You allowed once" in shown
    assert "43" in shown
    assert "(42, 'completed')" in terminal.run("kept, _.status")
    assert "estored in the kernel: kept." in " ".join(terminal.run("%opencode undo").split())
    assert "False" in terminal.run("'kept' in globals()")


def test_a_wrong_cell_fails_with_one_line(terminal: Terminal) -> None:
    shown = terminal.run("%%prompt -f no-such-file\nhello")
    assert shown.count("FileNotFoundError: No such file: no-such-file") == 1
    assert "Traceback" not in shown
    assert "UsageError: %%prompt: unrecognized arguments: --colour" in terminal.run("%%prompt --colour\nhello")


def test_a_prompt_on_one_line_runs_at_enter(terminal: Terminal) -> None:
    terminal.answer("%prompt Say exactly: don't you?")
    shown = terminal.ended()
    assert "demo/demo" in shown
    assert "Out[" not in shown
    assert "DON'T YOU?" in terminal.run("_.text.upper()")
    shown = terminal.run("x = %prompt Say exactly: this and that?")
    assert "demo/demo" in shown
    assert "THIS AND THAT?" in terminal.run("x.text.upper()")


def test_tab_completes_a_prompt(terminal: Terminal) -> None:
    terminal.child.send("%prompt -m demo/demo-g\t")
    terminal.expect("pt-5")
    terminal.child.sendintr()
    assert "42" in terminal.run("6 * 7")


def test_reload_starts_fresh(terminal: Terminal) -> None:
    terminal.run("%reload_ext opencode_nb")
    assert "OpenCode is not running" in terminal.run("%opencode")
    terminal.run("%opencode start --demo")
    terminal.run("%%prompt\nSay exactly: after all")
    assert "AFTER ALL" in terminal.run("_.text.upper()")


def test_opencodes_own_terminal_ui_takes_the_screen_and_gives_it_back(terminal: Terminal) -> None:
    terminal.run("%opencode new")
    terminal.run("%%prompt\nSay exactly: " + "-".join(("seen", "in", "both")))
    terminal.start("%opencode tui")
    terminal.expect("seen-in-both")
    terminal.child.send("\x03")
    terminal.ended()
    assert "after all" in terminal.run("print('after', 'all')")
