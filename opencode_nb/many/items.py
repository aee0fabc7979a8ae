"""The prompts of a map, read before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from opencode_nb.results.schema import Schema
from opencode_nb.session.prompt.parts import Prompt, blocks, text_of
from opencode_nb.session.turns.options import TurnOptions
from opencode_nb.session.turns.series import SeriesItem, read_item

TITLE = 60
"""Characters of a session's title."""

OPTIONS = frozenset({"files", "images", "mentions", "system", *TurnOptions.__annotations__})
"""The options that a prompt may have."""

Prompts: TypeAlias = Iterable[SeriesItem]


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt, its options, what its answer must be (None: anything), and the place of its result."""

    index: int
    prompt: Prompt
    options: Mapping[str, Any]
    schema: Schema | None = None

    @property
    def title(self) -> str:
        """A title for its session, from its first line: the server then asks no model for one."""
        line = " ".join(text_of(self.prompt).strip().partition("\n")[0].split())
        return line if len(line) <= TITLE else f"{line[: TITLE - 1]}…"


def read(prompts: Prompts, options: Mapping[str, Any]) -> list[Item]:
    """Return the prompts with their options.

    Raises TypeError for what is no prompt or pair, naming its place, for an unknown option and for a schema that is
    none; ValueError for an empty prompt.
    """
    if isinstance(prompts, (str, bytes, Mapping)):
        raise TypeError(f"Give a list of prompts, not a {type(prompts).__name__}.")
    common = options.get("schema")
    schema = None if common is None else Schema.of(common)
    options = _rereadable(options)
    return [_item(index, given, options, schema) for index, given in enumerate(prompts)]


def _item(index: int, given: SeriesItem, options: Mapping[str, Any], schema: Schema | None) -> Item:
    try:
        _check_pair(given)
        prompt, own = read_item(given, options)
        blocks(prompt)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Prompt {index}: {error}") from None
    if unknown := [name for name in own if name not in OPTIONS]:
        raise TypeError(f"Prompt {index}: unknown option {unknown[0]!r}. Use one of: {', '.join(sorted(OPTIONS))}.")
    if (wanted := own.get("schema")) is not options.get("schema"):
        schema = None if wanted is None else Schema.of(wanted)
    given_options = {name: value for name, value in own.items() if value is not None}
    return Item(index, prompt, _rereadable(given_options), schema)


def _check_pair(given: object) -> None:
    if isinstance(given, tuple) and not (len(given) == 2 and isinstance(given[1], Mapping)):
        raise TypeError("A tuple must be a prompt and a dict of its options. Give texts and attachments as a list.")


def _rereadable(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with lists for iterators: attachments are read for the key, and for each try."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in options.items()}


def by_default(items: Iterable[Item], **make: Callable[[], Any]) -> list[Item]:
    """Return the prompts with these options, made for each of them, where they have none of their own."""
    return [replace(item, options={**{name: new() for name, new in make.items()}, **item.options}) for item in items]
