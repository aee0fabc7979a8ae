"""The types of what the server returns, by the names of its schemas: `from opencode_nb import types`, `types.Session`.

Type checkers and editors see each with its fields (api/types/results.pyi). At run time the server's objects are all
Records, which never validate: a class is `Record` here, and a union of several kinds `Any`.
"""

from __future__ import annotations

import pathlib as _pathlib  # with an underscore, as a schema may have any other name: one is Path
import re as _re
import typing as _typing
from functools import cache as _cache

from opencode_nb.api.record import Record as _Record

if _typing.TYPE_CHECKING:
    from opencode_nb.api.types.results import *  # noqa: F403

_STUB = _pathlib.Path(__file__).with_name("api") / "types" / "results.pyi"
_DEFINED = _re.compile(r"^(?:class (\w+)\(|(\w+): TypeAlias)", _re.MULTILINE)


@_cache
def _types() -> dict[str, _typing.Any]:
    """Read the names from the generated stub, the only place that has them."""
    found = _DEFINED.findall(_STUB.read_text(encoding="utf-8"))
    return {name or alias: _Record if name else _typing.Any for name, alias in found}


if not _typing.TYPE_CHECKING:  # a type checker would take every name for one that exists

    def __getattr__(name: str) -> _typing.Any:
        if name not in _types():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}: the server has no such schema.")
        return _types()[name]


def __dir__() -> list[str]:
    return sorted(_types())
