"""Cells on their way into IPython: prose reaches the magics as it was written, and everything else is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.magics.input import Rewriting


def untouched() -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    return InteractiveShell(config=config)


@pytest.fixture
def plain() -> Iterator[InteractiveShell]:
    """A shell that rewrites cells, but has no magics of ours: nothing is sent."""
    shell = untouched()
    rewriting = Rewriting(shell)
    rewriting.begin()
    yield shell
    rewriting.end()


def calls(shell: InteractiveShell, cell: str) -> list[tuple[str, str]]:
    """Return the line magics that a cell calls, with their lines."""
    found = re.findall(r"run_line_magic\('(\w+)', (.*)\)$", shell.transform_cell(cell), re.MULTILINE)
    return [(name, eval(text)) for name, text in found]


@pytest.mark.parametrize(
    "text",
    [
        "fix the bug",
        "what is this?",
        "what is this??",
        "what is `x`?",
        "don't panic",
        "don't panic, will you?",
        'say "hello',
        "smile :( and go?",
        "'''",
        "{1 + 1} $HOME %time !ls",
        "a = %prompt b?",
        "-m a/b --new fix?",
        "/review this?",
        "Ünïcödé 日本語 🎉?",
    ],
)
def test_a_line_is_sent_as_written(plain: InteractiveShell, text: str) -> None:
    for name in ("prompt", "opencode"):
        assert calls(plain, f"%{name} {text}") == [(name, text)]
        assert calls(plain, f"%{name}\t{text}") == [(name, text)]
        assert calls(plain, f"a = %{name} {text}") == [(name, text)]
        assert calls(plain, f"a[f(b=1)], c = %{name} {text}") == [(name, text)]
        nested = f"for x in range(3):\n    if x:\n        %{name} {text}\n%{name} {text}\ny = 1\n"
        assert calls(plain, nested) == [(name, text)] * 2


def test_a_backslash_continues_a_prompt_line(plain: InteractiveShell) -> None:
    ((name, text),) = calls(plain, "x = %prompt fix \\\n  the bug, \\\n  will you?\ny = 1")
    assert (name, text.split()) == ("prompt", ["fix", "the", "bug,", "will", "you?"])


@pytest.mark.parametrize("cell", ["%prompt?", "%prompt??", "%opencode?", "%%prompt?", "?%prompt", "x = 1\n%prompt?"])
def test_help_is_still_pythons(plain: InteractiveShell, cell: str) -> None:
    ((name, text),) = calls(plain, cell)
    assert name in ("pinfo", "pinfo2")
    assert text.lstrip("%") in ("prompt", "opencode")


@pytest.mark.parametrize(
    "cell",
    [
        "x = '%prompt what is this?'",
        's = """\n%prompt what is this?\n"""',
        "x = 5 % prompt",
        "f(a = 1)\nprompt = 2",
        "# %prompt what?",
        "%%bash\n%prompt what?",
        "%time x = 1",
        "!echo a = %prompt b",
        "x?",
    ],
)
def test_other_cells_are_left_alone(plain: InteractiveShell, cell: str) -> None:
    assert plain.transform_cell(cell) == untouched().transform_cell(cell)


@pytest.mark.parametrize("cell", ["%%prompt fix the bug", "%%prompt", "%%prompt -q\n", "\n\n  %%prompt what?"])
def test_a_lone_prompt_line_gets_a_body(plain: InteractiveShell, cell: str) -> None:
    assert plain.transform_cell(cell).rstrip().endswith(r"'\n')")
    for other in ("%%prompt\nfix", "%%prompts", "%%prompt?"):
        assert plain.transform_cell(other) == untouched().transform_cell(other)


def test_a_terminal_still_offers_a_second_line(plain: InteractiveShell) -> None:
    check = plain.input_transformer_manager.check_complete
    assert check("%%prompt -m a/b")[0] == "incomplete"
    assert check("%%prompt fix\n\n")[0] == "complete"
    assert check("%prompt don't panic")[0] == "complete"
    assert check("x = %prompt what is this?")[0] == "complete"


def test_nothing_is_left_behind(plain: InteractiveShell) -> None:
    def steps() -> list[int]:
        manager = plain.input_transformer_manager
        return [len(one) for one in (manager.cleanup_transforms, manager.token_transformers, plain.ast_transformers)]

    before = steps()
    again = Rewriting(plain)
    again.begin()
    assert steps() == [number + 1 for number in before]
    again.end()
    assert steps() == before
