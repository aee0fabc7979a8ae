"""Prompts on the line of %%prompt and %prompt, and what people mistype there, in a real shell on a real server."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.demo import DemoModel
from tests.magics.conftest import RunCell

STEP = 30
"""Seconds for a background turn to end; usually it takes a tenth of one."""


@pytest.fixture(autouse=True)
def new_session(run_cell: RunCell) -> None:
    """Start each test in its own session."""
    run_cell("%opencode new")


def sent(model: DemoModel) -> str:
    """Return the last prompt that the model received."""
    (*_, last) = [one["content"] for one in model.requests[-1]["messages"] if one["role"] == "user"]
    return last if isinstance(last, str) else str(last[0]["text"])


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        ("%%prompt Say exactly: one, don't ask why?", "Say exactly: one, don't ask why?"),
        ("%%prompt -q Say exactly: one\n\n", "Say exactly: one"),
        ("%%prompt -m demo/demo Say exactly: one\nand two", "Say exactly: one\nand two"),
        ("%%prompt fix the -x flag?\n\n  indented", "fix the -x flag?\n\n  indented"),
        ("%prompt Say exactly: one, don't ask why?", "Say exactly: one, don't ask why?"),
        ("%prompt -q -m demo/demo what is {this}, $HOME?", "what is {this}, $HOME?"),
        ("%prompt -- -q is an option", "-q is an option"),
        ("prompt Say exactly: without a percent sign", "Say exactly: without a percent sign"),
        ("x = 1\nif x:\n    %prompt Say exactly: nested?", "Say exactly: nested?"),
    ],
)
def test_a_prompt_on_the_magics_line_is_sent(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, cell: str, prompt: str
) -> None:
    assert run_cell(cell).error is None
    assert sent(demo_model) == prompt
    assert shell.user_ns["_"].prompt == prompt


def test_an_option_after_the_text_is_reported_as_text(run_cell: RunCell, demo_model: DemoModel) -> None:
    printed = run_cell("%%prompt Say exactly: hi -m demo/demo").printed
    assert printed.startswith("-m demo/demo is sent as text: options come before the prompt.\n")
    assert sent(demo_model) == "Say exactly: hi -m demo/demo"


def test_a_lone_line_is_the_cells_value_and_shown_once(run_cell: RunCell, shell: InteractiveShell) -> None:
    for cell in (
        "%prompt Say exactly: a rare word",
        "%%prompt Say exactly: a rare word",
        "prompt Say exactly: a rare word",
    ):
        assert run_cell(cell).printed.count("a rare word") == 1
        assert shell.user_ns["Out"][shell.execution_count - 1] is shell.user_ns["_"]


def test_a_line_among_others_gives_its_turn(run_cell: RunCell, shell: InteractiveShell) -> None:
    cell = run_cell(
        "print('before')\nx = %prompt -o kept Say exactly: first word\ny = 2\n%prompt Say exactly: second word"
    )
    assert cell.error is None
    assert [cell.printed.count(text) for text in ("before", "first word", "second word")] == [1, 1, 1]
    assert shell.user_ns["x"] is shell.user_ns["kept"]
    assert (shell.user_ns["x"].text, shell.user_ns["_"].text) == ("first word", "second word")
    run_cell("turns = []\nfor n in range(2):\n    turn = %prompt -q Say exactly: again\n    turns.append(turn)")
    assert [turn.text for turn in shell.user_ns["turns"]] == ["again", "again"]
    assert run_cell("%time\nx = %prompt -q Say exactly: timed").error is None


def test_a_line_in_the_background_gives_its_turn(run_cell: RunCell, shell: InteractiveShell) -> None:
    assert run_cell("x = %prompt -b Say exactly: later").error is None
    assert shell.user_ns["x"].wait(STEP).text == "later"


def test_a_failed_line_ends_the_cell(run_cell: RunCell, shell: InteractiveShell) -> None:
    cell = run_cell("%prompt Fail with a provider error 400\nafterwards = 1")
    assert cell.printed.rstrip().splitlines()[-1].startswith("TurnError: ")
    assert "Traceback" not in cell.printed
    assert "afterwards" not in shell.user_ns


@pytest.mark.parametrize("title", ["What is this?", "What's this??", "two  words", "a = %prompt b?", "?help"])
def test_a_title_is_taken_as_written(run_cell: RunCell, title: str) -> None:
    run_cell("%opencode new")
    cell = run_cell(f"%opencode rename {title}")
    assert cell.error is None
    assert cell.printed.rstrip("\n").endswith(" ".join(title.split()))


@pytest.mark.parametrize(
    "line", ["%opencode rename?", "%opencode rename ?", "%opencode rename??", "%opencode help rename?"]
)
def test_a_question_mark_after_a_subcommand_shows_its_help(run_cell: RunCell, line: str) -> None:
    cell = run_cell(line)
    assert (cell.error, "usage: %opencode rename TITLE" in cell.printed) == (None, True)


def test_a_question_mark_after_a_magic_shows_its_help(run_cell: RunCell, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("IPython.core.page.page", lambda text, *_args, **_kwargs: shown.append(str(text)))
    for line in ("%%prompt?", "%prompt?", "%opencode?"):
        assert run_cell(line).error is None
    assert len(shown) == 3
    assert all("--model" in text for text in shown[:2])
    assert "rename" in run_cell("%opencode ?").printed


def test_a_model_without_its_provider_is_found_and_named(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%prompt -q\nSay exactly: announced")
    assert "Model: demo/demo-gpt-5 (" in run_cell("%%prompt -m demo-gpt-5 Say exactly: hi").printed
    assert shell.user_ns["_"].model == "demo/demo-gpt-5"
    assert "Model:" not in run_cell("%%prompt -m demo/demo-gpt-5 Say exactly: hi").printed


def test_a_mistyped_session_is_suggested(run_cell: RunCell) -> None:
    first = run_cell("%opencode new Harvest of winter wheat").printed.split()[2]
    second = run_cell("%opencode new Harvest of winter barley").printed.split()[2]
    assert "Did you mean 'Harvest of winter wheat'" in run_cell("%opencode use Harvest of wintre wheat").printed
    printed = run_cell("%%prompt -s 'harvest of' hi").printed
    assert "2 sessions match 'harvest of': " in printed
    assert f"{first} Harvest of winter wheat" in printed
    assert f"{second} Harvest of winter barley" in printed
