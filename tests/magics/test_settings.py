"""Defaults from ipython_config.py, %config and the environment, and their precedence, in a real shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError
from traitlets.config import Config

from opencode_nb.demo import DemoModel, tool
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.options import prompt_parser
from opencode_nb.magics.settings import VARIABLES, OpencodeMagics
from opencode_nb.magics.workspace import PASSWORD, Workspace
from opencode_nb.tools.privacy import Level
from tests.conftest import REPOSITORY
from tests.magics.conftest import RunCell


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, variable in VARIABLES.items():
        if name != "binary":  # names the program that the tests run
            monkeypatch.delenv(variable, raising=False)


# --- values and their order -------------------------------------------------------------------------------------------


def test_nothing_is_set_by_default() -> None:
    assert OpencodeMagics().options() == {}


def test_the_environment_is_read_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = OpencodeMagics()
    given: dict[str, tuple[str, Any]] = {
        "model": ("demo/one", "demo/one"),
        "agent": ("plan", "plan"),
        "variant": ("high", "high"),
        "effort": ("low", "low"),
        "permission": ('{"bash": "deny"}', {"bash": "deny"}),
        "timeout": ("1.5", 1.5),
        "max_cost": ("0.5", 0.5),
        "max_steps": ("20", 20),
        "directory": (str(tmp_path), str(tmp_path)),
        "shared": ("no", False),
        "base_url": ("http://127.0.0.1:4096", "http://127.0.0.1:4096"),
    }
    for name, (text, _) in given.items():
        monkeypatch.setenv(VARIABLES[name], text)
    assert settings.options() == {name: value for name, (_, value) in given.items()}
    monkeypatch.setenv("OPENCODE_NB_MODEL", "")
    assert "model" not in settings.options()


def test_the_privacy_level_and_the_kernel_are_no_options_of_opencode(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OpencodeMagics()
    assert (settings.privacy_level, settings.uses_kernel) == (Level.FULL, True)
    monkeypatch.setenv("OPENCODE_NB_PRIVACY", "schema")
    monkeypatch.setenv("OPENCODE_NB_KERNEL", "no")
    assert (settings.privacy_level, settings.uses_kernel) == (Level.SCHEMA, False)
    settings.privacy, settings.kernel = "names", True
    assert (settings.privacy_level, settings.uses_kernel) == (Level.NAMES, True)
    assert settings.options() == {}
    with pytest.raises(TraitError, match="'secret' is not a privacy level: use one of none, names"):
        settings.privacy = "secret"
    assert settings.place_of_code == "card"
    monkeypatch.setenv("OPENCODE_NB_CELLS", "below")
    assert (settings.place_of_code, settings.options()) == ("below", {})
    with pytest.raises(TraitError, match=r"'belwo' is no place for code\. Did you mean below\?"):
        settings.cells = "belwo"
    settings.privacy = None
    monkeypatch.setenv("OPENCODE_NB_PRIVACY", "everything")
    with pytest.raises(ValueError, match=r"\$OPENCODE_NB_PRIVACY: 'everything' is not a privacy level"):
        _ = settings.privacy_level


def test_a_trait_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_NB_MODEL", "demo/by-environment")
    settings = OpencodeMagics(config=Config({"OpencodeMagics": {"model": "demo/by-config"}}))
    assert settings.options() == {"model": "demo/by-config"}
    settings.model = None
    assert settings.options() == {"model": "demo/by-environment"}


def test_the_programs_variable_takes_precedence_over_its_trait(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OpencodeMagics(binary="/by/trait")
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    assert settings.options() == {"binary": "/by/trait"}
    monkeypatch.setenv("OPENCODE_NB_BINARY", "/by/environment")
    assert settings.options() == {}  # find_binary reads the variable


def test_start_options_take_precedence_over_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENCODE_NB_AGENT", "plan")
    monkeypatch.setenv("OPENCODE_NB_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(PASSWORD, "not shown")
    workspace = Workspace(OpencodeMagics(model="demo/by-trait", timeout=3))
    assert workspace.options["base_url"] == "http://127.0.0.1:1"
    assert "not shown" not in repr(vars(workspace) | vars(workspace.ai))
    workspace.configure(model="demo/by-start", shared=False, directory=tmp_path)
    assert workspace.options == {
        "model": "demo/by-start",
        "agent": "plan",
        "timeout": 3.0,
        "shared": False,
        "directory": tmp_path,
    }
    assert workspace.ai.directory == tmp_path
    with pytest.raises(ValueError, match="use one of ask, edits, plan, allow, deny"):
        workspace.configure(permission="wrong")
    assert workspace.options["model"] == "demo/by-start"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("permission", "maybe", "use one of ask, edits, plan, allow, deny"),
        ("permission", {"bash": "perhaps"}, "a rule is one of ask, allow, deny"),
        ("permission", {"edti": "deny"}, "Did you mean 'edit'?"),
        ("timeout", "soon", "'soon' is not a number of seconds above 0"),
        ("timeout", -1, "-1 is not a number of seconds above 0"),
        ("max_cost", "much", "'much' is not an amount in USD above 0"),
        ("max_cost", -1, "-1 is not an amount in USD above 0"),
        ("max_steps", "1.5", "'1.5' is not a whole number of model steps above 0"),
        ("directory", "/no/such/place", "directory /no/such/place does not exist"),
        ("base_url", "localhost:4096", "give one such as http://127.0.0.1:4096"),
        ("shared", "maybe", "expected a boolean"),
    ],
)
def test_invalid_values_are_refused_with_the_valid_ones(
    name: str, value: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = OpencodeMagics()
    with pytest.raises(TraitError, match=re.escape(says)):
        setattr(settings, name, value)
    assert settings.options() == {}
    if isinstance(value, str):
        monkeypatch.setenv(VARIABLES[name], value)
        says = "use 1 or 0" if name == "shared" else says
        with pytest.raises(ValueError, match=re.escape(f"${VARIABLES[name]}: ") + ".*" + re.escape(says)):
            settings.options()


def test_invalid_json_rules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_NB_PERMISSION", "{bash: deny}")
    with pytest.raises(ValueError, match=r"OPENCODE_NB_PERMISSION: .* is not JSON"):
        OpencodeMagics().options()
    monkeypatch.setenv("OPENCODE_NB_PERMISSION", '{"Bash": "deny"}')
    with pytest.raises(ValueError, match=r"OPENCODE_NB_PERMISSION: .* Did you mean 'bash'"):
        OpencodeMagics().options()


# --- in a shell -------------------------------------------------------------------------------------------------------


def test_config_takes_effect_with_the_next_prompt(
    run_cell: RunCell, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "OpencodeMagics" in run_cell("%config").printed
    shown = run_cell("%config OpencodeMagics").printed
    for name, variable in VARIABLES.items():
        assert f"OpencodeMagics.{name}=" in shown
        assert variable in shown
    run_cell("%%prompt -q\nSay exactly: by the configuration")
    session = shell.user_ns["_"].session.id
    assert shell.user_ns["_"].agent == "build"
    run_cell("%config OpencodeMagics.agent = 'plan'")
    run_cell("%%prompt -q\nSay exactly: by the trait")
    assert (shell.user_ns["_"].agent, shell.user_ns["_"].session.id) == ("plan", session)
    run_cell("%%prompt -q -a build\nSay exactly: by the cell's option")
    assert shell.user_ns["_"].agent == "build"
    monkeypatch.setenv("OPENCODE_NB_AGENT", "build")
    run_cell("%%prompt -q\nSay exactly: still by the trait")
    assert shell.user_ns["_"].agent == "plan"
    run_cell("%config OpencodeMagics.agent = None")
    run_cell("%%prompt -q\nSay exactly: by the environment")
    assert shell.user_ns["_"].agent == "build"


def test_start_options_take_precedence_over_config(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%config OpencodeMagics.agent = 'build'")
    run_cell("%opencode start -a plan")
    run_cell("%%prompt -q\nSay exactly: by start")
    assert shell.user_ns["_"].agent == "plan"
    run_cell("%opencode start")
    run_cell("%%prompt -q\nSay exactly: by the trait")
    assert shell.user_ns["_"].agent == "build"
    run_cell("%config OpencodeMagics.agent = None")


def test_permission_and_timeout_can_be_configured(run_cell: RunCell, shell: InteractiveShell, work: Path) -> None:
    run_cell("%config OpencodeMagics.permission = {'bash': 'deny'}")
    run_cell("%%prompt -q\nRun `touch denied-by-config`")
    assert not (work / "denied-by-config").exists()
    run_cell("%config OpencodeMagics.permission = 'allow'")
    run_cell("%%prompt -q\nRun `touch allowed-by-config`")
    assert (work / "allowed-by-config").exists()
    run_cell("%config OpencodeMagics.timeout = 0.5")
    late = run_cell("%%prompt -q --permission allow\nRun `sleep 60`")
    assert "TurnTimeoutError" in late.printed
    run_cell("%config OpencodeMagics.permission = None")
    run_cell("%config OpencodeMagics.timeout = None")


def test_a_limit_on_steps_can_be_configured_and_a_cell_may_change_it(run_cell: RunCell, demo_model: DemoModel) -> None:
    run_cell("%config OpencodeMagics.max_steps = 1")
    demo_model.queue([[tool("glob", pattern="*.py")]])
    assert "BudgetExceededError: Stopped at max_steps: 1 of 1 model steps" in run_cell("%%prompt -q\ngo").printed
    demo_model.queue([[tool("glob", pattern="*.py")], [tool("glob", pattern="*.md")]])
    assert run_cell("%%prompt -q --max-steps 5\ngo").error is None
    run_cell("%config OpencodeMagics.max_steps = None")


def test_wrong_settings_are_reported_and_change_nothing(
    run_cell: RunCell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_cell("%config OpencodeMagics.permission = 'maybe'")
    assert "use one of ask, edits, plan, allow, deny" in caplog.text  # IPython logs it, and logs are shown
    monkeypatch.setenv("OPENCODE_NB_MODEL", "gpt")
    wrong = run_cell("%%prompt\nhi")
    assert "ModelError: There is no model gpt here. Did you mean demo/demo-gpt-5?" in wrong.printed
    assert wrong.error is not None
    monkeypatch.delenv("OPENCODE_NB_MODEL")
    assert run_cell("%%prompt -q\nSay exactly: well again").error is None


def test_the_configuration_file_of_ipython_is_read(tmp_path: Path) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(
        "c.InteractiveShellApp.extensions = ['opencode_nb']\n"
        "c.OpencodeMagics.model = 'demo/by-file'\nc.OpencodeMagics.timeout = 'soon'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", "-c", "%config OpencodeMagics"],
        capture_output=True,
        text=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        check=True,
    )
    assert "OpencodeMagics.timeout: 'soon' is not a number of seconds above 0. Ignored." in done.stdout
    assert re.search(r"OpencodeMagics\.model=<Unicode>\n.*\n\s*Current: 'demo/by-file'", done.stdout)


def test_a_wrong_configuration_file_does_not_prevent_loading(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%unload_ext opencode_nb")
    assert "OpencodeMagics" not in run_cell("%config").printed
    shell.config.OpencodeMagics = Config(permission="maybe", agent="plan")
    assert (
        "use one of ask, edits, plan, allow, deny, a mapping or a callable. Ignored."
        in run_cell("%load_ext opencode_nb").printed
    )
    assert run_cell("%config").printed.count("OpencodeMagics") == 1
    assert run_cell("%config OpencodeMagics.agent").value == "plan"
    assert run_cell("%config OpencodeMagics.permission").value is None
    run_cell("%config OpencodeMagics.agent = None")


# --- what is written about them ---------------------------------------------------------------------------------------


def test_the_readme_has_every_setting() -> None:
    """Each has a row: trait, variable, option of %%prompt or %opencode start."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| ([^|]*) \|", readme, re.MULTILINE)
    assert {trait: variable for trait, variable, _ in rows} == VARIABLES
    known = {*prompt_parser().option_strings(), *LineMagic(Workspace()).commands["start"].parser.option_strings()}
    for _, _, options in rows:
        named = re.findall(r"`(--?\w[\w-]*)", options)
        assert named
        assert set(named) <= known
