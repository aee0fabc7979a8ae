"""Render a turn in a terminal with rich: all at once, or while it streams.

Control sequences in texts never reach the terminal. Finished output is printed and stays; on a real terminal the
unfinished end is shown live below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.render.diff import box, kernel
from opencode_nb.render.markdown.blocks import settled_length
from opencode_nb.render.markdown.convert import normalize, terminal_tokens
from opencode_nb.render.markup import ansi
from opencode_nb.render.markup.escape import visible
from opencode_nb.render.markup.table import Table, table_text
from opencode_nb.render.turn import answers, facts, layout
from opencode_nb.render.turn.card_model import (
    Attachment,
    Block,
    Card,
    Change,
    Code,
    Json,
    Output,
    Problem,
    Prose,
    Traceback,
)
from opencode_nb.render.turn.kernel_tools import PYTHON
from opencode_nb.render.turn.text import block_text, card_line
from opencode_nb.render.turn.tools import attachment, describe

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

_COLORS = {"pending": "dim", "running": "blue", "completed": "green", "error": "red", "interrupted": "yellow"}
_MAX_LINES = 40
"""Lines shown of an output or file: its last ones."""
_REFRESH_PER_SECOND = 8


def turn_terminal(turn: TurnState) -> RenderableType:
    """Render the whole turn."""
    return Group(*_parts(turn), *_end(turn))


def _parts(turn: TurnState) -> Iterator[RenderableType]:
    for run in layout.runs(turn):
        for part in run:
            yield part_terminal(part, turn)


def part_terminal(part: Json, turn: TurnState) -> RenderableType:
    """Render one part."""
    kind = layout.kind(part, layout.context(turn))
    if kind == "prompt":
        return Text(visible(f"> {part['text']}"), style="bold")
    if kind == "text":
        return _markdown(str(part["text"]))
    if kind == "reasoning":
        return Group(
            Text(facts.thought(part), style="dim italic"), Padding(_markdown(str(part["text"]), "dim"), (0, 0, 0, 2))
        )
    if kind == "tool":
        return _card(describe(part, layout.context(turn)), turn)
    file = attachment(part)
    return Text(visible(f"[{file.name} {file.mime}]" if kind == "file" else facts.notice(part)), style="dim")


def _markdown(text: str, style: str = "none") -> RenderableType:
    shown = Markdown("", hyperlinks=False, style=style, code_theme="ansi_dark")
    shown.parsed = terminal_tokens(visible(normalize(text)))  # rich's own parser would eat what formulas are made of
    return shown


def _card(card: Card, turn: TurnState) -> RenderableType:
    line = Text(f"{card.glyph} ", style=_COLORS[card.status]).append(visible(card_line(card)), style="bold")
    is_shown = card.open or card.child_session or card.tool == PYTHON  # nothing unfolds here, and code is worth reading
    blocks = [_block(block) for block in card.blocks] if is_shown else []
    children = [Group(*_parts(child)) for child in turn.children.get(card.child_session, [])]
    return Group(line, *(Padding(item, (0, 0, 0, 2)) for item in [*blocks, *children]))


def _block(block: Block) -> RenderableType:
    match block:
        case Change(change):
            return box.terminal(change)
        case Output(text, command, title):
            rows = ansi.plain(text).split("\n")
            left_out = [f"\u2026 {len(rows) - _MAX_LINES} earlier lines"] if len(rows) > _MAX_LINES else []
            above = [f"$ {command}"] * bool(command) + [f"{title}:"] * bool(title)
            return Text(visible("\n".join(above + left_out + rows[-_MAX_LINES:])))
        case Table():
            return Text(visible(table_text(block)), no_wrap=True, overflow="ellipsis")
        case Traceback(text):
            return Text(visible("\n".join(text.split("\n")[-_MAX_LINES:])), style="red")
        case Attachment(mime, name, _):
            return Text(visible(f"[{name} {mime}]"), style="dim")
        case Code(text, path):
            lines = text.split("\n")[:_MAX_LINES]
            return Syntax(visible("\n".join(lines)), Syntax.guess_lexer(path), theme="ansi_dark")
        case Prose(text):
            return _markdown(text)
        case Problem(text):
            return Text(visible(text), style="red")
        case _:
            return Text(visible(block_text(block)))


def _end(turn: TurnState) -> Iterator[RenderableType]:
    """Yield decisions, the error, changes, and the footer."""
    root = facts.directory(turn)
    for made in answers.unplaced(turn):
        yield Text(visible(answers.decision(made, root)), style="yellow" if made.reply == "reject" else "dim")
    problem = facts.failure(turn)
    if facts.was_stopped(turn):
        yield Text("Stopped. The partial answer is kept.", style="yellow")
    elif problem:
        yield Text(visible(problem.text), style="red").append(visible(f"\n{problem.next_step}"), style="dim")
    if diffs := facts.unshown_diffs(turn):
        yield Text(facts.changed(diffs), style="bold")
        yield from (Padding(box.terminal(change), (0, 0, 0, 2)) for change in diffs)
    yield from map(Text, kernel.kernel_lines(KernelChanges.of(turn.kernel)))
    if turn.ended and (bill := facts.bill(turn)):
        yield Text(visible(" · ".join(bill)), style="dim")
    if turn.ended and (entries := facts.sent(turn)):
        yield Text(visible(f"{facts.SENT}: {', '.join(entries)}"), style="dim")
    yield from (Text(visible(line), style="dim") for line in turn.replay)


class LiveTerminal:
    """Prints a turn while it streams: each part when finished, long texts block by block.

    On a real terminal the unfinished part and the turn's status are shown below; elsewhere only finished output is
    printed.
    """

    def __init__(self, turn: TurnState, console: Console | None = None) -> None:
        self._turn = turn
        self._console = console or Console()
        self._printed: set[str] = set()
        self._lengths: dict[str, int] = {}
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=_REFRESH_PER_SECOND, transient=True)
            self._live.start()

    def update(self, dirty: set[str]) -> None:
        """Show what changed; ignores unknown keys."""
        shown = [part for part in self._turn.parts if facts.is_shown(part)]
        waiting = [part for part in shown if part["id"] not in self._printed]
        for part in waiting:
            if not self._print(part, last=part is shown[-1]):
                break
        if self._live:
            self._live.update(self._tail())

    def close(self) -> None:
        """Print the rest and the turn's end, and stop."""
        if self._live:
            self._live.stop()
            self._live = None
        for part in self._turn.parts:
            if facts.is_shown(part) and part["id"] not in self._printed:
                self._console.print(self._rest(part))
                self._printed.add(part["id"])
        for line in _end(self._turn):
            self._console.print(line)

    def _print(self, part: Json, *, last: bool) -> bool:
        """Print the finished output of a part. True if that is all of it, so that the next may follow."""
        if _is_finished(part) or (not last and part.get("type") != "tool"):
            self._console.print(self._rest(part))
            self._printed.add(part["id"])
            return True
        if part.get("type") == "text":
            self._print_blocks(part)
        return False

    def _print_blocks(self, part: Json) -> None:
        begin = self._lengths.get(part["id"], 0)
        text = str(part["text"])[begin:]
        if length := settled_length(text):
            self._lengths[part["id"]] = begin + length
            self._console.print(_markdown(text[:length]))

    def _rest(self, part: Json) -> RenderableType:
        begin = self._lengths.get(part["id"], 0)
        rest = {**part, "text": str(part["text"])[begin:]} if begin else part
        return part_terminal(rest, self._turn)

    def _tail(self) -> RenderableType:
        """Return the unfinished part, at most a screenful, and what the turn is doing."""
        waiting = [part for part in self._turn.parts if facts.is_shown(part) and part["id"] not in self._printed]
        items = [self._rest(part) for part in waiting[:1]]
        if self._turn.retry:
            items.append(
                Text(visible(f"{self._turn.retry.get('message') or 'Waiting'}: trying again\u2026"), style="yellow")
            )
        elif not self._turn.ended:
            items.append(Text("Working\u2026", style="blue"))
        return Group(*items)


def _is_finished(part: Json) -> bool:
    if part.get("type") == "tool":
        return (part.get("state") or {}).get("status") in ("completed", "error")
    time = part.get("time")
    return part.get("type") not in ("text", "reasoning") or (isinstance(time, dict) and time.get("end") is not None)
