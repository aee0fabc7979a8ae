"""The wire protocol's fixture, shared with the JavaScript tests, and the renderers' conformance to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencode_nb.render.markup.patch_ops import put, shared, splice, utf16_length
from opencode_nb.render.turn.requests import permission_html, question_html

from .page_model import Page, canonical, parse

FIXTURE = json.loads((Path(__file__).parent / "wire_protocol.json").read_text("utf-8"))


@pytest.mark.parametrize("case", FIXTURE["patches"], ids=lambda case: case["name"])
def test_patches_equal_the_fixture(case: dict) -> None:
    page = Page(case["start"])
    for batch in case["batches"]:
        page.apply(batch)
    assert page.html(keys=True) == canonical(parse(case["html"]), keys=True)


def buttons(html: str) -> list[dict[str, str]]:
    """Return the messages that clicks on the buttons of some markup would send."""
    nodes = [node for node in parse(html).walk() if node.tag == "button" and "data-intent" in node.attrs]
    named = [{name[5:]: value for name, value in node.attrs.items() if name.startswith("data-")} for node in nodes]
    return [{"kind": item.pop("intent"), **item} for item in named]


def test_requests_send_the_intents_of_the_fixture() -> None:
    intents = {case["name"]: case for case in FIXTURE["intents"]}
    permission = {"id": "per_1", "permission": "bash", "patterns": ["ls"], "always": ["ls *"], "metadata": {}}
    assert intents["a permission"]["message"] in buttons(permission_html(permission))
    change = {"id": "per_2", "permission": "edit", "metadata": {"diff": "@@ -1 +1 @@\n-a\n+b\n"}}
    assert intents["columns"]["message"] in buttons(permission_html(change))
    edit = {"id": "per_1", "permission": "nb01234567_edit_cell", "metadata": {}, "call": {"input": {"source": "x"}}}
    (form,) = [n for n in parse(permission_html(edit)).walk() if n.tag == "form" and "data-reply" in n.attrs]
    sent = intents["an edited source is accepted"]["message"]
    assert [form.attrs[f"data-{name}"] for name in ("intent", "id", "reply")] == list(sent.values())[:3]
    question = {"id": "que_1", "questions": [{"question": "Q?", "options": [{"label": "CSV"}, {"label": "JSON"}]}]}
    html = question_html(question)
    assert buttons(html) == [intents["a question is dismissed"]["message"]]
    ours, theirs = (
        [(n.attrs["type"], n.attrs["name"], "data-own" in n.attrs) for n in parse(markup).walk() if n.tag == "input"]
        for markup in (html, intents["a question is answered"]["html"])
    )
    assert ours == theirs[:4]


def test_splice_sends_only_new_text() -> None:
    assert splice("k", "<p>😀 abc</p>", "<p>😀 abcd</p>") == ["splice", "k", 9, "d</p>"]
    assert splice("k", "", "x") == ["splice", "k", 0, "x"]
    assert splice("k", "abc", "ab") == ["splice", "k", 2, ""]
    assert utf16_length("a😀é") == 4


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 700])
def test_the_common_prefix_of_strings(length: int) -> None:
    assert shared("a" * length + "x", "a" * length + "y") == length
    assert shared("a" * length, "a" * length) == length
    assert shared("a" * length, "a" * length + "b") == length


def test_put_adds_the_key_to_the_element() -> None:
    assert put('k"', "p", "<li>x</li>") == ["put", 'k"', "p", '<li data-key="k&quot;">x</li>']
    assert put("k", "p", "<li>x</li>", "b")[-1] == "b"
