"""Turns of the real server, recorded and played again, in this process and in one that has no server at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, text
from opencode_nb.session.permissions.policy import PermissionRequest
from tests.conftest import REPOSITORY, make_project

PLAYER = Path(__file__).with_name("player.py")
EDIT = "Edit src/temperatures.py"
SOURCE = "src/temperatures.py"
MANY = [
    "Answer in Markdown with a table and code",
    EDIT,
    "Ask for permission",
    "Delegate this to a subagent",
    "Use several tools with a todo list",
    "Fail with a provider error 400",
    "Again",
    "Again",
]


def attempt(session: oc.Session | Any, prompt: str, **options: Any) -> oc.Turn:
    """Return the turn, also one that fails."""
    try:
        return session.prompt(prompt, **options)  # type: ignore[no-any-return]
    except oc.TurnError as error:
        return error.turn  # type: ignore[no-any-return]


def forms(turn: oc.Turn) -> dict[str, str]:
    """Return what a notebook saves of a turn."""
    data, metadata = turn._repr_mimebundle_()
    own = {name: value for name, value in metadata["opencode_nb"].items() if name != "session"}
    return {**data, "provenance": json.dumps(own)}


def play_elsewhere(file: Path, project: Path, home: Path, *prompts: str) -> list[dict[str, dict[str, str]]]:
    """Play prompts in a process without the program, a home or a network; return the forms of their turns."""
    home.mkdir()
    env = {"HOME": str(home), "PATH": "", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(PLAYER), str(file), str(project), *prompts]
    ran = subprocess.run(command, env=env, cwd=project, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    played: list[dict[str, dict[str, str]]] = json.loads(ran.stdout)
    return played


def decide(request: PermissionRequest) -> Any:
    """Allow what is asked for, but for one command."""
    return ("reject", "Not that one.") if "demo-permission" in str(request.patterns) else "once"


def test_turns_play_the_same_without_server_program_or_network(
    ai: oc.Opencode, file: Path, project: Path, demo_model: DemoModel, tmp_path: Path
) -> None:
    """In another directory too; with a denied request, a subagent, a failure, and a prompt that is asked twice."""
    session, live = ai.session(), []
    for number, prompt in enumerate(MANY):
        if prompt == "Again":
            demo_model.queue([text(f"Answer {number}.")])
        live.append(attempt(session, prompt, record=file, permission=decide))
    other = make_project(tmp_path / "elsewhere" / "copy")
    played = play_elsewhere(file, other, tmp_path / "home", *MANY)
    for turn, was in zip(played, map(forms, live), strict=True):
        for name, form in turn["bare"].items():
            assert form.replace(str(other), str(project)) == was[name]
    for turn in played:
        assert all("This is a replay" in form for name, form in turn["shown"].items() if name != "provenance")
        assert '"replayed": true' in turn["shown"]["provenance"]
    assert (other / SOURCE).read_bytes() == (project / SOURCE).read_bytes()


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def edited(ai: oc.Opencode, file: Path) -> oc.Turn:
    """A recorded turn that has edited a file and written another."""
    session = ai.session()
    session.prompt("Write a new file notes.md", record=file)
    return session.prompt(EDIT, record=file)


def test_a_file_is_changed_where_it_is_as_it_was_before(edited: oc.Turn, file: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "copy")
    (project / "notes.md").write_text("mine")
    with oc.replay(file, directory=project) as replay:
        written, turn = replay.prompt("Write a new file notes.md"), replay.prompt(EDIT)
        assert "Not changed as recorded: notes.md: it is not as it was before the recorded change." in str(
            written.state.replay
        )
        assert (project / "notes.md").read_text() == "mine"
        assert f"Changed as recorded: {SOURCE}." in turn.state.replay
        assert turn.diff().patch == edited.diff().patch
        assert (project / SOURCE).read_text() == edited.diff()[SOURCE].after.decode()  # type: ignore[union-attr]


def test_undo_takes_a_replayed_change_back(edited: oc.Turn, file: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "copy")
    before = (project / SOURCE).read_bytes()
    with oc.replay(file, directory=project) as replay:
        session = replay.session()
        session.prompt(EDIT)
        after = (project / SOURCE).read_bytes()
        session.undo()
        assert (project / SOURCE).read_bytes() == before
        assert session.turns() == []
        session.redo()
        assert (project / SOURCE).read_bytes() == after != before
        session.undo()
        replay.close()  # a stopped replay goes on
        session.prompt("Write a new file notes.md")
        assert [turn.prompt for turn in session.turns()] == ["Write a new file notes.md"]
        session.undo()
        assert not (project / "notes.md").exists()


def test_no_file_is_changed_where_the_policy_denies_edits(edited: oc.Turn, file: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "copy")
    with oc.replay(file, directory=project, permission="deny") as replay:
        turn = replay.prompt(EDIT)
    assert f"Not changed as recorded: {SOURCE}: the permission policy denies edits." in turn.state.replay
    assert "Documented" not in (project / SOURCE).read_text()


# --- from Python ------------------------------------------------------------------------------------------------------


def test_one_prompt_of_a_live_session_can_be_replayed(ai: oc.Opencode, file: Path, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue([text("From the model.")])
    session.prompt("Say something", record=file)
    asked = len(demo_model.requests)
    turn = session.prompt("Say something", replay=file)
    assert (turn.text, turn.provenance["replayed"], len(demo_model.requests)) == ("From the model.", True, asked)
    assert len(session.turns()) == 1  # the conversation of the server is as it was
    with pytest.raises(oc.OpencodeError, match=r"recorded 1 time in .*, and was asked once more"):
        session.prompt("Say something", replay=file)


def test_a_replay_streams_lists_its_turns_and_refuses_what_needs_a_server(ai: oc.Opencode, file: Path) -> None:
    ai.ask("Say exactly: hello", record=file)
    ai.session().command("init", record=file)
    with oc.replay(file) as replay:
        assert [turn.prompt for turn in replay.turns][:1] == ["Say exactly: hello"]
        assert "".join(replay.ask_stream("Say exactly: hello")) == "hello"
        session = replay.session("Mine")
        assert session.command("init").provenance["replayed"]
        assert session.messages()[0]["info"]["role"] == "user"
        for refused in (
            replay.models,
            session.compact,
            lambda: replay.client,
            lambda: session.shell("ls"),
            session.fork,
        ):
            with pytest.raises(oc.OpencodeError, match="This is a replay of"):
                refused()


def test_of_a_prompt_that_was_sent_again_the_last_turn_is_played(
    ai: oc.Opencode, file: Path, demo_model: DemoModel
) -> None:
    demo_model.queue(error(418, "I'm a teapot"), text("Here."))
    ai.ask("Brew", record=file, retry=oc.Retry(1, base=0, on=oc.TurnError))
    with oc.replay(file) as replay:
        assert [turn.text for turn in replay.turns] == ["Here."]
        assert replay.prompt("Brew").text == "Here."
        with pytest.raises(oc.OpencodeError, match="recorded 1 time in"):
            replay.prompt("Brew")


def test_a_turn_is_not_sent_if_it_cannot_be_recorded(ai: oc.Opencode, tmp_path: Path, demo_model: DemoModel) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for place, failure in ((tmp_path / "notes.txt", oc.OpencodeError), (tmp_path / "no" / "folder", OSError)):
        with pytest.raises(failure):
            ai.ask("Say exactly: hello", record=place)
    assert demo_model.requests == []


def test_secrets_of_a_turn_are_not_recorded(
    ai: oc.Opencode, file: Path, server: Any, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "tok-81723-elephant")
    turn = ai.ask("Run `echo tok-81723-elephant; echo $OPENCODE_SERVER_PASSWORD`", record=file)
    assert "elephant" in turn.tools[0].output
    assert os.stat(file).st_size > 1000  # noqa: PTH116
    assert not [secret for secret in ("elephant", server.password) if secret in file.read_text()]
