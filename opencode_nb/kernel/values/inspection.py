"""Look at one value in depth, by a path such as `df`, `model.coef_` or `data["train"]`."""

from __future__ import annotations

from collections.abc import Mapping

from opencode_nb.kernel.values.bounds.bounded import within
from opencode_nb.kernel.values.describe import SECONDS, Description, describe, is_hidden
from opencode_nb.kernel.values.limits import INSPECTION
from opencode_nb.kernel.values.paths import PathError, resolve
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Json, Result


def inspect(path: str, namespace: Mapping[str, object], own: Mapping[str, object], *, own_code: bool) -> Result:
    """Describe the value at a path. `own_code`: whether this is a thread on which the value's own code may run."""
    try:
        found = within(SECONDS, lambda: resolve(path, namespace, own))
    except PathError as error:
        return _failed(*error.pieces)
    except TimeoutError:
        return _failed(Piece("Reading it took too long.", Level.NAMES))
    limits = INSPECTION if own_code else INSPECTION.without_own_code()
    hidden = any(is_hidden(name, found.value) for name in found.names if isinstance(name, str))
    description = describe(path, found.value, limits, hidden=hidden)
    return Result(Outgoing(found.root, description.pieces), shown=(_block(description),))


def _failed(*pieces: Piece) -> Result:
    return Result(Outgoing("inspect", pieces), failed=True)


def _block(description: Description) -> Json:
    return description.table.block if description.table else {"kind": "value", "text": description.text}
