"""Who answered is kept on disk: whole, within bounds, and without failing on what else is in the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from opencode_nb.session.permissions import answered
from opencode_nb.transcript.state import BY_APPROVAL, ELSEWHERE, Decision, TurnState

BASH = {"id": "per_1", "sessionID": "ses_1", "permission": "bash", "always": ["ls *"], "tool": {"callID": "c"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "opencode_nb" / "answers"


def turn(name: str, *decisions: Decision, session: str = "ses_1") -> TurnState:
    return TurnState(name, session, decisions=list(decisions))


def test_what_the_cards_show_comes_back_and_the_diff_is_not_kept(folder: Path) -> None:
    child = turn("msg_2", Decision({**BASH, "id": "per_2"}, "once", "policy"), session="ses_2")
    made = Decision({**BASH, "metadata": {"diff": "+secret"}}, "reject", "you", "use uv")
    state = turn("msg_1", made, Decision({**BASH, "id": "per_3"}, "once", ELSEWHERE))
    state.approved.append({**BASH, "id": "per_4"})
    state.waits["per_1"] = ("c", (1.0, 2.5))
    state.children["ses_2"] = [child]
    answered.keep(state)
    known = answered.read("ses_1")
    assert known["msg_1"]["decisions"] == [Decision(BASH, "reject", "you", "use uv")]
    assert known["msg_1"]["approved"] == [{**BASH, "id": "per_4"}]
    assert known["msg_1"]["waits"] == {"per_1": ("c", (1.0, 2.5))}
    assert known["msg_2"]["decisions"] == [Decision({**BASH, "id": "per_2"}, "once", "policy")]
    assert (folder / "ses_1.jsonl").stat().st_mode & 0o077 == 0
    answered.forget("ses_1")
    assert answered.read("ses_1") == {}


def test_answers_of_two_processes_to_one_turn_are_joined() -> None:
    answered.keep(turn("msg_1", Decision(BASH, "once", "you")))
    answered.keep(turn("msg_1", Decision({**BASH, "id": "per_2"}, "reject", "you")))
    (known,) = answered.read("ses_1").values()
    assert [(made.request["id"], made.reply) for made in known["decisions"]] == [("per_1", "once"), ("per_2", "reject")]


def test_a_turn_that_nobody_was_asked_about_writes_nothing(folder: Path) -> None:
    answered.keep(turn("msg_1", Decision(BASH, "once", ELSEWHERE)))
    assert not folder.exists()


def test_files_and_their_number_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answered, "MOST_SESSIONS", 2)
    monkeypatch.setattr(answered, "MOST_BYTES", 1000)
    for number in range(30):
        answered.keep(turn(f"msg_{number}", Decision(BASH, "once", BY_APPROVAL)))
    known = answered.read("ses_1")
    assert "msg_29" in known
    assert len(known) < 15
    for session in ("ses_2", "ses_3"):
        answered.keep(turn("msg_1", Decision(BASH, "once", "you"), session=session))
    assert len(list(folder.glob("*.jsonl"))) == 2


@pytest.mark.parametrize("session", ["../../outside", "", "ses_" + "x" * 300])
def test_a_strange_session_id_stays_in_the_folder(folder: Path, session: str) -> None:
    answered.keep(turn("msg_1", Decision(BASH, "once", "you"), session=session))
    assert [file.name for file in folder.iterdir()] == ["other.jsonl"]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\xff\xfe", b"null", b"[1]", b'{"turn": "msg_1"}', b"[" * 100_000),
        b'{"turn": "msg_1", "decisions": [[1]], "approved": [], "waits": {}}',
        b'{"turn": "msg_1", "decisions": [], "approved": [3], "waits": {}}',
        b'{"turn": "msg_1", "decisions": [], "approved": [], "waits": []}',
        b'{"turn": "msg_1", "decisions": [], "approved": [], "waits": {"per_1": ["c", [1]]}}',
    ],
)
def test_a_broken_line_hides_no_other(folder: Path, line: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "ses_1.jsonl").write_bytes(line + b"\n")
    answered.keep(turn("msg_1", Decision(BASH, "once", "you")))
    assert answered.read("ses_1")["msg_1"]["decisions"] == [Decision(BASH, "once", "you")]
