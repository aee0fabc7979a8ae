"""The file of a recording, and how a turn is found in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.diffs.change import Change, known
from opencode_nb.errors import OpencodeError
from opencode_nb.recording import store
from opencode_nb.recording.asked import asked
from opencode_nb.recording.recording import Recording
from opencode_nb.secret import MASK
from tests.recording.support import add, question

TOKEN = "tok-81723-elephant"  # what must not be in the file


def prompts(recording: Recording) -> list[tuple[str, int]]:
    return [(turn.prompt, turn.occurrence) for turn in recording.turns()]


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_only(file: Path) -> None:
    add(Recording(file), "Say hello")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_line_cut_in_the_middle_loses_its_own_turn_only(file: Path) -> None:
    recording = Recording(file)
    add(recording, "One")
    add(recording, "Two")
    file.write_bytes(file.read_bytes()[:-100])  # a kernel was killed here
    add(Recording(file), "Three")
    assert prompts(Recording(file)) == [("One", 1), ("Three", 1)]
    with pytest.raises(OpencodeError, match="1 damaged line in the file was left out"):
        Recording(file).next(question("Two"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps({"format": store.FORMAT, "version": 2}), "is a recording of version 2; .* Upgrade opencode_nb"),
        (json.dumps({"cells": []}), "is not a recording"),
        ("", "is not a recording"),
        (None, "There is no recording .*--record"),
    ],
    ids=["newer", "another file", "empty", "missing"],
)
def test_a_file_that_cannot_be_read_is_refused(file: Path, content: str | None, says: str) -> None:
    if content is not None:
        file.write_text(content)
    with pytest.raises(OpencodeError, match=says):
        Recording(file).turns()


@pytest.mark.parametrize("content", [json.dumps({"format": store.FORMAT, "version": 2}), "x = 1\n"])
def test_nothing_is_added_to_a_file_of_another_kind(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(OpencodeError):
        Recording(file).check_writable()
    assert file.read_text() == content


# --- finding a turn ---------------------------------------------------------------------------------------------------


def test_a_prompt_asked_again_is_another_occurrence(file: Path) -> None:
    recording = Recording(file)
    for name in ("markdown", "reasoning"):
        add(recording, "Say hello", name=name)
    replay = Recording(file)
    assert [replay.next(question("Say hello")).occurrence for _ in range(2)] == [1, 2]
    with pytest.raises(OpencodeError, match=r"'Say hello' is recorded 2 times in .*, and was asked once more"):
        replay.next(question("Say hello"))


def test_a_later_run_replaces_what_it_asks_again(file: Path) -> None:
    for name in ("markdown", "reasoning"):
        add(Recording(file), "Say hello", name=name)
    (turn,) = Recording(file).turns()
    assert turn.turn["messages"][1]["parts"][1]["type"] == "reasoning"


def test_an_unknown_prompt_names_the_closest_and_the_way_out(file: Path) -> None:
    recording = Recording(file)
    for text in ("Draw a plot", "Say hello to the world"):
        add(recording, text)
    with pytest.raises(OpencodeError) as caught:
        recording.next(question("Say hello to the moon"))
    said = str(caught.value)
    assert "'Say hello to the moon' is not recorded in turns.jsonl" in said
    assert "closest that is recorded: 'Say hello to the world'" in said
    assert f"--record {file}" in said


def parts(directory: Path, text: str = "Look at it", **more: Any) -> list[dict[str, Any]]:
    data = directory / "data.csv"
    attached = {"type": "file", "filename": "data.csv", "mime": "text/plain", "url": data.as_uri()}
    return [{"type": "text", "text": text, **more}, attached]


def test_a_prompt_is_found_wherever_its_directory_is(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "data.csv").write_text("a,b\n")
        keys.append(asked(parts(directory, f"Look at {directory}/data.csv"), directory).key)
    assert keys[0] == keys[1]


def test_a_prompt_is_another_with_another_attachment_or_value(tmp_path: Path) -> None:
    def key(*more: dict[str, Any]) -> str:
        return asked([*parts(tmp_path), *more], tmp_path).key

    def value(text: str, kind: str = "DataFrame") -> dict[str, Any]:
        told = {"opencode_nb": {"variable": "df", "kind": kind}}
        return {"type": "text", "synthetic": True, "text": text, "metadata": told}

    (tmp_path / "data.csv").write_text("a,b\n")
    plain, described = key(), key(value("3 rows at 0x7f0000000001"))
    assert len({plain, described, key(value("4 rows at 0x7f0000000001"))}) == 3
    assert key(value("3 rows at 0x7f9999999999")) == described
    assert key(value("x was set", "in the kernel")) == plain  # what happened meanwhile is no part of the question
    (tmp_path / "data.csv").write_text("a,b,c\n")
    assert key() != plain


# --- secrets and files ------------------------------------------------------------------------------------------------


def test_secrets_are_not_in_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "key-55512-giraffe")
    recording = Recording(file)
    text = f"Use {TOKEN}, key-55512-giraffe and password='hunter2secret'"
    change = Change("a.txt", None, known(f"token {TOKEN}\n".encode()))
    add(recording, text, change, secrets=[TOKEN])
    written = file.read_text()
    assert not [secret for secret in (TOKEN, "giraffe", "hunter2secret") if secret in written]
    (turn,) = recording.turns()
    assert turn.prompt.count(MASK) == 3
    assert "holds secrets" in turn.changes[0].unknown
    assert MASK in turn.changes[0].patch


@pytest.mark.parametrize("path", ["/etc/passwd", "../above.txt", ".git/hooks/pre-commit", "sub/.git/config"])
def test_a_recording_changes_nothing_outside_of_the_project(file: Path, path: str) -> None:
    add(Recording(file), "Write", Change(path, None, known(b"x")))
    (change,) = Recording(file).turns()[0].changes
    assert change.after is None
    assert "outside of the project" in change.unknown


def test_a_file_that_is_no_text_is_kept_byte_for_byte(file: Path) -> None:
    before, after = b"\x00\xff\xfe", b"\xff" * 10
    add(Recording(file), "Draw", Change("a.bin", known(before), known(after, "100755")))
    (change,) = Recording(file).turns()[0].changes
    assert change.before is not None
    assert change.after is not None
    assert (change.before.read(), change.after.read(), change.after.mode) == (before, after, "100755")


@pytest.mark.parametrize(("name", "ran"), [("nb1a2b3c4d_python", True), ("nb1a2b3c4d_inspect", False), ("bash", False)])
def test_code_of_the_kernel_is_known(file: Path, name: str, ran: bool) -> None:
    """It is not run again, and the turn says so."""
    recording = Recording(file)
    add(recording, "Run", name="bash_failing")
    (turn,) = recording.turns()
    for part in turn.parts():
        if part.get("type") == "tool":
            part["tool"] = name
    assert turn.ran_code is ran
