"""Read the schema of `--schema EXPR`, and keep the value that the turn gives for it."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context.expressions import evaluate
from opencode_nb.results.schema import Schema


def read_schema(shell: InteractiveShell, expression: str | None) -> Schema | None:
    """Return the schema of an expression in the user's namespace; None without one. Raises OpencodeError."""
    if expression is None:
        return None
    option = f"--schema {expression}"
    value = evaluate(shell, expression, option, "If it has spaces, put quotes around it.")
    try:
        return Schema.of(value)
    except (TypeError, ValueError) as error:
        raise OpencodeError(f"{option}: {error} Nothing was sent.") from error
