"""Evaluate an expression of the user's in the kernel, for a value in a prompt's text or for an image."""

from __future__ import annotations

import ast

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.values import plain
from opencode_nb.kernel.values.describe import describe
from opencode_nb.kernel.values.kinds import package
from opencode_nb.secret import MASK, Secret, names_secret
from opencode_nb.tools.privacy import Outgoing, Piece

LONGEST = 1_000_000
"""Characters of the longest text that is put into a prompt; a longer one is rather a file."""


def evaluate(shell: InteractiveShell, expression: str, shown: str, hint: str = "") -> object:
    """Return the value of an expression in the user's namespace, on this thread.

    Raises OpencodeError, which names it as `shown` and ends with `hint`, for whatever it raises but an interrupt.
    """
    try:
        return shell.ev(expression)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise OpencodeError(" ".join(filter(None, (f"{shown}: {reason}. Nothing was sent.", hint)))) from error


def in_text(expression: str, value: object) -> Outgoing:
    """Return what an expression puts into a prompt: a text as it is, what is short as it prints, else a description.

    What has a secret's name is masked. Raises OpencodeError for a text that is too long.
    """
    return Outgoing(expression, (Piece(MASK if _is_secret(expression, value) else _text(expression, value)),))


def _text(expression: str, value: object) -> str:
    if isinstance(value, str):
        return _bounded(expression, str.__str__(value))
    if type(value) in plain.PLAIN or _is_numpy_scalar(value):
        return str(value)
    return plain.inside(value) or describe(expression, value).text


def _bounded(expression: str, text: str) -> str:
    if len(text) > LONGEST:
        size = f"{len(text):,} characters, more than the {LONGEST:,} that fit into a prompt"
        raise OpencodeError(f"{{{{{expression}}}}} has {size}: write it to a file and attach that with -f.")
    return text


def _is_numpy_scalar(value: object) -> bool:
    return package(value) == "numpy" and getattr(value, "shape", None) == ()


def _is_secret(expression: str, value: object) -> bool:
    return isinstance(value, Secret) or any(map(names_secret, _names(expression)))


def _names(expression: str) -> list[str]:
    """Return the names that an expression reads: of variables, attributes and keys."""
    found = []
    for node in ast.walk(ast.parse(expression, mode="eval")):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                found.append(name)
    return found
