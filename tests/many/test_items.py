"""What a map refuses before it sends anything, what its file keeps, and its bar. No server."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import opencode_nb as oc
from opencode_nb.many.items import read
from opencode_nb.many.progress import NoBar, progress_bar
from opencode_nb.many.resume import ResumeFile
from opencode_nb.render.counting import TerminalBar, counted


@pytest.mark.parametrize(
    ("prompts", "options", "error", "says"),
    [
        ("one text", {}, TypeError, "Give a list of prompts, not a str"),
        (["a", float("nan")], {}, TypeError, "Prompt 1: A prompt must be a str, not float"),
        (["a", []], {}, ValueError, "Prompt 1: The prompt has no blocks"),
        (["a"], {"tempo": 2}, TypeError, "unknown option 'tempo'"),
        (["a", ("b", {"wait": False})], {}, ValueError, "Prompt 1: .* leave out wait="),
        (["a", ("b", "c")], {}, TypeError, "Prompt 1: A tuple must be a prompt and a dict"),
        (["a", ("b",)], {}, TypeError, "Prompt 1: A tuple must be a prompt and a dict"),
        (["a"], {"concurrency": 0}, ValueError, "concurrency=0"),
        (["a"], {"session": "old"}, ValueError, "session='old'"),
        (["a"], {"session": "fork", "worktree": True}, ValueError, "leave out worktree="),
        (["a"], {"schema": int, "worktree": True}, ValueError, "which have no diff"),
        (["a"], {"executor": object(), "worktree": True}, ValueError, "leave out executor="),
        (["a"], {"ai": "demo"}, TypeError, "ai= must be an Opencode or a Session, not str"),
    ],
)
def test_a_wrong_map_is_refused_before_anything_starts(
    prompts: Any, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        oc.map(prompts, **options)


def test_an_agent_of_a_loop_is_sent_to_amap() -> None:
    with pytest.raises(TypeError, match=r"await oc\.amap"):
        oc.map(["a"], ai=oc.AsyncOpencode())  # type: ignore[arg-type]


def test_a_title_is_the_prompts_first_line_shortened() -> None:
    long, short = read(["word " * 40 + "\nsecond line", ("  Hello \n there", {"model": "a/b", "agent": None})], {})
    assert (len(long.title), long.title[-1], short.title) == (60, "…", "Hello")
    assert (short.index, dict(short.options)) == (1, {"model": "a/b"})


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_keeps_answers_for_the_user_only(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with ResumeFile(path) as file:
        file.sent(("k", 0), "ses_1")
        file.answered(("k", 0), {"data": 1})
        with pytest.raises(oc.OpencodeError, match="in use by another map"):
            ResumeFile(path)
    with ResumeFile(path) as file:
        assert (file.sessions, file.answers) == ({("k", 0): "ses_1"}, {("k", 0): {"data": 1}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_was_closed_writes_into_no_other(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "answers.jsonl")
    file.close()
    with (tmp_path / "other").open("w"), pytest.raises(OSError, match="Bad file descriptor"):
        file.answered(("k", 0), {"data": 1})
    assert (tmp_path / "other").read_text() == ""


@pytest.mark.parametrize("content", ["notes", '{"format": "opencode_nb recording", "version": 1}\n', "[]\n"])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other"
    path.write_text(content)
    with pytest.raises(oc.OpencodeError, match="is not a file of map"):
        ResumeFile(path)
    assert path.read_text() == content


@settings(deadline=None)  # each answer waits for the disk
@given(cut=st.integers(0, 200))
def test_a_file_cut_anywhere_keeps_its_whole_lines(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "answers.jsonl"
    with ResumeFile(path) as file:
        for number in range(3):
            file.answered((str(number), 0), {"data": number})
    whole = path.read_bytes()[:cut]
    path.write_bytes(whole)
    with ResumeFile(path) as file:
        assert len(file.answers) == max(0, whole.count(b"\n") - 1)
        file.answered(("new", 0), {"data": "later"})
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines][-1]["answer"] == {"data": "later"}


# --- the bar ----------------------------------------------------------------------------------------------------------


def test_a_bar_counts_what_is_done_and_what_failed() -> None:
    shown = io.StringIO()
    with TerminalBar(3, Console(file=shown, force_terminal=True, width=100)) as bar:
        bar.tell(False)
        with bar.aside():
            shown.write("Allow? ")
        bar.tell(True)
    assert "2/3" in shown.getvalue()
    assert "1 failed" in shown.getvalue()
    assert counted(1200, 0, 3000) == "1,200 of 3,000 prompts"


def test_there_is_no_bar_where_nobody_watches() -> None:
    with progress_bar(10) as bar:
        assert isinstance(bar, NoBar)


def test_a_pages_bar_leaves_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    from opencode_nb.widgets.counting import PageBar

    with PageBar(2) as bar, bar.aside():
        bar.tell(False)
        bar.tell(True)
    assert bar.line == "2 of 2 prompts, 1 failed"
