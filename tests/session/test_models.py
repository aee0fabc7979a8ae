"""Which model a prompt goes to, on the real server, in the order that is promised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.portal import run
from opencode_nb.session.blocking_compose import act
from opencode_nb.session.models import CELL, SHELL, ModelChoice, NoModelError, Place, announcement
from opencode_nb.session.prompt.commands import Said
from tests.support.isolation import CATALOG


@pytest.fixture
def model() -> Iterator[DemoModel]:
    with DemoModel(pace=0) as model:
        yield model


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables of a server whose logins and configuration are empty; its catalog has the provider Acme."""
    model = {"id": "large", "name": "Acme Large", "limit": {"context": 1000, "output": 100}}
    acme = {"id": "acme", "name": "Acme", "env": ["ACME_API_KEY"], "npm": "@ai-sdk/openai-compatible"}
    catalog = {
        **json.loads(CATALOG.read_text()),
        "acme": {**acme, "api": "http://acme.invalid", "models": {"large": model}},
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    directories = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("DATA", "CONFIG", "STATE")}
    return {**directories, "OPENCODE_MODELS_PATH": str(tmp_path / "catalog.json")}


@pytest.fixture
def new(opencode_program: Path, project: Path, home: dict[str, str]) -> Iterator[oc.Opencode]:
    """The agent of somebody who has set up nothing."""
    with oc.Opencode(directory=project, binary=opencode_program, env=home) as ai:
        yield ai


def log_in(home: dict[str, str], provider: str) -> None:
    """What `opencode auth login` leaves."""
    file = Path(home["XDG_DATA_HOME"], "opencode/auth.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({provider: {"type": "api", "key": "secret"}}))


# --- none yet ---------------------------------------------------------------------------------------------------------


def test_an_unchosen_public_model_raises_before_anything_is_sent(new: oc.Opencode, opencode_program: Path) -> None:
    session = new.session()
    with pytest.raises(
        oc.ModelError, match=r"No model is set up yet.*auth login.*demo=True.*model=\"opencode/"
    ) as caught:
        session.prompt("hello")
    assert new.client.session.messages(session.id) == []
    error = caught.value
    assert isinstance(error, NoModelError)
    assert error.free is not None
    assert "your prompts and files go to OpenCode Zen, a public service" in str(error)
    assert error.login == f"{opencode_program} auth login"
    assert new.model_choice(error.free.model).chosen_by == "option", "it can be chosen"


@pytest.mark.parametrize(
    ("place", "typed"),
    [
        (
            CELL,
            [
                *("%opencode start --demo", "%opencode start -m opencode/free"),
                *("%opencode login PROVIDER", "opencode auth login"),
            ],
        ),
        (SHELL, ["opencode-nb ask --demo", "opencode-nb ask -m opencode/free", "opencode auth login"]),
    ],
)
def test_the_next_steps_are_what_can_be_typed_there(place: Place, typed: list[str]) -> None:
    error = NoModelError(ModelChoice("opencode/free", "Free", "OpenCode Zen", "default"))
    first, *lines = error.told_in(place).splitlines()
    assert first.startswith("No model is set up yet.")
    assert [line.strip().split("  ")[0] for line in lines] == typed
    assert "your prompts and files go to OpenCode Zen, a public service" in lines[1]
    without_free = NoModelError().told_in(place).splitlines()[1:]
    assert [line.strip().split("  ")[0] for line in without_free] == [typed[0], *typed[2:]]


def provider(base: dict[str, Any], *models: str) -> dict[str, Any]:
    """Return a provider like the scripted one, with other models."""
    return {**base, "models": {name: {**base["models"]["demo"], "name": name.upper()} for name in models}}


def test_a_model_is_found_without_its_provider(opencode_program: Path, project: Path, model: DemoModel) -> None:
    config = model.config()
    base = config["provider"]["demo"]
    config["provider"] = {
        "demo": base,
        "foo": provider(base, "both", "vendor/large"),
        "bar": provider(base, "both", "only-here"),
    }
    config["enabled_providers"] = [*config["provider"], "opencode"]
    with oc.Opencode(directory=project, binary=opencode_program, config=config, model="only-here") as ai:
        for given, found in (
            ("only-here", "bar/only-here"),
            ("vendor/large", "foo/vendor/large"),
            ("foo/both", "foo/both"),
            (None, "bar/only-here"),
        ):
            assert ai.model_choice(given).model == found
        session = ai.session()
        assert session.prompt("hello").model == "bar/only-here"
        assert session.prompt("hello", model="vendor/large").model == "foo/vendor/large"
        assert "hello" in session.shell("echo hello").tools[0].output
        assert re.search(r"^Model: +bar/only-here$", act(session, Said("own", "", "status")).text, re.MULTILINE)
        variants = next(one["variants"] for one in ai.models_detail() if one["id"] == "bar/only-here")
        assert act(session, Said("own", "", "variants")).text.splitlines() == variants
        for given, says in (
            ("both", r"Several providers have both: use (foo|bar)/both or (foo|bar)/both\."),
            ("only-her", r"no model only-her here\. Did you mean bar/only-here\?"),
            ("larg", r"Did you mean foo/vendor/large\?"),
        ):
            with pytest.raises(oc.ModelError, match=says):
                ai.model_choice(given)
        public = next(name for name in ai.models() if name.startswith("opencode/"))
        with pytest.raises(oc.ModelError, match="Did you mean opencode/"):
            ai.model_choice(public.removeprefix("opencode/"))


def test_a_server_without_models_raises_with_setup_instructions(opencode_program: Path, project: Path) -> None:
    config = {"disabled_providers": ["opencode"]}
    with (
        oc.Opencode(directory=project, binary=opencode_program, config=config) as ai,
        pytest.raises(NoModelError, match=r"No model is set up yet.*auth login` in a terminal.*, or pass demo=True"),
    ):
        ai.ask("hello")


def test_a_running_server_picks_up_logins_and_configuration(
    new: oc.Opencode, home: dict[str, str], model: DemoModel
) -> None:
    with pytest.raises(NoModelError):
        new.model_choice()
    log_in(home, "opencode")  # with an account of one's own, the public provider was chosen
    assert new.model_choice().model.startswith("opencode/")
    log_in(home, "acme")
    assert new.model_choice("acme/large").name == "Acme Large"
    by_hand = Path(home["XDG_CONFIG_HOME"], "opencode/opencode.json")
    by_hand.parent.mkdir(parents=True, exist_ok=True)
    by_hand.write_text(json.dumps({"model": "acme/none"}))
    for wanted, said in (("demo/demo", ""), (None, r" \(from your OpenCode configuration\)")):
        with pytest.raises(oc.ModelError, match=rf"no model {wanted or 'acme/none'} here{said}\..* Available models: "):
            new.model_choice(wanted)
    by_hand.write_text(json.dumps(model.config()))
    assert announcement(new.model_choice()).startswith("Model: demo/demo (from your OpenCode configuration)")
    assert new.ask("Say exactly: hello").text == "hello"


def test_a_login_does_not_cut_off_a_running_turn(new: oc.Opencode, home: dict[str, str]) -> None:
    """The server reads logins again only if it lets go of the directory, and of what runs there."""
    shell = new.session().shell("sleep 1000", wait=False)
    log_in(home, "acme")
    with pytest.raises(NoModelError):
        new.model_choice()
    assert shell.status == "running"
    assert shell.session is not None
    shell.session.abort()
    assert new.model_choice().model == "acme/large"


def test_the_demo_can_be_tried_in_the_same_session(new: oc.Opencode) -> None:
    session = new.session("Kept")
    run(new._async.start_demo)
    assert announcement(new.model_choice()) == "Model: demo/demo (the scripted demo, which is not an AI)"
    assert session.prompt("Say exactly: hello").text == "hello"
    assert session.title == "Kept"


# --- one of one's own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        (("bar/m", "m", "bar", "configuration"), "Model: bar/m (from your OpenCode configuration)"),
        (("bar/m", "M", "Bar", "option"), "Model: bar/m (your choice): M · Bar"),
        (("bar/m", "Bar", "Bar", "last choice"), "Model: bar/m (last used in OpenCode's terminal UI): Bar"),
    ],
)
def test_a_model_is_announced_with_its_name_and_where_it_comes_from(choice: tuple[str, ...], line: str) -> None:
    assert announcement(ModelChoice(*choice)) == line


def test_the_last_model_used_in_the_tui_beats_the_server_default(
    opencode_program: Path, project: Path, model: DemoModel, tmp_path: Path
) -> None:
    (tmp_path / "opencode").mkdir()
    last = tmp_path / "opencode/model.json"
    config = {key: value for key, value in model.config().items() if key != "model"}
    with oc.Opencode(
        directory=project, binary=opencode_program, config=config, env={"XDG_STATE_HOME": str(tmp_path)}
    ) as ai:
        default = ai.model_choice()
        assert default.chosen_by == "default"
        other = next(name for name in ai.models() if name != default.model)
        ids = dict(zip(("providerID", "modelID"), other.split("/"), strict=True))
        last.write_text(json.dumps({"recent": [{"providerID": "gone", "modelID": "gone"}, ids]}))
    with oc.Opencode(
        directory=project, binary=opencode_program, config=config, env={"XDG_STATE_HOME": str(tmp_path)}
    ) as ai:
        assert (ai.model_choice().model, ai.model_choice().chosen_by) == (other, "last choice")
        session = ai.session()
        assert session.prompt("hello").model == other
        assert session.prompt("hello", model=default.model).model == default.model
        assert session.prompt("hello").model == default.model, "a session keeps its model"
        assert ai.model_choice(default.model).chosen_by == "option"
