"""Request cards on the live page: redrawing never loses what the user typed."""

from __future__ import annotations

from typing import Any

from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.render.turn.parts import Look, RequestsView
from opencode_nb.render.turn.requests import request_html
from tests.render.kernel_turns import SERVED
from tests.render.page_model import Node, Page
from tests.render.turns import tool, turn

PATCH = "@@ -1 +1 @@\n-before\n+after\n"
EDIT = {"id": "per_1", "permission": "edit", "always": ["*"], "metadata": {"filepath": "/project/a.py", "diff": PATCH}}
QUESTION = {"id": "que_1", "questions": [{"question": "Which?", "options": [{"label": "CSV"}]}]}
REQUESTS: dict[str, dict[str, Any]] = {"per_1": EDIT, "que_1": QUESTION}


def find(page: Page, **attributes: str) -> list[Node]:
    wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
    return [node for node in page.root.walk() if wanted.items() <= node.attrs.items()]


def test_another_choice_of_columns_redraws_only_the_change() -> None:
    look = Look()
    view = RequestsView("q", look)
    page = Page(view.html())
    page.apply(view.update(REQUESTS, "/project"))
    forms = [id(form) for form in page.root.walk() if form.tag == "form"]
    look.columns = 2
    ops = view.update(REQUESTS, "/project")
    page.apply(ops)
    assert [op[0] for op in ops] == ["put"]
    assert [id(form) for form in page.root.walk() if form.tag == "form"] == forms
    assert [node.text for node in find(page, aria_pressed="true")] == ["Split"]
    assert view.update(REQUESTS, "/project") == []
    assert Page(view.html()).html(keys=True) == page.html(keys=True)


def test_inputs_appear_only_once_clicks_are_heard() -> None:
    look = Look(heard=False)
    view = RequestsView("q", look)
    page = Page(view.html())
    page.apply(view.update(REQUESTS, ""))
    assert not find(page, data_intent="question")
    look.heard = True
    page.apply(view.update(REQUESTS, ""))
    assert len(find(page, data_intent="question")) == 2  # the form, and Dismiss
    assert Page(view.html()).html(keys=True) == page.html(keys=True)


def test_a_card_names_its_request() -> None:
    """So it is announced once, wherever it is and however often it is redrawn."""
    for request_id, request in REQUESTS.items():
        for heard in (True, False):
            page = Page(request_html(request, heard=heard))
            cards = [node for node in page.root.walk() if node.attrs.get("data-part") in ("permission", "question")]
            assert [card.attrs.get("data-id") for card in cards] == [request_id]


def test_the_input_of_a_call_is_added_to_its_card_when_known() -> None:
    """The server sends the request first, and the call's input right after."""
    asked = {"id": "per_1", "permission": "nb_run", "patterns": ["*"], "metadata": {}, "tool": {"callID": "call_1"}}
    call = {**tool("nb_run", "pending", input={}), "id": "prt_1", "callID": "call_1"}
    state = turn(call, status="running", permissions={"per_1": asked})
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    forms = [id(form) for form in page.root.walk() if form.tag == "form"]
    part = next(part for part in state.parts if part.get("callID") == "call_1")
    part["state"] = {"status": "running", "input": {"code": "import os"}}
    page.apply(live.update({str(part["id"])}))
    assert "code: import os" in page.root.text
    assert [id(form) for form in page.root.walk() if form.tag == "form"] == forms
    assert not live.update({str(part["id"])})


def test_code_can_be_allowed_only_once_it_has_arrived() -> None:
    asked = {"id": "per_1", "permission": f"{SERVED}_python", "patterns": ["*"], "always": ["*"], "metadata": {}}
    view = RequestsView("q", Look())
    page = Page(view.html())
    page.apply(view.update({"per_1": {**asked, "call": {}}}, ""))
    assert [node.attrs["data-reply"] for node in find(page, data_intent="permission", type="button")] == ["reject"]
    call = {"tool": f"{SERVED}_python", "input": {"code": "1 + 1"}}
    page.apply(view.update({"per_1": {**asked, "call": call}}, ""))
    buttons = find(page, data_intent="permission", type="button")
    assert [node.attrs["data-reply"] for node in buttons] == ["once", "always", "reject"]
    assert "1 + 1" in page.root.text
    assert Page(view.html()).html(keys=True) == page.html(keys=True)


def of_cell(name: str, **given: Any) -> dict[str, Any]:
    call = {"tool": f"{SERVED}_{name}", "input": given, "shown": [{"kind": "cell", "title": "Cell 1", "before": "a"}]}
    return {"id": "per_1", "permission": call["tool"], "patterns": ["*"], "always": ["*"], "metadata": {}, "call": call}


def test_a_change_to_a_cell_can_be_accepted_for_the_turn_and_edited() -> None:
    source = "\n</textarea><b>&amp;"
    page = Page(request_html(of_cell("edit_cell", id="c", source=source)))
    (form,) = find(page, data_intent="permission", data_reply="edited")
    (field,) = [node for node in form.walk() if node.tag == "textarea"]
    assert field.text == f"\n{source}"  # a browser drops the first line feed
    for name, replies in (
        ("move_cell", ["once", "turn", "always", "reject"]),
        ("run_cell", ["once", "always", "reject"]),
    ):
        page = Page(request_html(of_cell(name, id="c", index=0)))
        assert [node.attrs["data-reply"] for node in find(page, data_intent="permission", type="button")] == replies
        assert not find(page, data_reply="edited")


def test_a_question_names_its_agent_once_known() -> None:
    """Only its head is redrawn: what the user typed stays."""
    view = RequestsView("q", Look())
    page = Page(view.html())
    page.apply(view.update({"que_1": {**QUESTION, "asker": {}}}, ""))
    assert "Question Another session asks" in page.root.text
    forms = [id(form) for form in page.root.walk() if form.tag == "form"]
    task = {"subagent_type": "general", "description": "Look around"}
    page.apply(view.update({"que_1": {**QUESTION, "asker": task}}, ""))
    assert "Question The subagent general (Look around) asks" in page.root.text
    assert [id(form) for form in page.root.walk() if form.tag == "form"] == forms
    assert Page(view.html()).html(keys=True) == page.html(keys=True)
