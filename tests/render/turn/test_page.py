"""Turns as pages: the live page ends as the turn is, in any order of events; the static one is standalone."""

from __future__ import annotations

import json
import re

import pytest

from opencode_nb.render.turn.page import LiveTurn, turn_html, turn_markdown, turn_text
from opencode_nb.render.turn.parts import Look
from opencode_nb.transcript.state import Message
from tests.render.page_model import Node, Page, canonical, parse
from tests.render.test_hostile import check_markup
from tests.render.turns import NAMES, PICTURE, replay, tool, turn, turns


def find(html: str, **attributes: str) -> list[Node]:
    """Find elements with these attributes; `data_part` is `data-part`."""
    wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
    return [node for node in parse(html).walk() if wanted.items() <= node.attrs.items()]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_turns_end_as_a_new_view(name: str) -> None:
    """Increments, also after a snapshot, end as a view created at the end."""
    pages: dict[str, tuple[Page, LiveTurn]] = {}
    for count, (state, dirty) in enumerate(replay(name)):
        if state.id not in pages:
            live = LiveTurn(state)
            pages[state.id] = Page(live.open()), live
        page, live = pages[state.id]
        ops = live.update(dirty)
        json.dumps(ops, ensure_ascii=False).encode("utf-8")
        page.apply(ops)
        if count % 29 == 28:
            before = page.html()
            page.snapshot(live.snapshot())
            assert page.html() == before
    for state in turns(name):
        page, _ = pages[state.id]
        assert page.html() == canonical(parse(LiveTurn(state).snapshot()))
        check_markup(page.html(keys=True))


@pytest.mark.parametrize("name", NAMES)
def test_static_and_live_pages_have_the_same_text(name: str) -> None:
    for state in turns(name):
        live = parse(LiveTurn(state, look=Look(heard=False)).snapshot())  # only live pages have buttons
        bars = [node for node in live.walk() if node.attrs.get("role") == "status"]
        static = check_markup(turn_html(state))
        if not bars and not state.permissions and not state.questions:
            assert static.text == live.text
        assert "data-key" not in turn_html(state)
        assert turn_text(state).strip()
        assert turn_markdown(state).strip()


def test_parts_are_found_by_their_attributes() -> None:
    state = turn(
        {"type": "reasoning", "text": "hm", "time": {"start": 0, "end": 3000}},
        {"type": "text", "text": "# Hi"},
        tool("edit", input={"filePath": "/project/a.py"}, metadata={"filediff": {"patch": "@@ -1 +1 @@\n-a\n+b\n"}}),
        {"type": "file", "mime": "image/png", "url": PICTURE},
    )
    for html in (turn_html(state), LiveTurn(state).snapshot()):
        assert find(html, data_message="msg_user")[0].tag == "article"
        assert "Thought for 3.0 s" in find(html, data_part="reasoning")[0].text
        assert find(html, data_part="text")[0].text == "Hi"
        assert find(html, data_part="tool", data_tool="edit", data_status="completed")
        assert find(html, data_file="a.py")
        assert find(html, data_part="file")[0].children[0].attrs["src"] == PICTURE
    assert find(turn_html(state), data_view="turn")[0].attrs["class"].startswith("opencode-nb")


def test_bookkeeping_is_not_shown() -> None:
    hidden = [{"type": kind} for kind in ("step-start", "step-finish", "snapshot", "patch")]
    hidden += [{"type": "text", "text": "secret", "synthetic": True}, {"type": "text", "text": "x", "ignored": True}]
    html = turn_html(turn(*hidden, {"type": "text", "text": "shown"}))
    assert "secret" not in html
    assert len(re.findall("data-part", html)) == 1


def test_exploring_calls_are_one_line() -> None:
    looks = [tool("read", input={"filePath": "/project/a.py"}), tool("grep", input={"pattern": "x"}), tool("read")]
    html = turn_html(turn(*looks, tool("bash"), tool("glob", "error", error="bad")))
    groups = find(html, data_part="group")
    assert next(group.children[0].text.split("  ")[0] for group in groups).startswith("⌕ Explored 2 reads, 1 search")
    assert "1 failed" in groups[1].children[0].text
    assert len(find(html, data_part="tool")) == 5


def test_a_group_grows_on_the_live_page() -> None:
    state = turn(tool("read", input={"filePath": "a"}), status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    parts = state.steps["msg_step"].parts
    parts["prt_9"] = {**tool("grep", "running"), "id": "prt_9"}
    ops = live.update({"prt_9"})
    assert {op[0] for op in ops} == {"put", "splice"}
    page.apply(ops)
    assert "Explored 1 read, 1 search" in page.nodes["root"].text
    del parts["prt_9"], parts["prt_000"]
    page.apply(live.update({"prt_9", "prt_000"}))
    assert "Explored" not in page.nodes["root"].text


def test_a_late_part_is_inserted_in_its_place() -> None:
    state = turn({"type": "text", "text": "first"}, {"type": "text", "text": "third"}, status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    parts = state.steps["msg_step"].parts
    third = parts.pop("prt_001")
    parts["prt_0005"] = {"id": "prt_0005", "type": "text", "text": "second"}
    parts["prt_001"] = third
    page.apply(live.update({"prt_0005"}))
    assert re.sub("Working|Stop", "", page.nodes["root"].text) == "firstsecondthird"


def test_reasoning_is_open_while_it_streams_and_then_folds() -> None:
    part = {"type": "reasoning", "text": "Let me *think*", "time": {"start": 0}}
    state = turn(part, status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    (details,) = [node for node in page.root.walk() if node.attrs.get("data-part") == "reasoning"]
    assert "open" in details.attrs
    state.steps["msg_step"].parts["prt_000"] = {**part, "id": "prt_000", "time": {"start": 0, "end": 12_000}}
    page.apply(live.update({"prt_000"}))
    (details,) = [node for node in page.root.walk() if node.attrs.get("data-part") == "reasoning"]
    assert "open" not in details.attrs
    assert "Thought for 12 s" in details.text


def test_growing_output_sends_only_new_text() -> None:
    def bash(lines: int) -> dict:
        output = "".join(f"line {i}\n" for i in range(lines))
        return {**tool("bash", "running", input={"command": "x"}, metadata={"output": output}), "id": "prt_000"}

    state = turn(bash(5), status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    for count in range(6, 30):
        state.steps["msg_step"].parts["prt_000"] = bash(count)
        ops = live.update({"prt_000"})
        page.apply(ops)
        if count > 6:
            assert len(json.dumps(ops)) < 120
    assert "line 28" in page.nodes["root"].text


def test_a_request_comes_and_goes_without_redrawing_another() -> None:
    ask = {"permission": "bash", "patterns": ["ls"], "always": ["ls *"], "metadata": {"command": "ls -l"}}
    state = turn(status="running", permissions={"per_1": {**ask, "id": "per_1"}})
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    text = page.nodes["root"].text
    assert "ls -l" in text
    assert "Allow always: ls * in this project, until OpenCode stops" in text
    assert [label for label in ("Allow once", "Allow always", "Deny", "Stop") if label in text] == [
        "Allow once",
        "Allow always",
        "Deny",
        "Stop",
    ]
    state.permissions["per_2"] = {**ask, "id": "per_2"}
    (op,) = live.update({"turn"})
    assert op[0] == "put"
    del state.permissions["per_1"]
    (op,) = live.update({"turn"})
    assert op[0] == "drop"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"name": "ProviderAuthError", "data": {"message": "no key"}}, "opencode auth login"),
        ({"name": "ProviderAuthError", "data": {"providerID": "acme", "message": "no key"}}, "%opencode login acme"),
        ({"name": "APIError", "data": {"message": "bad key", "statusCode": 403}}, "send the prompt again"),
        ({"name": "APIError", "data": {"message": "bad key.", "statusCode": 401}}, "bad key (HTTP 401)."),
        ({"name": "APIError", "data": {"message": "busy", "isRetryable": True}}, "try again"),
        ({"name": "Strange", "data": None}, "%opencode status"),
    ],
)
def test_errors_name_the_next_step(error: dict, shown: str) -> None:
    state = turn(status="error", error=error)
    assert shown in parse(turn_html(state)).text
    assert shown in turn_text(state)


def test_a_command_in_the_next_step_is_shown_as_code() -> None:
    html = turn_html(turn(status="error", error={"name": "ProviderAuthError", "data": {"message": "no `key`"}}))
    assert re.findall(r"<code[^>]*>([^<]*)</code>", html) == ["%opencode login", "opencode auth login"]
    assert "no `key`" in parse(html).text


def test_a_stopped_turn_shows_its_running_calls_as_interrupted() -> None:
    state = turn(
        tool("bash", "running", input={"command": "sleep 9"}),
        status="aborted",
        error={"name": "MessageAbortedError", "data": {"message": "Aborted"}},
    )
    text = parse(turn_html(state)).text
    assert "Stopped." in text
    assert "interrupted" in text
    assert find(turn_html(state), data_status="interrupted")


def test_waiting_for_the_provider_counts_down() -> None:
    state = turn(status="running", retry={"attempt": 2, "message": "Rate limit", "next": 123_456})
    html = LiveTurn(state).snapshot()
    assert find(html, data_until="123456")
    assert find(html, data_since="1000")[0].tag == "time"
    assert "Rate limit (attempt 2)" in parse(html).text


def test_a_sub_session_is_shown_in_its_tasks_card() -> None:
    task = tool(
        "task", "running", input={"description": "Look", "subagent_type": "general"}, metadata={"sessionId": "ses_2"}
    )
    state = turn(task, status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update({"turn"}))
    child = turn({"type": "text", "text": "from the child"}, status="running")
    child.id = "msg_child"
    state.children["ses_2"] = [child]
    page.apply(live.update({"prt_000"}))
    child.steps["msg_step"].parts["prt_000"]["text"] += " and *more*"
    ops = live.update({"prt_000"})
    assert [op[0] for op in ops] == ["splice"]
    page.apply(ops)
    card = page.nodes[next(key for key, node in page.nodes.items() if node.attrs.get("data-tool") == "task")]
    assert "from the child and more" in card.text
    assert page.html() == canonical(parse(LiveTurn(state).snapshot()))
    assert "from the child and more" in parse(turn_html(state)).text


def diffs(*names: str) -> dict:
    patch = "@@ -1 +1 @@\n-a\n+b\n"
    return {"summary": {"diffs": [{"file": name, "patch": patch, "additions": 1, "deletions": 1} for name in names]}}


def test_changes_of_the_turn_are_shown_unless_one_card_shows_them() -> None:
    edit = tool("edit", metadata={"filediff": {"patch": "@@ -1 +1 @@\n-a\n+b\n"}})
    assert "Changed 2 files" in parse(turn_html(turn(edit, edit, user=diffs("a.py", "b.py")))).text
    assert "Changed 1 file" in parse(turn_html(turn(tool("bash"), user=diffs("a.py")))).text
    assert "Changed" not in parse(turn_html(turn(edit, user=diffs("a.py")))).text


def test_a_message_sent_while_the_turn_runs_is_not_the_models() -> None:
    state = turn({"type": "text", "text": "*mine*"})
    step = state.steps["msg_step"]
    said = {"id": "prt_9", "messageID": "msg_9", "type": "text", "text": "*faster*"}
    state.steps["msg_9"] = Message({**step.info, "id": "msg_9", "role": "user"}, {"prt_9": said})
    for html in (turn_html(state), LiveTurn(state).snapshot()):
        assert find(html, data_part="prompt")[0].text == "*faster*"
        assert find(html, data_part="text")[0].text == "mine"


def test_late_bookkeeping_reaches_the_page() -> None:
    state = turn({"type": "text", "text": "x"})
    live = LiveTurn(state)
    page = Page(live.snapshot())
    assert state.prompt
    state.prompt = Message({**state.prompt.info, **diffs("a.py", "b.py")}, state.prompt.parts)
    page.apply(live.update({"msg_user"}))
    assert "Changed 2 files" in page.nodes["root"].text


def test_the_footer_shows_tokens_and_cost() -> None:
    text = parse(turn_html(turn({"type": "text", "text": "x"}, user=diffs("a.py")))).text
    for piece in (
        "build",
        "demo/demo",
        "1 min 4 s",
        "16.2k tokens in, 320 out (15.0k cached)",
        "$0.0123",
        "1 file +1 −1",
    ):
        assert piece in text


def test_the_footer_says_that_the_turn_was_interrupted() -> None:
    def footer(status: str) -> str:
        return next(node.text for node in parse(turn_html(turn(status=status))).walk() if node.tag == "footer")

    assert footer("aborted").split() == [*footer("completed").split(), "interrupted"]
    assert "interrupted" not in footer("error")
    for text in (turn_text(turn(status="aborted")), turn_markdown(turn(status="aborted"))):
        assert "interrupted" in text


def test_unknown_keys_are_ignored() -> None:
    live = LiveTurn(turn(status="running"))
    live.open()
    live.update({"turn"})
    assert live.update({"prt_nothing", "msg_nothing", "what?"}) == []


# What JupyterLab's sanitizer accepts in inline styles (apputils' sanitizer, 4.6): the forms used here.
LENGTH = r"-?(?:\d*\.)?\d+(?:px|em|%)|0"
COLOR = r"rgba?\([\d,.]+\)|light-dark\(rgb\(\d+,\d+,\d+\),(?:#[0-9a-f]{3,6}|rgb\(\d+,\d+,\d+\))\)"
PLAIN_COLOR = r"rgba?\([\d,.]+\)"
ALLOWED = {
    "color": COLOR,
    "background-color": COLOR,
    "background": "none",
    "border": rf"0|1px solid {PLAIN_COLOR}",
    **{f"border-{side}": rf"[123]px solid {PLAIN_COLOR}" for side in ("top", "left")},
    "border-radius": LENGTH,
    "border-collapse": "collapse",
    "margin": rf"(?:(?:{LENGTH})\s?){{1,4}}",
    "margin-left": "auto|" + LENGTH,
    "padding": rf"(?:(?:{LENGTH})\s?){{1,4}}",
    "padding-left": LENGTH,
    "font-size": LENGTH,
    "font-weight": "600",
    "font-style": "italic",
    "font-family": r"inherit|[A-Za-z,-]+",
    "line-height": r"[\d.]+",
    "opacity": r"\.7",
    "display": "block|inline-block|flex",
    "flex": "none",
    "flex-direction": "column-reverse",
    "flex-wrap": "wrap",
    "gap": rf"(?:(?:{LENGTH})\s?){{1,2}}",
    "align-items": "baseline|center",
    "float": "right",
    "white-space": "pre|pre-wrap|nowrap",
    "overflow": "hidden|auto",
    "overflow-x": "auto",
    "overflow-wrap": "break-word",
    "min-width": "0|100%",
    "max-width": "100%",
    "max-height": r"\d+px",
    "width": r"[\d.]+em|100%",
    "height": "auto",
    "box-sizing": "border-box",
    "text-align": "left|right|center",
    "text-indent": LENGTH,
    "text-decoration": "none|underline|line-through",
    "cursor": "pointer",
    "list-style": "none",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_sanitizer_strips_nothing_that_matters(name: str) -> None:
    for state in turns(name):
        for node in check_markup(turn_html(state)).walk():
            assert node.tag not in ("style", "svg", "script", "button", "form", "input")
            for rule in filter(None, (node.attrs.get("style") or "").split(";")):
                prop, _, value = rule.partition(":")
                assert re.fullmatch(ALLOWED[prop], value.strip(), re.IGNORECASE), rule


def test_nothing_is_clickable_where_clicks_do_not_arrive() -> None:
    state = turn()
    state.status = "running"
    state.permissions["per_1"] = {
        "id": "per_1",
        "permission": "bash",
        "patterns": ["ls"],
        "metadata": {"command": "ls"},
    }
    state.questions["que_1"] = {"id": "que_1", "questions": [{"question": "Which?", "options": [{"label": "This"}]}]}
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update(None))
    assert len(find(page.html(), data_part="permission")) == len(find(page.html(), data_part="question")) == 1
    assert find(page.html(), data_intent="stop")
    for heard in (False, True):
        live.look.heard = heard
        page.apply(live.update({"turn"}))
        html = page.html()
        assert ("Answer in the input box" in html) is not heard
        assert bool(find(html, data_intent="permission")) is heard
        assert bool(find(html, data_intent="question")) is heard
        assert bool(find(html, data_intent="stop")) is heard
        assert "Which?" in html
        page.snapshot(live.snapshot())
        assert page.html() == html
