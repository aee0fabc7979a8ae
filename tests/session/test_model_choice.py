"""The model, variant and effort of a prompt, and what goes along with it, on the real server with many models."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from tests.conftest import make_project
from tests.recordings.record import png

HELLO = "Say exactly: hello"
PNG = oc.Attachment("a.png", "image/png", png(3, 2))
WAV = oc.Attachment("a.wav", "audio/x-wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0")
LIMIT = {"context": 200_000, "output": 32_000}
MODELS: dict[str, dict[str, Any]] = {
    "text": {"reasoning": True, "modalities": {"input": ["text"], "output": ["text"]}, "limit": LIMIT},
    "ears": {"modalities": {"input": ["text", "audio"], "output": ["text", "audio"]}, "limit": LIMIT},
    "small": {"limit": {"context": 2000, "output": 500}},
    "vendor/x": {"reasoning": True, "limit": LIMIT},
    "vendor/x/high": {"limit": LIMIT},
    "all": {
        "temperature": True,
        "interleaved": {"field": "reasoning_content"},
        "release_date": "2026-01-02",
        "limit": {**LIMIT, "input": 160_000},
        "cost": {"input": 1, "output": 2, "cache_read": 0.5, "cache_write": 0.25},
    },
}
BLIND = {"mode": "primary", "model": "demo/text", "prompt": "Be brief."}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose configuration has more models, and an agent with a model of its own."""
    project = make_project(tmp_path_factory.mktemp("models") / "project")
    config = {"provider": {"demo": {"models": MODELS}}, "agent": {"blind": BLIND}}
    (project / "opencode.json").write_text(json.dumps(config))
    return project


@pytest.fixture(scope="module")
def shared_ai(server: Server, directory: Path) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=directory) as ai:
        yield ai
        ai.client.instance.dispose()


@pytest.fixture
def ai(shared_ai: oc.Opencode, demo_model: DemoModel) -> oc.Opencode:
    return shared_ai


def asked(model: DemoModel) -> tuple[str, str | None]:
    """Return the model and the effort of the last request."""
    return model.requests[-1]["model"], model.requests[-1].get("reasoning_effort")


def sent(model: DemoModel) -> list[dict[str, Any]]:
    """Return the parts of the last prompt, as the model got them."""
    content = model.requests[-1]["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


# --- variants and efforts ---------------------------------------------------------------------------------------------


def noted(session: oc.Session, **options: Any) -> str | None:
    """Return the variant with which the server stores a prompt, without asking the model: that takes longer."""
    turn = session.prompt(HELLO, no_reply=True, **options)
    variant: str | None = turn.messages[0].info["model"].get("variant")
    return variant


def test_a_variant_may_stand_in_the_name_of_a_model(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    for given, got in {
        "demo/vendor/x/high": ("vendor/x/high", None),
        "vendor/x/low": ("vendor/x", "low"),
    }.items():
        session.prompt(HELLO, model=given)
        assert asked(demo_model) == got, given
    session.model = "demo/demo/low"
    assert noted(session) == "low"
    choice = ai.model_choice("demo/demo/low")
    assert (choice.model, choice.variant, choice.full_name) == ("demo/demo", "low", "demo/demo/low")


def test_the_nearest_choice_of_a_variant_wins(ai: oc.Opencode) -> None:
    session = ai.session()
    session.effort = "max"
    for options, variant in (
        ({}, "high"),
        ({"effort": "low"}, "low"),
        ({"effort": "none"}, None),
        ({"effort": "low", "variant": "medium"}, "medium"),
        ({"effort": "low", "model": "demo/demo/medium"}, "medium"),
    ):
        assert noted(session, **options) == variant, options
    session.variant = "medium"
    for options, variant in (({}, "medium"), ({"effort": "low"}, "low"), ({"model": "demo/ears"}, None)):
        assert noted(session, **options) == variant, options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"variant": "hihg"},
            r"demo/demo has no variant 'hihg'\. Did you mean high\? Its variants: low, medium, high\.",
        ),
        ({"model": "demo/demo/hihg"}, "demo/demo has no variant 'hihg'"),
        ({"model": "demo/ears", "variant": "high"}, r"demo/ears has no variants: leave out 'high'\."),
        ({"model": "demo/ears/high"}, "demo/ears has no variants"),
        ({"model": "demo/dmeo/high"}, "There is no model demo/dmeo/high here"),
    ],
)
def test_a_wrong_variant_is_refused_before_anything_is_sent(
    ai: oc.Opencode, demo_model: DemoModel, options: dict[str, str], says: str
) -> None:
    session = ai.session()
    with pytest.raises(oc.OpencodeError, match=says):
        session.prompt(HELLO, **options)  # type: ignore[arg-type]
    assert demo_model.requests == []
    assert session.messages() == []


def test_a_model_without_variants_goes_without_and_it_is_said_once(
    ai: oc.Opencode, caplog: pytest.LogCaptureFixture
) -> None:
    session = ai.session()
    with caplog.at_level(logging.WARNING, "opencode_nb"):
        for effort in ("high", "high", "none"):
            assert noted(session, model="demo/ears", effort=effort) is None
    assert [one.getMessage() for one in caplog.records] == [
        "demo/ears has no variants: effort=high has no effect on it."
    ]


def test_an_unknown_effort_raises_where_it_is_given(ai: oc.Opencode, demo_model: DemoModel, directory: Path) -> None:
    session = ai.session()
    session.effort = "low"
    with pytest.raises(ValueError, match=r"There is no effort 'hi'\. Did you mean high\?"):
        session.effort = "hi"
    assert session.effort == "low"
    with pytest.raises(ValueError, match="There is no effort 'lots'"):
        session.prompt(HELLO, effort="lots")
    with pytest.raises(ValueError, match="There is no effort 'lots'"):
        oc.Opencode(directory=directory, effort="lots")
    with pytest.raises(ValueError, match="There is no effort 'lots'"):
        ai.prefer(effort="lots")
    assert demo_model.requests == []


# --- what a model can take --------------------------------------------------------------------------------------------


def test_models_tell_all_that_the_server_knows(ai: oc.Opencode) -> None:
    models = {model["id"]: model for model in ai.models_detail()}
    model = models["demo/all"]
    assert (model["temperature"], model["interleaved"], model["released"]) == (True, True, "2026-01-02")
    assert (model["context"], model["output"], model["input_limit"]) == (200_000, 32_000, 160_000)
    assert model["cost"] == {"input": 1.0, "output": 2.0, "cache_read": 0.5, "cache_write": 0.25}
    assert models["demo/ears"]["input"] == ["text", "audio"]
    assert models["demo/ears"]["output_modalities"] == ["text", "audio"]
    assert (models["demo/text"]["temperature"], models["demo/text"]["interleaved"]) == (False, False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"model": "demo/text", "files": [PNG]},
            r"demo/text does not take images: leave a\.png out or use .* demo/demo",
        ),
        ({"model": "demo/demo", "files": [WAV]}, r"demo/demo does not take audio: .* such as demo/ears\."),
        ({"agent": "blind", "images": [PNG]}, "demo/text does not take images"),
        ({"model": "demo/small"}, r"more than \d,\d{3} tokens, by a low estimate; the context of demo/small has 2,000"),
    ],
)
def test_what_a_model_cannot_take_is_refused_before_it_is_sent(
    ai: oc.Opencode, demo_model: DemoModel, options: dict[str, Any], says: str
) -> None:
    session = ai.session()
    with pytest.raises(oc.OpencodeError, match=says):
        session.prompt(" ".join(f"word{number}" for number in range(3000)), **options)
    assert demo_model.requests == []
    assert session.messages() == []


def test_what_a_model_can_take_reaches_it(ai: oc.Opencode, demo_model: DemoModel, directory: Path) -> None:
    session = ai.session()
    csv = oc.Attachment("days.csv", "text/csv", "day,mean\n1,12.5\n")
    session.prompt(HELLO, model="demo/text", files=[csv, "README.md", "src"])
    assert "day,mean" in json.dumps(sent(demo_model))
    session.prompt(HELLO, model="demo/ears", files=[WAV])
    assert sent(demo_model)[-1]["input_audio"]["format"] == "wav"
    session.prompt("look at this later", model="demo/text", files=[PNG], no_reply=True)


# --- blocks, attachments and links ------------------------------------------------------------------------------------


def test_texts_and_attachments_reach_the_model_in_their_order(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    notes = oc.Attachment("notes.txt", "text/plain", "Größe".encode("latin-1"))
    turn = session.prompt([HELLO, PNG, "with", notes, "done"], files=["https://example.org/a.pdf"])
    assert turn.prompt == f"{HELLO}\n\nwith\n\ndone\n\nhttps://example.org/a.pdf"
    kinds = [part.get("text") or part["type"] for part in sent(demo_model)]
    read = next(text for text in kinds if "notes.txt" in text)
    assert kinds == [HELLO, "image_url", "with", read, "Größe", "done", "https://example.org/a.pdf"]


@pytest.mark.parametrize(
    ("prompt", "error", "says"),
    [
        (["a", Path("b.png")], TypeError, r"must be a str or an Attachment, not \w*Path\. Pass paths, figures"),
        (["a", b"bytes"], TypeError, "must be a str or an Attachment, not bytes"),
        (["a", ["b"]], TypeError, "must be a str or an Attachment, not list"),
        ([], ValueError, "The prompt has no blocks"),
        ({"a": 1}, TypeError, "A prompt must be a str, not dict"),
    ],
)
def test_other_blocks_are_refused(
    ai: oc.Opencode, demo_model: DemoModel, prompt: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ai.session().prompt(prompt)
    assert demo_model.requests == []
