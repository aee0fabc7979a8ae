"""Render the agent's permission requests and questions as cards with buttons and forms.

Only for the live page. A click or submit becomes an intent through the `data-intent` attributes, see
wire_protocol.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opencode_nb.render.diff import box
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, reveal, reveal_line, reveal_words
from opencode_nb.render.markup.highlight import highlight
from opencode_nb.render.turn import request_model
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.cards import part_key
from opencode_nb.render.turn.request_model import COMMAND, Asked, File

_REPLIES = (("once", "Allow once", "primary"), ("always", "Allow always", "button"), ("reject", "Deny", "button"))


def request_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """Render a request of either kind; paths are relative to `root`, changes are in `columns`.

    The subject in the card with this `key` can be patched separately, see `subject_html`.
    """
    if "questions" in request:
        return question_html(request, heard=heard)
    return permission_html(request, root, heard=heard, columns=columns, key=key)


def permission_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """Render a permission request: the command or change itself, and the three answers if `heard`."""
    subject = subject_html(request, root, columns if heard else 0, key)
    answers = [_answers(request), _reason(request)] if heard else [_elsewhere()]
    return _card(request, "permission", join([subject, *answers]), role="group", aria_label="Permission needed")


def _card(request: Json, part: str, content: Html, **attributes: str) -> Html:
    return element("div", content, style="asking", data_part=part, data_id=str(request.get("id") or ""), **attributes)


def subject_html(request: Json, root: str, columns: int, key: str = "") -> Html:
    """Render everything relevant to the decision, in the card with this key: the request and what "always" covers.

    Long content scrolls; nothing is cut or folded.
    """
    asked = request_model.asked(request, root)
    title = [
        element("span", escape("!"), style="glyph"),
        element("span", escape("Permission needed"), style="name"),
        element("span", escape(reveal_line(str(request.get("permission") or ""))), style="subtitle"),
        element("span", escape(reveal_line(f"to {asked.wants}")), style="muted"),
    ]
    pieces = [_fact(name, value) for name, value in asked.facts]
    pieces += [_names(asked.files)] if len(asked.files) > 1 else []
    pieces += _changes(asked.files, columns)
    matter = element("div", join(pieces), style="matter")
    head = element("div", join(title, Html(" ")), style="asked")
    return element("div", join([head, matter, _covered(asked)]), style="subject", data_key=part_key(key, "m"))


def _fact(name: str, value: str) -> Html:
    """Render a name and value; without a name, it is a warning about the previous fact."""
    if not name:
        return element("div", escape(reveal_line(value)), style="fact warn")
    if name == COMMAND:
        return element("div", element("pre", highlight(reveal(value), "sh"), style="output"), style="fact")
    label = element("span", escape(f"{reveal_line(name)}: "), style="muted small")
    return element("div", join([label, element("span", escape(reveal(value)), style="value")]), style="fact")


def _names(files: list[File]) -> Html:
    """Render the list of files, visible before scrolling through the changes."""
    return element("ul", join(element("li", _name(file), style="plain") for file in files), style="files")


def _name(file: File) -> Html:
    path = element("span", escape(reveal_line(file.path)), style="value")
    notes = [element("span", escape(f", {reveal_line(note)}"), style="warn") for note in file.notes]
    return join([path, *notes])


def _changes(files: list[File], columns: int) -> Iterator[Html]:
    """Yield the changes of each file below its name, with the choice of columns above them."""
    if columns and files:
        yield box.columns_html(columns)
    for file in files:
        change = {"file": file.path, "patch": file.patch}
        title = element("div", _name(file), style="fact")
        yield element("div", join([title, box.whole(change, columns)]), style="rule", data_file=file.path)


def _elsewhere() -> Html:
    """Say where to answer if the page's clicks have to wait until the cell has ended."""
    return element("div", escape("Answer in the input box of this cell."), style="note strong")


def _covered(asked: Asked) -> Html:
    if not asked.always:
        return NOTHING
    told = f"Allow always covers: {asked.always}, {asked.holds}"
    return element("div", escape(reveal_line(told)), style="covers small muted")


def _answers(request: Json) -> Html:
    key = str(request.get("id") or "")
    buttons = [
        element(
            "button", escape(label), style=style, type="button", data_intent="permission", data_id=key, data_reply=reply
        )
        for reply, label, style in _REPLIES
        if reply != "always" or request.get("always")
    ]
    return element("div", join(buttons), style="buttons")


def _reason(request: Json) -> Html:
    """Render a form to deny with a reason: the model continues with it, but a bare denial ends its turn."""
    key = str(request.get("id") or "")
    field = element("input", style="field", type="text", name="reason", aria_label="Reason", placeholder="Reason")
    submit = element("button", escape("Deny with reason"), style="button", type="submit")
    form = element(
        "form", join([element("fieldset", field, style="fieldset"), submit]), data_intent="permission", data_id=key
    )
    summary = element("summary", escape("Say why not\u2026"), style="more")
    return element("details", join([summary, form]), style="reason", data_fold=f"reason-{key}")


def question_html(request: Json, *, heard: bool = True) -> Html:
    """Render questions as a form: options, a free answer, and Dismiss; only their text if not `heard`."""
    key = str(request.get("id") or "")
    questions = [item for item in request.get("questions") or [] if isinstance(item, dict)]
    if not heard:
        told = [element("div", _words(item.get("question")), style="body strong") for item in questions]
        return _card(request, "question", join([*told, _elsewhere()]))
    fields = [_field(index, question) for index, question in enumerate(questions)]
    buttons = [
        element("button", escape("Answer"), style="primary", type="submit"),
        element(
            "button",
            escape("Dismiss"),
            style="button",
            type="button",
            data_intent="question",
            data_id=key,
            data_reply="reject",
        ),
    ]
    form = element(
        "form",
        join([element("div", join(fields), classes="oc-choices"), element("div", join(buttons), style="actions")]),
        style="form",
        data_intent="question",
        data_id=key,
    )
    return _card(request, "question", form)


def _field(index: int, question: Json) -> Html:
    options = [item for item in question.get("options") or [] if isinstance(item, dict)]
    kind = "checkbox" if question.get("multiple") else "radio"
    legend = element("legend", _words(question.get("question")), style="strong")
    choices = [_choice(f"q{index}", kind, option) for option in options]
    own = NOTHING if question.get("custom") is False else _own_words(index, alone=kind == "radio")
    return element("fieldset", join([legend, *choices, own]), style="fieldset")


def _words(text: Any) -> Html:
    return escape(reveal_words(str(text or "")))


def _choice(name: str, kind: str, option: Json) -> Html:
    label = str(option.get("label") or "")
    description: Any = option.get("description")
    pieces = [
        element("input", type=kind, name=name, value=label),
        escape(f" {reveal_words(label)}"),
        element("span", escape(f"  {reveal_words(str(description))}"), style="muted small") if description else NOTHING,
    ]
    return element("label", join(pieces), style="choice")


def _own_words(index: int, *, alone: bool) -> Html:
    """Render a field for a free answer; with `alone`, it is one of the exclusive options."""
    field = element(
        "input", style="field", type="text", name=f"own{index}", placeholder="Your answer", aria_label="Your answer"
    )
    if not alone:
        return field
    choice = element("input", type="radio", name=f"q{index}", value="", data_own=True, aria_label="In your own words")
    return element("div", join([choice, field]), classes="oc-own")
