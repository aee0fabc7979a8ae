"""Which model a prompt goes to, on the real server, in the order that is promised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.session.models import ModelError


@pytest.fixture
def model() -> Iterator[DemoModel]:
    with DemoModel(pace=0) as model:
        yield model


def test_nothing_is_sent_to_a_public_provider_that_nobody_chose(opencode_program: Path, project: Path) -> None:
    with oc.Opencode(directory=project, binary=opencode_program) as ai:
        assert ai.model_choice().unasked_public
        session = ai.session()
        with pytest.raises(ModelError, match=r"opencode auth login.*-m opencode/.*--demo"):
            session.prompt("hello")
        assert ai.client.session.messages(session.id) == []


def test_a_server_without_any_model_says_how_to_get_one(opencode_program: Path, project: Path) -> None:
    config = {"disabled_providers": ["opencode"]}
    with (
        oc.Opencode(directory=project, binary=opencode_program, config=config) as ai,
        pytest.raises(ModelError, match=r"No model is set up.*opencode auth login.*--demo"),
    ):
        ai.ask("hello")


def test_the_terminals_last_choice_comes_before_the_servers_default(
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
