"""The model, agent, variant and effort of prompts: shown, chosen and completed, in a real shell with a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.demo import DemoModel
from opencode_nb.magics.workspace import Workspace, workspace_of
from tests.conftest import make_project
from tests.magics.conftest import RunCell

HELLO = "Say exactly: hello"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose configuration has a model without variants, which takes text alone, and an agent that uses it."""
    project = make_project(tmp_path_factory.mktemp("choosing") / "project")
    plain = {"modalities": {"input": ["text"], "output": ["text"]}}
    agent = {"mode": "primary", "model": "demo/plain", "prompt": "Be brief."}
    config = {"provider": {"demo": {"models": {"plain": plain}}}, "agent": {"brief": agent}}
    (project / "opencode.json").write_text(json.dumps(config))
    return project


@pytest.fixture(autouse=True)
def workspace(shell: InteractiveShell) -> Workspace:
    """Begin without a session and without choices."""
    workspace = workspace_of(shell)
    workspace.session = None
    workspace.prefer(model=None, agent=None, variant=None, effort=None)
    return workspace


def asked(model: DemoModel) -> tuple[str, str | None]:
    """Return the model and the effort of the last request."""
    return model.requests[-1]["model"], model.requests[-1].get("reasoning_effort")


def test_a_choice_before_the_first_prompt_is_for_that_prompt(
    run_cell: RunCell, demo_model: DemoModel, workspace: Workspace
) -> None:
    shown = run_cell("%opencode model").printed
    assert shown == "Model: demo/demo (from your OpenCode configuration)\n"
    assert run_cell("%opencode agent").printed == "Agent: build (OpenCode's default)\n"
    assert run_cell("%opencode variant").printed == (
        "Variant: the own default of demo/demo\ndemo/demo has low, medium, high.\n"
    )
    assert run_cell("%opencode model demo/demo/high").printed == "Model: demo/demo/high (your choice)\n"
    assert workspace.session is None
    run_cell(f"%%prompt -o turn\n{HELLO}")
    assert asked(demo_model) == ("demo", "high")


def test_a_choice_in_a_session_is_for_that_session(
    run_cell: RunCell, demo_model: DemoModel, workspace: Workspace
) -> None:
    workspace.new()
    assert run_cell("%opencode variant high").printed.startswith("Variant: high (chosen for this session)\n")
    assert run_cell("%opencode agent pla").printed == "Agent: plan (chosen for this session)\n"
    run_cell(f"%%prompt\n{HELLO}")
    assert asked(demo_model) == ("demo", "high")
    assert run_cell("%opencode variant default").printed.startswith("Variant: the own default of demo/demo\n")
    assert run_cell("%opencode agent brief").printed == "Agent: brief (chosen for this session)\n"
    assert run_cell("%opencode model").printed == "Model: demo/plain (the agent's own)\n"
    assert run_cell("%opencode model demo/demo/low").printed == "Model: demo/demo/low (chosen for this session)\n"
    assert run_cell("%opencode variant").printed.startswith("Variant: low (from the model's name)\n")
    workspace.new()
    assert run_cell("%opencode model").printed == "Model: demo/demo (from your OpenCode configuration)\n"


def test_a_setting_is_named_as_the_origin(run_cell: RunCell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_NB_MODEL", "demo")
    monkeypatch.setenv("OPENCODE_NB_EFFORT", "max")
    assert run_cell("%opencode model").printed == "Model: demo/demo ($OPENCODE_NB_MODEL)\n"
    assert run_cell("%opencode variant").printed.startswith("Variant: high (for effort max ($OPENCODE_NB_EFFORT))\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%opencode model demo/dmeo", "There is no model demo/dmeo here. Did you mean demo/demo or"),
        ("%opencode model demo/demo/hihg", "demo/demo has no variant 'hihg'. Did you mean high?"),
        ("%opencode agent biuld", "There is no agent biuld. Did you mean build?"),
        ("%opencode variant hihg", "There is no variant hihg. Did you mean high?"),
        ("%%prompt --effort hi\nhello", "argument --effort: invalid choice: 'hi'"),
        ("%%prompt --variant hihg\nhello", "demo/demo has no variant 'hihg'. Did you mean high?"),
        ("%%prompt -m demo/plain -i plot.png\nhello", "demo/plain does not take images: leave plot.png out or use"),
    ],
)
def test_a_mistake_names_what_was_meant_and_sends_nothing(
    run_cell: RunCell, demo_model: DemoModel, work: Path, line: str, says: str
) -> None:
    (work / "plot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert says in run_cell(line).printed
    assert demo_model.requests == []


def test_an_effort_that_has_no_effect_is_said_once(run_cell: RunCell, demo_model: DemoModel) -> None:
    said = "demo/plain has no variants: effort=high has no effect on it.\n"
    assert said in run_cell(f"%%prompt -m demo/plain --effort high\n{HELLO}").printed
    assert said not in run_cell(f"%%prompt -m demo/plain --effort high\n{HELLO}").printed
    run_cell(f"%%prompt -m demo/demo --effort max\n{HELLO}")
    assert asked(demo_model) == ("demo", "high")


def test_tab_offers_models_agents_variants_and_efforts(shell: InteractiveShell, run_cell: RunCell) -> None:
    run_cell("%opencode model")  # the server is there
    for line, offers in (
        ("%opencode model demo/pl", ["demo/plain"]),
        ("%opencode agent bri", ["brief"]),
        ("%opencode variant ", ["low", "medium", "high"]),
        ("%%prompt --variant h", ["high"]),
        ("%%prompt --effort m", ["medium", "max"]),
    ):
        with provisionalcompleter():
            found = [one.text for one in shell.Completer.completions(line, len(line))]
        assert found == offers, line
