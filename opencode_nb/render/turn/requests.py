"""Render the agent's permission requests and questions as cards with buttons and forms.

Only for the live page. A click or submit becomes an intent through the `data-intent` attributes, see
wire_protocol.json.
"""

from __future__ import annotations

from typing import Any

from opencode_nb.render.diff import box
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, reveal, reveal_line, reveal_words
from opencode_nb.render.markup.highlight import highlight
from opencode_nb.render.turn import request_model
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.cards import part_key
from opencode_nb.render.turn.request_model import CODE, COMMAND, Asked, File

FIRST_SCREEN = 40
"""Lines of changes that are shown before the rest is folded, unless it is short."""
_SHORT_REST = 15

_REPLIES = (
    ("once", "Allow once", "primary"),
    ("turn", "Accept all in this turn", "button"),
    ("always", "Allow always", "button"),
    ("reject", "Deny", "button"),
)
_MOST_ROWS = 16
"""Lines of a field for a source: a longer one scrolls."""


def request_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """Render a request of either kind; paths are relative to `root`, changes are in `columns`.

    The subject in the card with this `key` can be patched separately, see `subject_html`.
    """
    if "questions" in request:
        return question_html(request, heard=heard, key=key)
    return permission_html(request, root, heard=heard, columns=columns, key=key)


def permission_html(request: Json, root: str = "", *, heard: bool = True, columns: int = 1, key: str = "") -> Html:
    """Render a permission request: the command, code or change itself, and the three answers if `heard`."""
    subject = subject_html(request, root, columns if heard else 0, key)
    asked = request_model.asked(request, root)
    answers = [_answers(request, asked), _edit(request, asked), _reason(request)] if heard else [_elsewhere()]
    return _card(request, "permission", join([subject, *answers]), role="group", aria_label="Permission needed")


def _card(request: Json, part: str, content: Html, **attributes: str) -> Html:
    return element("div", content, style="asking", data_part=part, data_id=str(request.get("id") or ""), **attributes)


def subject_html(request: Json, root: str, columns: int, key: str = "") -> Html:
    """Render what may change in the card with this key: all that is relevant to the decision, or who has a question.

    Nothing is cut: long content scrolls, and what is beyond the first screen of changes unfolds.
    """
    if "questions" in request:
        return _question_head(request, key)
    asked = request_model.asked(request, root)
    kind = element("span", escape(reveal_line(asked.kind)), style="subtitle")
    head = _head("!", "Permission needed", kind, f"{_who(asked.asker)} wants to {asked.wants}")
    pieces = [_fact(name, value) for name, value in asked.facts]
    pieces += [_names(asked.files)] if len(asked.files) > 1 else []
    pieces += [_changes(asked.files, columns, str(request.get("id") or ""))] if asked.files else []
    matter = element("div", join(pieces), style="matter")
    return element("div", join([head, matter, _covered(asked)]), style="subject", data_key=part_key(key, "m"))


def _head(glyph: str, name: str, kind: Html, told: str) -> Html:
    """Render a card's first line: what is needed, and who asks."""
    title = [
        element("span", escape(glyph), style="glyph"),
        element("span", escape(name), style="name"),
        kind,
        element("span", escape(reveal_line(told)), style="muted"),
    ]
    return element("div", join((piece for piece in title if piece), Html(" ")), style="asked")


def _who(asker: str) -> str:
    return f"{asker[:1].upper()}{asker[1:]}" if asker else "This session"


def _fact(name: str, value: str) -> Html:
    """Render a name and value; without a name, it is a warning about the previous fact."""
    if not name:
        return element("div", escape(reveal_line(value)), style="fact warn")
    if name in _LANGUAGES:
        return element("div", element("pre", highlight(reveal(value), _LANGUAGES[name]), style="output"), style="fact")
    label = element("span", escape(f"{reveal_line(name)}: "), style="muted small")
    return element("div", join([label, element("span", escape(reveal(value)), style="value")]), style="fact")


_LANGUAGES = {COMMAND: "sh", CODE: "python"}


def _names(files: list[File]) -> Html:
    """Render the list of files, visible before scrolling through the changes."""
    return element("ul", join(element("li", _name(file), style="plain") for file in files), style="files")


def _name(file: File) -> Html:
    path = element("span", escape(reveal_line(file.path)), style="value")
    notes = [element("span", escape(f", {reveal_line(note)}"), style="warn") for note in file.notes]
    return join([path, *notes])


def _changes(files: list[File], columns: int, request_id: str) -> Html:
    """Render the changes of each file below its name, with the choice of columns above, and all but a screen folded."""
    changes = [(file, {"file": file.path, "patch": file.patch}) for file in files]
    rows = [(file, change, box.whole(change, columns)) for file, change in changes]
    total = sum(len(lines) for _, _, lines in rows)
    left = FIRST_SCREEN if total > FIRST_SCREEN + _SHORT_REST else total
    pieces, folded = [box.columns_html(columns)] if columns else [], []
    for file, change, lines in rows:
        if left or not lines:
            pieces.append(_change(file, change, lines[:left]))
        if lines[left:]:
            folded.append(_change(file, change, lines[left:]))
        left = max(0, left - len(lines))
    summary = element("summary", escape(f"Show all {total} lines"), style="more body")
    fold = element("details", join([summary, *folded]), data_fold=f"changes-{request_id}") if folded else NOTHING
    return join([*pieces, fold])


def _change(file: File, change: Json, lines: list[Html]) -> Html:
    """Render these lines of a file's change below its name, and how many there are in all."""
    counts = element("span", box.counts(*box.stats(change)), style="muted small")
    title = element("div", join([_name(file), counts], Html(" ")), style="fact")
    content = box.block(lines) if lines else box.without_lines(change)
    return element("div", join([title, content]), style="rule", data_file=file.path)


def _elsewhere() -> Html:
    """Say where to answer if the page's clicks have to wait until the cell has ended."""
    return element("div", escape("Answer in the input box of this cell."), style="note strong")


def _covered(asked: Asked) -> Html:
    """Say what the answers cover that go beyond this request."""
    told = [("Accept all in this turn", asked.turn), ("Allow always", asked.covers if asked.always else "")]
    lines = [element("div", escape(reveal_line(f"{name}: {covers}"))) for name, covers in told if covers]
    return element("div", join(lines), style="covers small muted") if lines else NOTHING


def _answers(request: Json, asked: Asked) -> Html:
    """Render the buttons: what nobody has seen can only be denied."""
    offered = {"once": True, "turn": bool(asked.turn), "always": bool(request.get("always"))}
    if request_model.is_unseen(request):
        offered = dict.fromkeys(offered, False)
    buttons = [_answer(request, asked, *one) for one in _REPLIES if offered.get(one[0], True)]
    return element("div", join(buttons), style="buttons")


def _answer(request: Json, asked: Asked, reply: str, label: str, style: str) -> Html:
    """Render a button; how far "always" goes is its description, and not in its name."""
    trust = asked.trust if reply == "always" else ""
    aside = element("span", escape(f" \u00b7 {trust}"), style="small", aria_hidden="true") if trust else NOTHING
    return element(
        "button",
        join([escape(label), aside]),
        style=style,
        type="button",
        title=asked.turn if reply == "turn" else asked.covers if trust else None,
        data_intent="permission",
        data_id=str(request.get("id") or ""),
        data_reply=reply,
    )


def _edit(request: Json, asked: Asked) -> Html:
    """Render a form to accept another source than the suggested one: the agent is told."""
    if asked.source is None:
        return NOTHING
    rows = min(asked.source.count("\n") + 3, _MOST_ROWS)
    text = join([Html("\n"), escape(asked.source)])  # a parser drops the first line feed
    field = element("textarea", text, style="source", rows=str(rows), spellcheck="false", aria_label="Source to write")
    return _unfolding(request, "edit", "Edit before accepting\u2026", field, "Accept edited", "edited")


def _reason(request: Json) -> Html:
    """Render a form to deny with a reason: the model continues with it, but a bare denial ends its turn."""
    field = element("input", style="field", type="text", name="reason", aria_label="Reason", placeholder="Reason")
    return _unfolding(request, "reason", "Deny with a reason\u2026", field, "Deny with reason")


def _unfolding(request: Json, name: str, title: str, field: Html, label: str, reply: str | None = None) -> Html:
    """Render a form with one field and a button, below a title that unfolds it."""
    key = str(request.get("id") or "")
    pieces = [
        element("fieldset", field, style="fieldset"),
        element("button", escape(label), style="button", type="submit"),
    ]
    form = element("form", join(pieces), data_intent="permission", data_id=key, data_reply=reply)
    summary = element("summary", escape(title), style="more")
    return element("details", join([summary, form]), style="reason", data_fold=f"{name}-{key}")


_NO_CHOICE = "Choose or write an answer first."
"""Shown beside Answer while the page disables it (static/live/asking.js)."""
_OWN_WORDS = "Type your own answer"


def _question_head(request: Json, key: str) -> Html:
    count = len(_questions(request))
    name = "Question" if count == 1 else f"{count} questions"
    head = _head("?", name, NOTHING, f"{_who(request_model.asker(request))} asks")
    return element("div", head, data_key=part_key(key, "m"))


def _questions(request: Json) -> list[Json]:
    return [item for item in request.get("questions") or [] if isinstance(item, dict)]


def question_html(request: Json, *, heard: bool = True, key: str = "") -> Html:
    """Render questions as a form: options, a free answer, and Dismiss; only their text if not `heard`."""
    request_id, questions = str(request.get("id") or ""), _questions(request)
    head = _question_head(request, key)
    named = {"role": "group", "aria_label": "Answer needed"}
    if not heard:
        told = [element("div", _words(item.get("question")), style="body strong") for item in questions]
        return _card(request, "question", join([head, *told, _elsewhere()]), **named)
    fields = [_field(index, question) for index, question in enumerate(questions)]
    buttons = [
        element("button", escape("Answer"), style="primary", type="submit"),
        element(
            "button",
            escape("Dismiss"),
            style="button",
            type="button",
            data_intent="question",
            data_id=request_id,
            data_reply="reject",
        ),
        element("span", escape(_NO_CHOICE), style="muted small", classes="oc-hint"),
    ]
    form = element(
        "form",
        join([element("div", join(fields), classes="oc-choices"), element("div", join(buttons), style="actions")]),
        style="form",
        data_intent="question",
        data_id=request_id,
    )
    return _card(request, "question", join([head, form]), **named)


def _field(index: int, question: Json) -> Html:
    options = [item for item in question.get("options") or [] if isinstance(item, dict)]
    kind = "checkbox" if question.get("multiple") else "radio"
    several = element("span", escape(" Choose one or more."), style="muted small")
    words = element("span", _words(question.get("question")), style="strong plain")
    legend = element("legend", join([words, several if kind == "checkbox" else NOTHING]), style="legend")
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
        "input", style="field", type="text", name=f"own{index}", placeholder=_OWN_WORDS, aria_label=_OWN_WORDS
    )
    if not alone:
        return field
    choice = element("input", type="radio", name=f"q{index}", value="", data_own=True, aria_label="In your own words")
    return element("div", join([choice, field]), classes="oc-own")
