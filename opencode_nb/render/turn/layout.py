"""Lay out a turn: the parts in order, and the lines around them.

Every function returns the markup of one place, for the live page (with a key) and the saved notebook (without); "" if
it is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.render.diff import box, kernel
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join
from opencode_nb.render.turn import answers, cards, facts, todos
from opencode_nb.render.turn.card_model import Card, Context, Json, Pairs
from opencode_nb.render.turn.phrases import shorten
from opencode_nb.render.turn.tools import attachment, explored, is_exploring
from opencode_nb.transcript.attribution import own_diffs

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState


_LONG_LINE = 90
_SHORT_LIST = 3


def prompt_html(turn: TurnState) -> Html:
    """Render the user's prompt with its attachments."""
    parts = list(turn.prompt.parts.values()) if turn.prompt else []
    texts = [element("div", escape(str(part["text"])), style="plain") for part in parts if _is_text(part)]
    files = [cards.attachment_html(attachment(part)) for part in parts if part.get("type") == "file"]
    variables = [_variable_html(part, told) for part in parts if (told := facts.variable(part))]
    notices = [element("div", escape(said), style="muted small") for part in parts if (said := facts.notice(part))]
    content = join([*texts, *files, *variables, *notices])
    return element("div", content, style="prompt", data_part="prompt") if content else NOTHING


def _variable_html(part: Json, told: tuple[str, str]) -> Html:
    """Render what the model was shown of a variable, folded."""
    name, kind = (escape(word) for word in told)
    title = join([element("span", name, style="subtitle"), element("span", kind, style="muted small")], Html(" "))
    shown = element("pre", escape(str(part.get("text") or "")), style="output tall")
    inside = join([element("summary", title, style="more"), shown])
    return element("details", inside, data_variable=told[0], data_fold=str(part.get("id")))


def _is_text(part: Json) -> bool:
    return part.get("type") == "text" and facts.is_shown(part)


def decisions_html(turn: TurnState) -> Html:
    """Render who allowed or denied what, where no card shows it."""
    root = facts.directory(turn)
    return join(_decision(answers.decision(made, root), made.reply == "reject") for made in answers.unplaced(turn))


def _decision(text: str, denied: bool) -> Html:
    glyph = element("span", escape("\u2298" if denied else "\u2713"), style="glyph")
    return element(
        "div",
        join([glyph, element("span", escape(text), style="wrap warn" if denied else "wrap muted")]),
        style="line small",
        data_part="decision",
    )


def error_html(turn: TurnState, *, again: bool = False) -> Html:
    """Render the error and the next step, or that the turn was stopped; with `again`, a button to send it again."""
    problem = facts.failure(turn)
    if facts.was_stopped(turn):
        return element(
            "div",
            element("span", escape("Stopped. The partial answer is kept."), style="warn"),
            style="notice",
            data_part="error",
        )
    if problem is None:
        return NOTHING
    texts = [
        element("div", escape(problem.text), style="bad strong plain"),
        element("div", _with_commands(problem.next_step), style="muted"),
        _again(turn) if again and facts.can_be_sent_again(turn) else NOTHING,
    ]
    return element("div", join(texts), style="error", data_part="error", role="alert")


def _again(turn: TurnState) -> Html:
    button = element(
        "button", escape("Try again"), style="button", type="button", data_intent="again", data_message=turn.id
    )
    return element("div", button, style="actions")


def _with_commands(text: str) -> Html:
    """Render text, with anything in backticks as code."""
    pieces = enumerate(text.split("`"))
    return join(element("code", escape(piece), style="value") if odd % 2 else escape(piece) for odd, piece in pieces)


def changes_html(turn: TurnState, key: str = "", columns: int = 0) -> Html:
    """Render what the whole turn changed on disk, if no single card shows it."""
    diffs = facts.unshown_diffs(turn)
    if not diffs:
        return NOTHING
    title = [
        element("span", escape("\u00b1"), style="glyph"),
        element("span", escape(facts.changed(diffs)), style="name"),
        element("span", box.counts(*facts.total(diffs)), style="end"),
    ]
    summary = element("summary", join(title), style="summary")
    choice = box.columns_html(columns) if columns else NOTHING
    boxes = [box.html(item, open_=len(diffs) == 1, columns=columns) for item in diffs]
    files = element("div", join([choice, *boxes]), style="body")
    return element(
        "details", join([summary, files]), style="card", data_part="changes", data_fold=cards.part_key(key, "f")
    )


def kernel_html(turn: TurnState, key: str = "") -> Html:
    """Render what the turn's code changed in the kernel."""
    return kernel.kernel_html(KernelChanges.of(turn.kernel), cards.part_key(key, "k") or "")


def footer_html(turn: TurnState) -> Html:
    """Render agent, model, duration, tokens, cost and changed files, once the turn has ended."""
    if not turn.ended:
        return NOTHING
    phrases = [element("span", escape(phrase)) for phrase in facts.bill(turn)]
    if diffs := own_diffs(turn):
        files = f"{len(diffs)} file{'' if len(diffs) == 1 else 's'}"
        phrases.append(element("span", join([escape(files), box.counts(*facts.total(diffs))], Html(" "))))
    return element("footer", join(phrases, Html(" ")), style="footer") if phrases else NOTHING


def sent_html(turn: TurnState, key: str = "") -> Html:
    """Render what left the kernel with the turn; a long list is folded."""
    entries = facts.sent(turn)
    if not turn.ended or not entries:
        return NOTHING
    if len(entries) <= _SHORT_LIST:
        return element("div", escape(f"{facts.SENT}: {', '.join(entries)}"), style="muted small", data_part="sent")
    more = f"{', '.join(entries[:_SHORT_LIST])} and {len(entries) - _SHORT_LIST} more"
    summary = element("summary", escape(f"{facts.SENT}: {more}"), style="more")
    listed = element("ul", join(element("li", escape(entry)) for entry in entries), style="files muted small")
    return element("details", join([summary, listed]), data_part="sent", data_fold=cards.part_key(key, "f"))


def replay_html(turn: TurnState) -> Html:
    """Say that the turn is played from a recording, and what was not repeated."""
    lines = join(element("div", escape(line)) for line in turn.replay)
    return element("div", lines, style="muted small", data_part="replay") if turn.replay else NOTHING


def todos_html(turn: TurnState) -> Html:
    """Render a running turn's progress in its todos."""
    now = todos.current(turn.todos)
    if turn.ended or not now:
        return NOTHING
    text = f"{todos.progress(turn.todos)}, now: {now}"
    return element(
        "div",
        join([element("span", escape("\u25d0"), style="glyph"), element("span", escape(text))]),
        style="line small muted",
        data_part="todos",
    )


def status_html(turn: TurnState, *, actions: bool) -> Html:
    """Render what a running turn is doing, for how long, and a Stop button."""
    if turn.ended:
        return NOTHING
    since = facts.started(turn)
    pieces = [element("span", _activity(turn), style="info")]
    if since is not None:
        pieces.append(element("time", NOTHING, role="timer", data_since=str(int(since))))
    if actions:
        pieces.append(element("button", escape("Stop"), style="button", type="button", data_intent="stop"))
    return element("div", join(pieces), style="bar", role="status")


def retry_html(turn: TurnState) -> Html:
    """Render that a running subagent waits to retry; its other activity shows in its parts."""
    if turn.ended or not turn.retry:
        return NOTHING
    return element("div", element("span", _waiting(turn.retry), style="info"), style="bar", data_part="retry")


def _activity(turn: TurnState) -> Html:
    if turn.retry:
        return _waiting(turn.retry)
    if turn.permissions or turn.questions:
        return escape("Waiting for your answer")
    return escape("Queued" if turn.status == "queued" else "Working")


def _waiting(retry: Json) -> Html:
    """Render why the model is retried, and when: the page counts down."""
    reason, until = retry.get("message") or "The provider failed", retry.get("next")
    text = escape(f"{reason} (attempt {retry.get('attempt') or 1}), trying again ")
    if not isinstance(until, int | float):
        return join([text, escape("soon")])
    return join([text, escape("in "), element("span", escape("a moment"), role="timer", data_until=str(int(until)))])


def context(turn: TurnState, columns: int = 0) -> Context:
    """Return what the turn's parts don't say themselves."""
    asked = frozenset(step.id for step in list(turn.steps.values()) if step.info.get("role") == "user")
    return Context(
        turn.ended,
        facts.directory(turn),
        frozenset(turn.children),
        asked,
        columns,
        answers.consents(turn),
        facts.is_typed_command(turn),
        turn.shown,
        bool(turn.sent or turn.shown),
    )


def kind(part: Json, context: Context) -> str:
    """Return a part's type; "prompt" for text that the user sent while the turn was running."""
    name = str(part.get("type") or "part")
    return "prompt" if name == "text" and part.get("messageID") in context.asked else name


def provenance_html(items: Json) -> Html:
    """Render the turn's provenance, folded."""
    rows = [(str(name), str(value)) for name, value in items.items() if value not in (None, "")]
    summary = element("summary", escape("Provenance"), style="more")
    return element("details", join([summary, cards.block_html(Pairs(rows))]))


def runs(turn: TurnState) -> Iterator[list[Json]]:
    """Yield the visible parts: consecutive exploring calls together, every other part alone."""
    run: list[Json] = []
    for part in turn.parts:
        if not facts.is_shown(part):
            continue
        if run and not (is_exploring(part) and is_exploring(run[0])):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def group_html(looks: list[Card], content: Html, key: str = "") -> Html:
    """Render exploring tool calls as one collapsible line."""
    summary = element("summary", group_summary(looks), style="summary", data_key=cards.part_key(key, "s"))
    inside = element("div", content, style="group", data_key=cards.part_key(key, "b"))
    return element(
        "details",
        join([summary, inside]),
        style="card",
        data_part="group",
        data_key=key or None,
        data_fold=key or None,
        aria_label="Explored",
    )


def group_summary(looks: list[Card]) -> Html:
    """Render a group's summary: how many calls of which kind, their subjects, and whether some failed."""
    failed = sum(card.status == "error" for card in looks)
    at = shorten(", ".join(card.about for card in looks if card.about), _LONG_LINE)
    pieces = [
        element("span", escape("\u2315"), style="glyph"),
        element("span", escape("Explored"), style="name"),
        element("span", escape(explored(card.tool for card in looks))),
        element("span", escape(at), style="subtitle") if at else NOTHING,
        element("span", escape(f"{failed} failed"), style="end bad") if failed else NOTHING,
    ]
    return join((piece for piece in pieces if piece), Html(" "))


def text_html(content: Html, key: str = "") -> Html:
    """Render the model's text."""
    return element("div", content, style="text", data_part="text", data_key=key or None)


def reasoning_html(part: Json, content: Html, *, thinking: bool, key: str = "") -> Html:
    """Render the model's reasoning: open while it thinks, then folded."""
    title = "Thinking\u2026" if thinking else facts.thought(part)
    summary = element("summary", escape(title), style="more")
    body = element("div", content, style="thought", data_key=cards.part_key(key, "b"))
    status = "running" if thinking else "completed"
    return element(
        "details",
        join([summary, body]),
        style="quiet",
        data_part="reasoning",
        data_status=status,
        data_key=key or None,
        data_fold=key or None,
        open=thinking,
        aria_label=title,
    )


def other_html(part: Json, context: Context, key: str = "") -> Html:
    """Render any other part: a user's message, a file, a notice, or a type that this version doesn't know."""
    name = kind(part, context)
    if name == "prompt":
        content = element("div", escape(str(part.get("text") or "")), style="prompt plain")
    elif name == "file":
        content = cards.attachment_html(attachment(part))
    elif text := facts.notice(part):
        content = element("div", escape(text), style="line small muted")
    else:
        shown = {name: value for name, value in part.items() if name not in ("id", "sessionID", "messageID")}
        summary = element("summary", escape(f"Unknown part: {name}"), style="more")
        content = element("details", join([summary, cards.json_html(shown)]))
    return element("div", content, data_part=name, data_key=key or None)
