"""Tab in a real shell, against a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.server.binary import versions_directory
from tests.magics.conftest import RunCell

Complete = Callable[..., list[str]]


@pytest.fixture(params=[False, True], ids=["no jedi", "jedi"])
def complete(shell: InteractiveShell, request: pytest.FixtureRequest) -> Complete:
    """Return the completions at the end of `before`, as the resulting text."""
    shell.Completer.use_jedi = request.param

    def complete_(before: str, after: str = "") -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(before + after, len(before)))
        return [before[: item.start].rsplit("\n", 1)[-1] + item.text for item in found]

    return complete_


def test_tab_starts_no_server(complete: Complete, run_cell: RunCell) -> None:
    assert complete("%%prompt --mod") == ["%%prompt --model"]
    assert set(complete("%opencode st")) == {"%opencode start", "%opencode stop", "%opencode status"}
    for line in ("%%prompt -m ", "%%prompt -a ", "%%prompt -s ", "%opencode use "):
        assert not [offer for offer in complete(line) if "demo" in offer or "ses_" in offer]
    assert "not running" in run_cell("%opencode status").printed


def test_tab_offers_options_and_their_values(complete: Complete, run_cell: RunCell) -> None:
    run_cell("%opencode new To be completed")
    rules = {f"%%prompt --permission {rule}" for rule in ("ask", "allow", "deny")}
    assert set(complete("%%prompt --permission ")) == rules
    assert "%%prompt -m demo/demo" in complete("%%prompt -m d")
    assert complete("%%prompt --new -a pl", "\nWrite a test") == ["%%prompt --new -a plan"]
    assert len(complete("%%prompt -s ses_")) >= 1
    assert all(offer.startswith("%%prompt -s ses_") for offer in complete("%%prompt -s "))
    assert complete("%%prompt -m demo/no-such") == []


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


def test_python_completion_is_unchanged(complete: Complete, shell: InteractiveShell) -> None:
    shell.user_ns["a_long_name"] = 1
    assert "a_long_name" in complete("a_long_n")
    assert "a_long_name" in complete("%%prompt\na_long_n")
