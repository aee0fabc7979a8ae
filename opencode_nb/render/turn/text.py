"""Render a turn as Markdown and plain text: for notebooks' other formats, exports and terminals without colour.

The model's Markdown stays Markdown, but inert: HTML, remote pictures and links to scripts are disabled. Everything else
is fenced or escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.render.diff import box, kernel
from opencode_nb.render.markdown.convert import contained, document, fenced, literal
from opencode_nb.render.markup import ansi
from opencode_nb.render.markup.escape import visible
from opencode_nb.render.markup.table import Table, table_markdown, table_text
from opencode_nb.render.turn import answers, facts, layout
from opencode_nb.render.turn.card_model import (
    Answers,
    Attachment,
    Block,
    Card,
    Change,
    Checklist,
    Code,
    Json,
    Link,
    Output,
    Pairs,
    Problem,
    Prose,
    Traceback,
)
from opencode_nb.render.turn.phrases import duration
from opencode_nb.render.turn.todos import CANCELLED
from opencode_nb.render.turn.tools import attachment, describe

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

_BOXES = {"completed": "x", CANCELLED: "-"}
_MAX_LINES = 200
"""Lines kept of an output or file in Markdown and plain text."""


def turn_markdown(turn: TurnState) -> str:
    """Return the turn as Markdown."""
    pieces = [*_parts(turn), *(literal(line) for line in _lines(turn))]
    pieces += [box.markdown(change) for change in facts.unshown_diffs(turn)]
    if changed := kernel.kernel_lines(KernelChanges.of(turn.kernel)):
        pieces.append(fenced("\n".join(changed), "text"))
    if turn.ended and (bill := facts.bill(turn)):
        pieces.append(f"*{literal(' · '.join(bill))}*")
    pieces += [f"*{literal(line)}*" for line in (*_sent(turn), *turn.replay)]
    return document(pieces) + "\n"


def turn_text(turn: TurnState) -> str:
    """Return the turn as plain text, without control characters."""
    pieces = [*_plain_parts(turn), *_lines(turn)]
    if diffs := facts.unshown_diffs(turn):
        added, removed = facts.total(diffs)
        names = ", ".join(str(change.get("file") or "") for change in diffs)
        pieces.append(f"{facts.changed(diffs)}: {names} +{added} \u2212{removed}")
    pieces.append("\n".join(kernel.kernel_lines(KernelChanges.of(turn.kernel))))
    if turn.ended and (bill := facts.bill(turn)):
        pieces.append(" · ".join(bill))
    pieces += [*_sent(turn), *turn.replay]
    return visible("\n\n".join(piece for piece in pieces if piece))


def _sent(turn: TurnState) -> list[str]:
    return [f"{facts.SENT}: {', '.join(entries)}"] if turn.ended and (entries := facts.sent(turn)) else []


def _lines(turn: TurnState) -> Iterator[str]:
    """Yield a line for each decision that no card shows, and for the error."""
    root = facts.directory(turn)
    yield from (f"{answers.decision(made, root)}." for made in answers.unplaced(turn))
    problem = facts.failure(turn)
    if facts.was_stopped(turn):
        yield "Stopped. The partial answer is kept."
    elif problem:
        yield f"Error: {problem.text} {problem.next_step}"


def _parts(turn: TurnState) -> Iterator[str]:
    for run in layout.runs(turn):
        for part in run:
            yield _part(turn, part)


def _part(turn: TurnState, part: Json) -> str:
    kind = layout.kind(part, layout.context(turn))
    if kind == "text":
        return contained(str(part["text"]))
    if kind == "reasoning":
        return _quoted(f"*{facts.thought(part)}*\n\n{contained(str(part['text']))}")
    if kind == "prompt":
        return _quoted("\n>\n".join(literal(line) for line in str(part["text"]).split("\n")))
    if kind != "tool":
        return literal(_other(part))
    card = describe(part, layout.context(turn))
    children = [_quoted("\n\n".join(_parts(child))) for child in turn.children.get(card.child_session, [])]
    return "\n\n".join([f"**{literal(card_line(card))}**", *(_block(block) for block in card.blocks), *children])


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def card_line(card: Card) -> str:
    """Describe a tool call in one line of plain text."""
    pieces = [f"{card.name}: {card.about}" if card.about else card.name, card.note]
    if card.counts:
        pieces.append(f"+{card.counts[0]} \u2212{card.counts[1]}")
    if card.status != "completed":
        pieces.append({"error": "failed"}.get(card.status, card.status))
    pieces.append(duration(card.seconds) if card.seconds and card.seconds >= 1 else "")
    pieces += [verdict.text for verdict in card.verdicts]
    return " · ".join(piece for piece in pieces if piece)


def _block(block: Block) -> str:
    match block:
        case Output(text, command, title):
            shown = f"$ {command}\n{ansi.plain(text)}" if command else ansi.plain(text)
            return f"{literal(title)}:\n\n" * bool(title) + fenced(_shortened(shown))
        case Code(text, path):
            return fenced(_shortened(text), "python" if path.endswith(".py") else "")
        case Traceback(text):
            return fenced(_shortened(text), "pytb")
        case Table():
            return table_markdown(block, literal)
        case Change(change):
            return box.markdown(change)
        case Checklist(todos):
            return "\n".join(_todo(todo, literal(str(todo.get("content") or ""))) for todo in todos)
        case Prose(text):
            return _quoted(contained(text))
        case Link(url):
            return literal(url)
        case _:
            return fenced(block_text(block))


def _todo(todo: Json, text: str) -> str:
    """Return a todo as a Markdown item: cancelled ones have no box, which would be open or done."""
    if todo.get("status") == CANCELLED:
        return f"- ~~{text}~~ (cancelled)"
    return f"- [{'x' if todo.get('status') == 'completed' else ' '}] {text}"


def block_text(block: Block) -> str:
    """Return a block of content as plain text."""
    match block:
        case Output(text, command, title):
            return "\n".join(
                [f"$ {command}"] * bool(command) + [f"{title}:"] * bool(title) + [ansi.plain(text)] * bool(text)
            )
        case Change(change):
            return box.patch_text(change)
        case Checklist(todos):
            return "\n".join(
                f"[{_BOXES.get(str(todo.get('status')), ' ')}] {todo.get('content') or ''}" for todo in todos
            )
        case Pairs(items):
            return "\n".join(f"{name}: {value}" for name, value in items)
        case Answers():
            return "\n".join(f"{question}\n{answer}".rstrip() for question, answer in block.lines())
        case Attachment(mime, name, _):
            return f"{name} ({mime})"
        case Link(url):
            return url
        case Table():
            return table_text(block)
        case Code(text) | Prose(text) | Problem(text) | Traceback(text):
            return text


def _shortened(text: str) -> str:
    lines = text.split("\n")
    if len(lines) <= _MAX_LINES:
        return text
    return "\n".join(
        [
            *lines[: _MAX_LINES // 2],
            f"\u2026 {len(lines) - _MAX_LINES} lines left out \u2026",
            *lines[-_MAX_LINES // 2 :],
        ]
    )


def _other(part: Json) -> str:
    if part.get("type") == "text":
        return f"> {part['text']}"
    if part.get("type") == "file":
        file = attachment(part)
        return f"{file.name} ({file.mime})"
    return facts.notice(part)


def _plain_parts(turn: TurnState) -> Iterator[str]:
    for run in layout.runs(turn):
        for part in run:
            yield _plain_part(turn, part)


def _plain_part(turn: TurnState, part: Json) -> str:
    kind = layout.kind(part, layout.context(turn))
    if kind == "text":
        return str(part["text"]).strip()
    if kind == "reasoning":
        return f"[{facts.thought(part)}]"
    if kind != "tool":
        return _other(part)
    card = describe(part, layout.context(turn))
    children = "\n".join(_plain_parts_indented(turn, card))
    told = [block_text(block) for block in card.blocks if isinstance(block, Problem | Traceback | Answers)]
    return "\n".join(line for line in [f"{card.glyph} {card_line(card)}", *told, children] if line)


def _plain_parts_indented(turn: TurnState, card: Card) -> Iterator[str]:
    for child in turn.children.get(card.child_session, []):
        for text in _plain_parts(child):
            yield "\n".join(f"    {line}" for line in text.split("\n"))
