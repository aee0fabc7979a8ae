"""What the agent asks a person while a turn runs: permissions and questions, as cards with buttons and forms.

Only for the live page. A click or submit becomes an intent by the `data-intent` attributes, see wire_protocol.json.
"""

from __future__ import annotations

from typing import Any

from opencode_nb.render import diff, facts
from opencode_nb.render.cards import part_key
from opencode_nb.render.description import Json
from opencode_nb.render.escaping import NOTHING, Html, element, escape, join
from opencode_nb.render.highlight import highlight

_REPLIES = (("once", "Allow once", "primary"), ("always", "Allow always", "button"), ("reject", "Deny", "button"))


def request_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """A request of either kind; paths in it are shown relative to `root`, a change in so many `columns`.

    The change in the card with this `key` can be patched by itself, see `change_html`.
    """
    if "questions" in request:
        return question_html(request, heard=heard)
    return permission_html(request, root, heard=heard, columns=columns, key=key)


def permission_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """A permission request: what for, the command or change itself, and the three answers where they are `heard`."""
    kind = str(request.get("permission") or "")
    title = [
        element("span", escape("!"), style="glyph"),
        element("span", escape("Permission needed"), style="name"),
        element("span", escape(kind), style="subtitle"),
    ]
    pieces = [element("div", join(title), style="line"), _matter(request, root, columns if heard else 0, key)]
    pieces += [_covered(request), _answers(request), _reason(request)] if heard else [_elsewhere()]
    return _card(request, "permission", join(pieces), role="group", aria_label="Permission needed")


def _card(request: Json, part: str, content: Html, **attributes: str) -> Html:
    return element("div", content, style="asking", data_part=part, data_id=str(request.get("id") or ""), **attributes)


def _matter(request: Json, root: str, columns: int, key: str) -> Html:
    """The command or change itself."""
    metadata = _metadata(request)
    if metadata.get("command"):
        command = element("pre", highlight(str(metadata["command"]), "sh"), style="output")
        return element("div", command, style="body")
    subject = element("div", escape(facts.subject(request, root)), style="body value")
    return join([subject, change_html(request, root, columns, key)]) if metadata.get("diff") else subject


def _metadata(request: Json) -> Json:
    metadata = request.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def change_html(request: Json, root: str, columns: int, key: str) -> Html:
    """The change that a permission is asked for, with the choice of its columns, inside the card with this key."""
    change = {"file": facts.subject(request, root), "patch": str(_metadata(request)["diff"])}
    choice = diff.columns_html(columns) if columns else NOTHING
    lines = element("div", diff.body(change, columns), style="rule tall", data_file=change["file"])
    return element("div", join([choice, lines]), data_key=part_key(key, "m"))


def _elsewhere() -> Html:
    """Where to answer on a page whose clicks have to wait until the cell has ended."""
    return element("div", escape("Answer in the input box of this cell."), style="note strong")


def _covered(request: Json) -> Html:
    patterns = [str(pattern) for pattern in request.get("always") or []]
    if not patterns:
        return NOTHING
    text = f"Allow always covers: {', '.join(patterns)}, until OpenCode stops."
    return element("div", escape(text), style="note small muted")


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
    """No, and why: the model goes on with the reason, where a bare no ends its turn."""
    key = str(request.get("id") or "")
    field = element("input", style="field", type="text", name="reason", aria_label="Reason", placeholder="Reason")
    submit = element("button", escape("Refuse and say why"), style="button", type="submit")
    form = element(
        "form", join([element("fieldset", field, style="fieldset"), submit]), data_intent="permission", data_id=key
    )
    summary = element("summary", escape("Say why not\u2026"), style="more")
    return element("details", join([summary, form]), style="reason", data_fold=f"reason-{key}")


def question_html(request: Json, *, heard: bool = True) -> Html:
    """Questions with their options as a form: choices, own words, and a way out; told alone where it is not `heard`."""
    key = str(request.get("id") or "")
    questions = [item for item in request.get("questions") or [] if isinstance(item, dict)]
    if not heard:
        told = [element("div", escape(str(item.get("question") or "")), style="body strong") for item in questions]
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
        join([*fields, element("div", join(buttons), style="actions")]),
        style="form",
        data_intent="question",
        data_id=key,
    )
    return _card(request, "question", form)


def _field(index: int, question: Json) -> Html:
    options = [item for item in question.get("options") or [] if isinstance(item, dict)]
    kind = "checkbox" if question.get("multiple") else "radio"
    legend = element("legend", escape(str(question.get("question") or "")), style="strong")
    choices = [_choice(f"q{index}", kind, option) for option in options]
    own = NOTHING if question.get("custom") is False else _own_words(index, alone=kind == "radio")
    return element("fieldset", join([legend, *choices, own]), style="fieldset")


def _choice(name: str, kind: str, option: Json) -> Html:
    label = str(option.get("label") or "")
    description: Any = option.get("description")
    pieces = [
        element("input", type=kind, name=name, value=label),
        escape(f" {label}"),
        element("span", escape(f"  {description}"), style="muted small") if description else NOTHING,
    ]
    return element("label", join(pieces), style="choice")


def _own_words(index: int, *, alone: bool) -> Html:
    """A field for one's own words; a choice beside the others where an answer must stand `alone`."""
    field = element(
        "input", style="field", type="text", name=f"own{index}", placeholder="Own answer", aria_label="Own answer"
    )
    if not alone:
        return field
    choice = element("input", type="radio", name=f"q{index}", value="", data_own=True, aria_label="In own words")
    return element("div", join([choice, field]), classes="oc-own")
