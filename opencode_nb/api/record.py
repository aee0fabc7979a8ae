"""Results: a dict with attribute access that never validates and never drops fields. Knows nothing of HTTP."""

from __future__ import annotations

import json
from collections.abc import ItemsView, ValuesView
from typing import Any, SupportsIndex, cast

__all__ = ["Record", "wrap"]


class Record(dict[str, Any]):
    """A JSON object as the server sent it, with its fields also as attributes: `record.title` is `record["title"]`.

    Unknown, missing and null fields stay as they are. Nested objects become Records, and lists of objects lists of
    Records, on first access, so that a large answer costs nothing until it is read. Use `[]` for fields named like a
    method of dict (`items`, `keys`, `update`...) or starting with "_". Attributes are read-only; write with `[]`.
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        value = dict.__getitem__(self, key)
        kind = type(value)
        if kind is dict or kind is list:
            value = wrap(value)
            dict.__setitem__(self, key, value)
        return value

    def __getattr__(self, name: str) -> Any:
        # Names with "_" are protocols of Python and IPython (`_repr_html_`, `__deepcopy__`), not data.
        if name[:1] != "_" and name in self:
            return self[name]
        raise AttributeError(
            f"this record has no field {name!r}; it has {', '.join(self) or 'none'}", name=name, obj=self
        )

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field, or `default` if it is missing."""
        return self[key] if key in self else default  # noqa: SIM401  # this is `get`

    def pop(self, key: str, *default: Any) -> Any:
        """Remove the field and return its value."""
        if key in self:
            self[key]
        return dict.pop(self, key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the field, after setting it to `default` if it is missing."""
        dict.setdefault(self, key, default)
        return self[key]

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # both return dict_values
        """Return the values, with nested objects as Records."""
        return cast(ValuesView[Any], dict.values(self._wrapped()))

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return the pairs, with nested objects as Records."""
        return cast(ItemsView[str, Any], dict.items(self._wrapped()))

    def copy(self) -> Record:
        """Return a shallow copy."""
        return Record(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a deep copy as plain dicts and lists."""
        return {key: _plain(value) for key, value in dict.items(self)}

    def to_json(self, *, indent: int | None = None) -> str:
        """Return JSON text, with non-ASCII characters unescaped."""
        return json.dumps(self, ensure_ascii=False, indent=indent)

    def _wrapped(self) -> Record:
        for key in self:
            self[key]
        return self

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self if key.isidentifier())]

    def __repr__(self) -> str:
        return f"Record({dict.__repr__(self)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("Record(...)" if cycle else "")
        if not cycle:
            with printer.group(7, "Record(", ")"):
                printer.pretty(self.to_dict())


class _Records(list[Any]):
    """A list with wrapped items: a type of its own, so that it is not wrapped again."""

    __slots__ = ()

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        found = list.__getitem__(self, index)
        return _Records(found) if isinstance(index, slice) else found


def wrap(value: Any) -> Any:
    """Wrap the outermost objects of decoded JSON in Records; return anything else unchanged."""
    if type(value) is dict:
        return Record(value)
    if type(value) is list:
        return _Records([wrap(item) for item in value])
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in dict.items(value)}
    return [_plain(item) for item in value] if isinstance(value, list) else value
