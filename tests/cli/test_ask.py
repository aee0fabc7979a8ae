"""`opencode-nb ask`: what it prints where, its exit codes, and that nothing outlives it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pexpect
import psutil
import pytest

import opencode_nb as oc
from opencode_nb import cli
from opencode_nb.demo import DemoModel, text
from opencode_nb.server import Server, serve
from opencode_nb.server.environment import PASSWORD
from tests.support.terminals import end, hang_up

PROGRAM = str(Path(sys.executable).with_name("opencode-nb"))
WAIT = 90
"""Seconds for a server to start and a turn to end on a busy machine; about 5 on an idle one."""
ENDED = 60
"""Seconds that processes may outlive the command that started them: a moment, on an idle machine."""
RUN = "TEST_OF_ASK"
"""Environment variable, unique per command, that everything it starts inherits."""
LONG = "Give me a long answer of 4000 tokens at 50 per second"
MODEL_LINE = "Model: demo/demo (from your OpenCode configuration): Scripted demo (not an AI)"
DEMO_LINE = "Model: demo/demo (the scripted demo, which is not an AI)"


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def ask(directory: Path, *arguments: str, piped: bytes = b"", **env: str) -> Done:
    """Run the command to its end, without a terminal."""
    done = subprocess.run(
        [PROGRAM, "ask", *arguments],
        cwd=directory,
        input=piped,
        capture_output=True,
        timeout=WAIT,
        env={**os.environ, **env},
        start_new_session=True,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module", autouse=True)
def shared(opencode_program: Path, server_model: DemoModel) -> Iterator[Server]:
    """The server shared by commands without --demo: held here, so that it starts once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(server_model.config()))
        with serve(shared=True, timeout=WAIT) as server:
            yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ask")


# --- slash commands ---------------------------------------------------------------------------------------------------


def test_a_command_of_the_server_runs_and_one_for_a_dialogue_is_refused(place: Path, server_model: DemoModel) -> None:
    server_model.queue([text("Initialized.")])
    assert ask(place, "/init").out == "Initialized.\n"
    refused = ask(place, "/undo")
    assert refused.code == 1
    assert "/undo acts in a dialogue: start one with opencode-nb ask -i." in refused.err
    assert "Did you mean /undo?" in ask(place, "/undoo").err


def test_piped_text_that_starts_like_a_command_is_sent_as_text(place: Path, server_model: DemoModel) -> None:
    server_model.queue([text("Read.")])
    assert ask(place, piped=b"/undo is what the log says").out == "Read.\n"


# --- what is printed --------------------------------------------------------------------------------------------------


def test_stdout_has_only_the_answer(place: Path) -> None:
    done = ask(place, "--demo", "What did I", "send you?", piped="first line\nüber\xff\n".encode("latin-1"))
    assert done.code == 0
    assert done.out.startswith(
        "I am the scripted demo. You sent me this:\n\n```text\nWhat did I send you?\n\nfirst line\n"
    )
    assert "ber\N{REPLACEMENT CHARACTER}\n```" in done.out
    assert done.out.endswith("\n")
    assert not done.out.endswith("\n\n")
    assert done.err == DEMO_LINE + "\n"


def test_tools_and_refusals_are_reported_on_stderr(place: Path) -> None:
    done = ask(place, "Use several tools with a todo list", piped=b"")
    assert done.code == 0
    assert done.out.startswith("I'll keep a list.\n\nNow the directory.\n\n### Done")
    told = done.err.splitlines()
    assert told[0] == MODEL_LINE
    assert "☑ Todos: 0 of 3 done" in told
    denied = "Denied by policy: ls -la (Nobody is available to answer, so it was denied.)"
    assert told[told.index(denied) + 1] == "  --permission allow grants such requests."


def test_json_lines_cover_the_whole_turn_and_sessions_continue(place: Path, tmp_path: Path) -> None:
    first = ask(place, "--json", "--permission", "allow", "Ask for permission")
    assert first.code == 0
    start, *between, end = first.lines
    assert (start["type"], start["directory"], end["type"], end["status"]) == ("start", str(place), "end", "completed")
    assert "".join(line["delta"] for line in between if line["type"] == "text") == end["text"].replace("\n\n", "", 1)
    assert [line["reply"] for line in between if line["type"] == "decision"] == ["once"]
    tools = [line for line in between if line["type"] == "tool"]
    assert tools[-1]["status"] == "completed"
    assert tools[-1]["input"]["command"] == "echo 'written with permission' > demo-permission.txt"
    assert (place / "demo-permission.txt").exists()
    assert end["error"] is None
    assert end["tokens"]["output"] > 0

    latest = ask(place, "--json", "--continue", "What did I send you?")
    assert latest.lines[0]["session"] == start["session"]
    assert "earlier prompts in this session: 1" in latest.lines[-1]["text"]
    named = ask(tmp_path, "--directory", str(place), "--session", start["session"], "What did I send you?")
    assert "earlier prompts in this session: 2" in named.out
    elsewhere = ask(tmp_path, "--session", start["session"], "hello")
    assert elsewhere.code == 1
    assert f"belongs to another directory: add --directory {place}" in elsewhere.err


# --- exit codes -------------------------------------------------------------------------------------------------------


def test_a_failed_turn_is_reported_with_exit_code_1(place: Path) -> None:
    done = ask(place, "--json", "Fail with a provider error 400")
    assert done.code == 1
    end = done.lines[-1]
    assert (end["type"], end["status"]) == ("end", "error")
    assert end["error"]["message"] in done.err
    assert "Traceback" not in done.err


def test_a_timeout_keeps_the_partial_answer(place: Path) -> None:
    done = ask(place, "--timeout", "10", LONG)
    assert done.code == 124
    assert "item 1" in done.out
    assert "opencode-nb: Stopped after 10 s, its time limit." in done.err


def test_a_limit_keeps_the_partial_answer(place: Path) -> None:
    done = ask(place, "--max-steps", "1", "--permission", "allow", "Use several tools with a todo list")
    assert done.code == 3
    assert "opencode-nb: Stopped at max_steps: 1 of 1 model steps used." in done.err


@pytest.fixture
def ai(shared: Server, place: Path) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=shared.url, password=shared.password, directory=place) as ai:
        yield ai


def ids(ai: oc.Opencode) -> set[str]:
    return {info["id"] for info in ai.sessions()}


def test_an_unsent_prompt_leaves_sessions_unchanged(ai: oc.Opencode, place: Path) -> None:
    """A session whose turns are undone is kept; a missing file creates no session."""
    session = ai.session()
    session.prompt("Say exactly: undone")
    session.revert()
    before = ids(ai)
    for which in ([], ["--continue"], ["--session", session.id]):
        done = ask(place, *which, "--file", "nowhere.txt", "Look at this")
        assert (done.code, done.out) == (1, "")
        assert "opencode-nb: No such file: nowhere.txt" in done.err
    assert ids(ai) == before


def test_an_archived_session_is_not_the_latest_but_found_by_name(ai: oc.Opencode, place: Path) -> None:
    latest, archived = ai.session("Latest").id, ai.session("Put away").id
    ai.client.session.update(archived, time={"archived": 1})
    for which, id in (
        (["--continue"], latest),
        (["--session", "put away"], archived),
        (["-s", archived[:-4]], archived),
    ):
        assert ask(place, "--json", *which, "Say exactly: hi").lines[0]["session"] == id


def test_a_missing_program_is_reported_as_text_and_json(place: Path) -> None:
    done = ask(place, "--json", "hello", OPENCODE_NB_BINARY="/nowhere/opencode")
    assert done.code == 1
    (end,) = done.lines
    assert end["error"]["type"] == "BinaryNotFoundError"
    assert "opencode-nb install" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "the prompt is empty"),
        (["  "], "the prompt is empty"),
        (["-i"], "a dialogue (-i) needs a terminal"),
        (["-s", "ses_1", "-c", "hello"], "not allowed with argument"),
        (["--json", "-i", "hello"], "not allowed with argument"),
        (["--timeout", "0", "hello"], "is not a number of seconds above 0"),
        (["--timeout", "soon", "hello"], "invalid"),
        (["--permission", "maybe", "hello"], "invalid choice"),
        (["--max-cost", "0", "hello"], "max_cost=0.0 is not an amount in USD above 0"),
        (["--max-steps", "few", "hello"], "--max-steps: invalid int value: 'few'"),
    ],
)
def test_a_wrong_command_line_is_explained(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        cli.main(["ask", *arguments])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


# --- ended early ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_turn_and_everything_started(place: Path, number: signal.Signals, code: int) -> None:
    with started(place, "--demo", LONG) as process:
        assert process.stdout
        read_until(process, "item 2")
        others = helpers(process.pid)
        assert others
        process.send_signal(number)
        _, err = process.communicate(timeout=WAIT)
        assert process.returncode == code
        assert psutil.wait_procs(others, timeout=ENDED)[1] == []
        assert "opencode-nb: The turn was stopped." in err
        assert "Traceback" not in err


def test_a_closed_stdout_ends_the_turn(place: Path) -> None:
    with started(place, "--demo", LONG) as process:
        assert process.stdout
        assert process.stderr
        read_until(process, "item 2")
        others = helpers(process.pid)
        assert others
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(WAIT) == 141
        assert psutil.wait_procs(others, timeout=ENDED)[1] == []
        assert err == DEMO_LINE + "\n"


def test_a_full_disk_is_reported(place: Path) -> None:
    command = [PROGRAM, "ask", "Say exactly: hi"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, timeout=WAIT)
    assert done.returncode == 1
    assert "opencode-nb: The answer could not be written ([Errno 28] No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr


def helpers(pid: int) -> list[psutil.Process]:
    """Return the processes a command started, wherever they are in the process tree."""
    run = psutil.Process(pid).environ()[RUN]
    return [process for process in psutil.process_iter() if process.pid != pid and run_of(process) == run]


def run_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(RUN)
    except (psutil.Error, OSError):  # ended meanwhile, or another user's
        return None


def started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "ask", *arguments],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, RUN: uuid4().hex},
    )


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    seen = ""
    while text not in seen:
        piece = process.stdout.read(1)
        assert piece, seen
        seen += piece


# --- a terminal -------------------------------------------------------------------------------------------------------


READY = "\x1b[?2004h"
"""What the prompt prints when it is ready for a line (or a paste)."""


class Terminal:
    """A user at a terminal."""

    def __init__(self, command: str, directory: Path) -> None:
        env = {
            **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "TERM": "xterm",
            "PATH": path_with_program(),
            RUN: uuid4().hex,
        }
        self.child = pexpect.spawn(
            "/bin/sh", ["-c", command], cwd=directory, env=env, dimensions=(50, 200), encoding="utf-8", timeout=WAIT
        )
        self.child.delaybeforesend = None

    def expect(self, text: str) -> str:
        """Wait until this shows; return what came before it, without control sequences."""
        self.child.expect_exact(text)
        return plain(self.child.before or "")

    def answer(self, text: str) -> None:
        self.child.send(text + "\r")

    def ended(self) -> tuple[int | None, str]:
        """Return the exit code, and the last output."""
        self.child.expect_exact(pexpect.EOF)
        self.child.wait()
        return self.child.exitstatus, plain(self.child.before or "")


def path_with_program() -> str:
    return f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|\r", "", text)


@pytest.fixture
def terminal(place: Path) -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(command: str) -> Terminal:
        opened.append(Terminal(command, place))
        return opened[-1]

    yield start
    for each in opened:
        end(each.child)


def test_questions_go_to_the_terminal_even_if_text_is_piped(terminal: Any, place: Path) -> None:
    asked = terminal("echo please | opencode-nb ask --demo Ask for permission > answer.txt; echo code $?")
    asked.expect("The agent asks for permission to run a shell command:")
    asked.expect("or say why not: ")
    asked.answer("y")
    shown = asked.expect("code 0")
    assert "You allowed once: " in shown
    answer = (place / "answer.txt").read_text()
    assert answer.startswith("This writes a file")
    assert "Allow?" not in answer


def test_a_terminal_shows_the_turn_through_rich(terminal: Any) -> None:
    code, shown = terminal("exec opencode-nb ask --demo 'Answer in Markdown with a table and code'").ended()
    assert code == 0
    assert DEMO_LINE in shown
    assert "▌ Premature optimisation is the root of all evil." in shown
    assert "See the documentation (https://docs.python.org" in shown, shown[-2000:]


def test_a_dialogue_runs_prompts_and_commands(terminal: Any, place: Path) -> None:
    talk = terminal("exec opencode-nb ask --demo -i Say exactly: well begun")
    talk.expect("/help lists the commands")
    talk.expect("well begun")
    talk.expect(READY)
    talk.answer("Give me a long answer of 4000 tokens at 50 per second")
    talk.expect("item 2")
    talk.child.sendintr()
    talk.expect("Stopped. The partial answer is kept.")
    talk.expect(READY)
    talk.child.sendintr()  # at the prompt: only an empty line
    talk.answer("What did I send you?")
    talk.expect("earlier prompts in this session: 2")
    talk.expect(READY)
    talk.answer("/new")
    talk.expect("New session.")
    talk.answer("What did I send you?")
    talk.expect("earlier prompts in this session: 0")
    talk.expect(READY)
    talk.answer("/model no/such")
    talk.expect("There is no model no/such.")
    talk.answer("/model demo")
    talk.expect("Model: demo/demo, from the next message on.")
    talk.answer("/udno")
    talk.expect("Unknown command /udno. Did you mean /undo?")
    talk.expect(READY)
    talk.answer("/undo")
    talk.expect("Undone: What did I send you")
    talk.expect(READY)
    talk.answer("/redo")
    talk.expect("Restored everything that was undone.")
    talk.answer("/help")
    talk.expect("Undo the last message and its changes to files")
    talk.expect("/exit ends the dialogue")
    talk.expect(READY)
    talk.child.send("/sessio\t")
    talk.expect("ns")
    talk.answer("")
    talk.expect("ses_")
    talk.expect(READY)
    talk.child.send("\x1b[A" * 8 + "\r")  # up: eight lines back
    talk.expect("earlier prompts in this session: 1")
    others = helpers(talk.child.pid)
    assert others
    talk.expect(READY)
    talk.answer("/exit")
    assert talk.ended()[0] == 0
    assert psutil.wait_procs(others, timeout=ENDED)[1] == []
    kept = Path(os.environ["XDG_STATE_HOME"]) / "opencode-nb" / "prompts"
    assert kept.stat().st_mode & 0o077 == 0


def test_a_dialogue_continues_after_an_unsent_prompt(terminal: Any, ai: oc.Opencode, place: Path) -> None:
    """It also leaves no empty session behind."""
    before = ids(ai)
    talk = terminal("exec opencode-nb ask -i -f later.txt hello")
    talk.expect("No such file: later.txt")
    talk.expect(READY)
    (place / "later.txt").write_text("Here.")
    talk.answer("What did I send you?")
    talk.expect("earlier prompts in this session: 0")
    talk.expect(READY)
    talk.answer("/new")
    talk.expect(READY)
    talk.answer("/exit")
    assert talk.ended()[0] == 0
    assert len(ids(ai) - before) == 1


def test_a_dialogue_on_a_joined_server_runs_shell_commands_and_attaches_files(
    terminal: Any, shared: Server, server_model: DemoModel, place: Path
) -> None:
    (place / "notes.txt").write_text("The answer is forty-two.")
    talk = terminal(f"{PASSWORD}={shared.password} exec opencode-nb ask -i --url {shared.url}")
    talk.expect(READY)
    talk.answer("!echo shell-$((40+2))")
    talk.expect("shell-42")
    talk.expect(READY)
    talk.answer("!")
    talk.expect("Write a shell command after the !")
    talk.child.send("What did I send you? @not\t")
    talk.expect("es.txt")
    talk.answer("")
    talk.expect("earlier prompts in this session")
    talk.expect(READY)
    sent = json.dumps(server_model.requests[-1]["messages"])
    assert "The answer is forty-two." in sent
    assert "shell-42" in sent
    talk.answer("/exit")
    assert talk.ended()[0] == 0


def test_a_port_that_is_in_use_is_named(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ask(place, "--port", str(port), "hello")
    assert done.code == 1
    assert f"could not listen on 127.0.0.1:{port}" in done.err


def test_closing_the_terminal_ends_the_dialogue(terminal: Any) -> None:
    talk = terminal("exec opencode-nb ask --demo -i")
    talk.expect(READY)
    others = helpers(talk.child.pid)
    assert others
    hang_up(talk.child)
    assert psutil.wait_procs(others, timeout=ENDED)[1] == []
