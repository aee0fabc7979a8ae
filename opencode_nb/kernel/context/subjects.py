"""What a mention stands for, described for a model at each privacy level. Refuses what is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context.blocks import block
from opencode_nb.kernel.context.cells import Cell, Cells
from opencode_nb.kernel.context.mentions import Word, words
from opencode_nb.kernel.context.typing_errors import one_edit_away
from opencode_nb.kernel.values.describe import describe
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.pictures.drawing import drawer
from opencode_nb.kernel.values.pictures.figures import drawn
from opencode_nb.tools.privacy import Level, Outgoing, Piece

AS_TEXT = "Without the @, or in backticks, it is sent as text. Nothing was sent."

_HISTORIES = ("In", "Out")


class Subject(NamedTuple):
    """One thing that a prompt mentions: `@name`, with a word on what it is.

    `outgoing` describes it. It is told whether figures may be drawn, as on the main thread.
    """

    name: str
    kind: str
    outgoing: Callable[[bool], Outgoing]


def subjects(text: str, variables: Mapping[str, object], cells: Cells | None) -> list[Subject]:
    """Return what a text mentions, each once. Raises OpencodeError for cells and errors that are not there."""
    found = [subject for word in words(text) if (subject := _subject(word, variables, cells)) is not None]
    return list({subject.name: subject for subject in found}.values())


def mistyped(text: str, variables: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the mentions that are no variable, but one edit away from some."""
    unknown = [
        word for word in words(text) if not word.quoted and word.name not in {*variables, *_SPECIAL, *_HISTORIES}
    ]
    near = {
        word.name: [name for name in one_edit_away(word.name, variables) if _fits(word, variables[name])]
        for word in unknown
    }
    return {name: meant for name, meant in near.items() if meant}


def mistyped_error(name: str, meant: Iterable[str]) -> OpencodeError:
    """Return the error for a mention that is one edit away from variables."""
    return OpencodeError(f"There is no variable {name}.{did_you_mean(name, meant, '@{}')} {AS_TEXT}")


def _subject(word: Word, variables: Mapping[str, object], cells: Cells | None) -> Subject | None:
    if word.name in variables:
        value = variables[word.name]
        return of_value(word.name, value) if _fits(word, value) else None
    if word.quoted or cells is None:
        return None
    if word.item is not None and word.name.capitalize() in _HISTORIES:
        return _of_history(f"{word.name}[{word.item}]", cells)
    return _SPECIAL[word.name](cells) if word.name in _SPECIAL and not word.attribute else None


def _fits(word: Word, value: object) -> bool:
    """Whether a word names this value: `@data.head()` does, `@data.csv` is a path if the value has no `csv`."""
    return not word.attribute or word.attribute in dir(type(value))


# -- values ------------------------------------------------------------------------------------------------------------


def of_value(name: str, value: object) -> Subject:
    """Return a value by the name it is known by."""
    return Subject(name, kind(value), lambda draws: described(name, value, draws=draws))


def described(name: str, value: object, *, draws: bool) -> Outgoing:
    """Describe a value; a figure comes with its picture if it `draws`."""
    if drawer(value) is not None:
        return drawn(f"`{name}`", name, value, own_code=draws).outgoing
    return Outgoing(name, describe(name, value).pieces)


# -- cells -------------------------------------------------------------------------------------------------------------


def _of_history(name: str, cells: Cells) -> Subject:
    values, sources = cells.values, cells.sources
    known: dict[str, Callable[[], Subject]] = {
        **{f"Out[{n}]": lambda n=n: of_value(f"Out[{n}]", values[n]) for n in values},  # type: ignore[misc]
        **{f"In[{n}]": lambda n=n: _source(n, sources[n]) for n in sources},  # type: ignore[misc]
    }
    if name not in known:
        raise OpencodeError(f"There is no {name}.{did_you_mean(name, reversed(known), '@{}')} {AS_TEXT}")
    return known[name]()


def _source(number: int, source: str) -> Subject:
    name = f"In[{number}]"
    pieces = Piece(f"The source of cell {name}:\n", Level.NAMES), Piece(block(source))
    return Subject(name, "a cell's source", lambda _draws: Outgoing(name, pieces))


def last_error(cells: Cells) -> Subject:
    """Return the last error, with its traceback and its cell. Raises OpencodeError if there is none."""
    error = cells.error
    if error is None:
        raise OpencodeError(f"There is no last error: no cell has failed. {AS_TEXT}")
    return Subject("err", type(error).__name__, lambda _draws: Outgoing("err", tuple(_about_error(cells, error))))


def _about_error(cells: Cells, error: BaseException) -> Iterator[Piece]:
    failed = cells.failed
    where = f", in cell In[{failed.number}]" if failed else ""
    yield Piece(f"The last error in the notebook's kernel is a `{type(error).__name__}`{where}", Level.NAMES)
    yield Piece(f":\n{block(cells.traceback(error))}")
    if failed:
        yield Piece(f"\nThe cell:\n{block(failed.source)}")


def _last_cell(cells: Cells) -> Subject:
    if cells.last is None:
        raise OpencodeError(f"There is no cell for @cell: none has run. {AS_TEXT}")
    return of_cell("cell", f"The cell that ran last in the notebook is In[{cells.last.number}]", cells.last, cells)


def of_cell(name: str, opening: str, cell: Cell, cells: Cells) -> Subject:
    """Return a cell with its source, what it printed, its value and its error; `opening` says which cell it is."""

    def outgoing(draws: bool) -> Outgoing:
        value = _value_of(cell, cells, draws=draws)
        pieces = *_ran(opening, cell, cells), *(value.pieces if value else ()), *_failed(cell, cells)
        return Outgoing(name, pieces, value.images if value else ())

    return Subject(name, f"In[{cell.number}]", outgoing)


def _ran(opening: str, cell: Cell, cells: Cells) -> Iterator[Piece]:
    yield Piece(opening, Level.NAMES)
    yield Piece(f":\n{block(cell.source)}")
    printed = cells.printed(cell.number)
    if printed is None:
        yield Piece("\nWhat it printed is not known here.", Level.NAMES)
    elif printed.strip():
        yield Piece(f"\nIt printed:\n{block(printed)}")


def _value_of(cell: Cell, cells: Cells, *, draws: bool) -> Outgoing | None:
    if cell.number not in cells.values:
        return None
    value = described(f"Out[{cell.number}]", cells.values[cell.number], draws=draws)
    return replace(value, pieces=(Piece("\nIts value: ", Level.NAMES), *value.pieces))


def _failed(cell: Cell, cells: Cells) -> Iterator[Piece]:
    if cell.error is not None:
        yield Piece(f"\nIt failed with a `{type(cell.error).__name__}`", Level.NAMES)
        yield Piece(f":\n{block(cells.traceback(cell.error))}")


_SPECIAL: dict[str, Callable[[Cells], Subject]] = {"err": last_error, "cell": _last_cell}
"""Mentions that stand for no variable, unless the user has one of the name."""
