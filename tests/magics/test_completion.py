"""Tab in a real shell, against a real server."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.magics.completion import IN_TERMINAL
from opencode_nb.server.binary import versions_directory
from opencode_nb.session.permissions.rules import MODES
from tests.magics.conftest import RunCell

Complete = Callable[..., list[str]]

LONGEST = 2 * IN_TERMINAL + 20
"""Seconds that one Tab may take on however busy a machine, while a server starts."""


@pytest.fixture(params=[False, True], ids=["no jedi", "jedi"])
def complete(shell: InteractiveShell, request: pytest.FixtureRequest) -> Complete:
    """Return the completions at the end of `before`, as the resulting text."""
    shell.Completer.use_jedi = request.param

    def complete_(before: str, after: str = "") -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(before + after, len(before)))
        return [before[: item.start].rsplit("\n", 1)[-1] + item.text for item in found]

    return complete_


PRESSES = 60
"""Times to press Tab until a server that starts is ready: each waits for it for some seconds."""


def test_tab_starts_the_server_and_never_waits_long_for_it(complete: Complete, run_cell: RunCell) -> None:
    run_cell("%opencode stop")
    assert complete("%%prompt --mod") == ["%%prompt --model"]
    assert set(complete("%opencode st")) == {"%opencode start", "%opencode stop", "%opencode status"}
    assert complete("%%prompt\nplain prose ") == []
    assert "not running" in run_cell("%opencode status").printed
    began = time.monotonic()
    offers = complete("%%prompt -m d")
    assert time.monotonic() - began < LONGEST
    for _press in range(PRESSES):
        offers = offers or complete("%%prompt -m d")
    assert "%%prompt -m demo/demo" in offers
    assert "is not running" not in run_cell("%opencode status").printed


def test_tab_without_a_server_offers_what_it_knows(
    run_cell: RunCell, complete: Complete, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cell("%opencode stop")
    shell.user_ns["frame"] = 1
    monkeypatch.setenv("OPENCODE_NB_BINARY", "/no/such/program")
    assert complete("%%prompt -m ") == []
    assert complete("%%prompt\n/") == []
    assert complete("%%prompt\nlook at @src/te") == ["look at @src/temperatures.py"]
    assert complete("%%prompt\nlook at @fra") == ["look at @frame"]


def test_tab_offers_options_and_their_values(complete: Complete, run_cell: RunCell) -> None:
    run_cell("%opencode new To be completed")
    rules = {f"%%prompt --permission {rule}" for rule in MODES}
    assert set(complete("%%prompt --permission ")) == rules
    assert "%%prompt -m demo/demo" in complete("%%prompt -m d")
    assert complete("%%prompt --new -a pl", "\nWrite a test") == ["%%prompt --new -a plan"]
    assert len(complete("%%prompt -s ses_")) >= 1
    assert all(offer.startswith("%%prompt -s ses_") for offer in complete("%%prompt -s "))
    assert complete("%%prompt -m gpt-5") == ["%%prompt -m demo/demo-gpt-5"]
    assert complete("%%prompt -m demo/no-such") == []
    assert complete("x = %prompt --permission de") == ["x = %prompt --permission deny"]
    assert set(complete("%%prompt --cells ")) == {"%%prompt --cells card", "%%prompt --cells below"}
    run_cell("1 + 1")
    assert complete("%opencode explain Ou")[0].startswith("%opencode explain Out[")


def test_tab_shows_the_titles_of_sessions_and_finds_by_them(
    shell: InteractiveShell, complete: Complete, run_cell: RunCell
) -> None:
    winter = run_cell("%opencode new Winter report").printed.split()[2]
    run_cell("%opencode new Summer")
    for line in ("%%prompt -s ", "%prompt -q -s ", "%opencode use "):
        with provisionalcompleter():
            found = list(shell.Completer.completions(line, len(line)))
        assert [(one.text, one.type) for one in found if one.text == winter] == [
            (winter, "Winter\N{NO-BREAK SPACE}report")
        ]
        assert found[0].type == "Summer", "the newest comes first"
        assert complete(f"{line}winter")[0] == f"{line}{winter}"
        assert complete(f"{line}no such title") == []


def test_tab_offers_files(complete: Complete) -> None:
    assert complete("%%prompt -f src/t") == ["%%prompt -f src/temperatures.py"]
    assert complete("%%prompt -f REA") == ["%%prompt -f README.md"]
    assert complete("%%prompt -f sr") == ["%%prompt -f src/"]
    assert "%%prompt -f .git/" not in complete("%%prompt -f ")


def test_tab_escapes_spaces_in_file_names(complete: Complete, run_cell: RunCell) -> None:
    run_cell("from pathlib import Path; Path('two words.txt').write_text('Two.')")
    assert complete("%%prompt -f tw") == ["%%prompt -f two\\ words.txt"]
    assert complete("%%prompt -f two\\ wo") == ["%%prompt -f two\\ words.txt"]


def test_tab_offers_subcommands(complete: Complete, run_cell: RunCell) -> None:
    assert complete("%opencode start --de") == ["%opencode start --demo"]
    assert "%opencode start -m demo/demo" in complete("%opencode start -m ")
    assert complete("%opencode help pro") == ["%opencode help prompt"]
    assert all(offer.startswith("%opencode use ses_") for offer in complete("%opencode use "))
    assert complete("x = 1\n%opencode und") == ["%opencode undo"]


def test_tab_offers_installed_versions(
    complete: Complete, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    assert not [offer for offer in complete("%opencode install --remove ") if "1.2" in offer]
    for version in ("1.20.0", "1.21.0"):
        (versions_directory() / version).mkdir(parents=True)
    assert complete("%opencode install --rem") == ["%opencode install --remove"]
    assert set(complete("%opencode install --remove ")) == {f"%opencode install --remove 1.2{n}.0" for n in (0, 1)}
    assert complete("%opencode start --binary 1.20") == ["%opencode start --binary 1.20.0"]
    assert complete("%opencode start --binary src/t") == ["%opencode start --binary src/temperatures.py"]
    assert set(complete("%opencode start --ow")) == {"%opencode start --own"}


@pytest.mark.parametrize(
    "begin", ["%%prompt\n", "%%prompt -q\nfirst line\n", "%%prompt -q ", "%prompt ", "x = %prompt "]
)
def test_tab_in_a_prompt_offers_what_the_panel_does(
    complete: Complete, shell: InteractiveShell, run_cell: RunCell, begin: str
) -> None:
    shell.user_ns["frame"] = 1
    run_cell("from pathlib import Path; Path('two words.txt').write_text('Two.')")
    last = begin.rpartition("\n")[2]
    assert f"{last}look at @src/temperatures.py" in complete(f"{begin}look at @src/te", " and more")
    assert f"{last}look at @src/temperatures.py" in complete(f"{begin}look at @tempera")
    assert f'{last}look at @"two words.txt"' in complete(f"{begin}look at @two")
    assert f'{last}look at @"two words.txt"' in complete(f'{begin}look at @"two wo')
    assert complete(f"{begin}(@fra") == [f"{last}(@frame"]
    assert f"{last}ask @explore" in complete(f"{begin}ask @expl")
    for prose in ("fra", "look at fra", "import o", "a.b", "me@example.or", "look /ini", "pri", "x = [", "shell.user_"):
        assert complete(f"{begin}{prose}") == []


@pytest.mark.parametrize("begin", ["%%prompt\n", "%%prompt -q\n\n", "%%prompt -q ", "%prompt "])
def test_tab_offers_commands_at_the_beginning_of_a_prompt(complete: Complete, run_cell: RunCell, begin: str) -> None:
    run_cell("%opencode status")
    last = begin.rpartition("\n")[2]
    assert complete(f"{begin}/ini") == [f"{last}/init"]
    assert complete(f"{begin}text\n/ini") == []


def test_a_shell_command_is_completed_by_ipython(complete: Complete) -> None:
    assert "!cat README.md" in complete("%%prompt\n!cat READ")


def test_python_completion_is_unchanged(complete: Complete, shell: InteractiveShell) -> None:
    shell.user_ns["a_long_name"] = 1
    for before in ("a_long_n", "%opencode status\na_long_n", "x = %prompt hi\ny = a_long_n", "%%time\na_long_n"):
        assert any(offer.endswith("a_long_name") for offer in complete(before))
    assert complete("%opencode rename a_long_n") == []
