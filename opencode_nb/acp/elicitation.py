"""Elicitations: what an agent asks its user for, a form or a page to visit, as questions and their answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from opencode_nb.transcript.state import Json

VISITED = "I have been there"
"""The answer to a page that the user is to visit."""

_BOOLEANS = {"Yes": True, "No": False}
_HEADER = 30
"""Characters of a question's header."""


class WrongAnswerError(Exception):
    """An answer is not what the form asks for; the text says what is wrong."""


def questions(params: Json) -> list[Json] | None:
    """Return the questions of an elicitation; None for one that cannot be asked: of another kind, or a wrong page."""
    message = str(params.get("message") or "")
    if params.get("mode") == "url":
        url = str(params.get("url") or "")
        if urlsplit(url).scheme not in ("http", "https"):
            return None
        option = {"label": VISITED, "description": url}
        return [{"question": f"{message}\n{url}", "header": "Visit a page", "options": [option], "custom": False}]
    asked = [_question(name, field, message) for name, field in _fields(params)]
    return asked if params.get("mode") == "form" and asked else None


def marked(asked: list[Json], wrong: str) -> list[Json]:
    """Return the questions, the first of which says what was wrong with the answers before."""
    if not wrong:
        return asked
    return [{**asked[0], "question": f"{wrong}\n{asked[0]['question']}"}, *asked[1:]]


def _fields(params: Json) -> Iterator[tuple[str, Json]]:
    schema = params.get("requestedSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, field in (properties if isinstance(properties, dict) else {}).items():
        if isinstance(field, dict):
            yield str(name), field


def _question(name: str, field: Json, message: str) -> Json:
    title, more = str(field.get("title") or name), str(field.get("description") or "")
    choices = _choices(field)
    default = field.get("default")
    said = f"\n(If you leave it empty: {default})" if default is not None else ""
    return {
        "question": f"{message}\n{title}{': ' if more else ''}{more}{said}",
        "header": title[:_HEADER],
        "options": [{"label": label, "description": ""} for label in choices],
        "multiple": field.get("type") == "array",
        "custom": not choices,
    }


def _choices(field: Json) -> dict[str, Any]:
    """Return the values that may be chosen, by their labels; {} for a free answer."""
    if field.get("type") == "boolean":
        return dict(_BOOLEANS)
    items = field.get("items") if field.get("type") == "array" else field
    of = items if isinstance(items, dict) else {}
    titled = [one for one in of.get("oneOf") or of.get("anyOf") or () if isinstance(one, dict) and "const" in one]
    return {str(one.get("title") or one["const"]): one["const"] for one in titled} or {
        str(one): one for one in of.get("enum") or ()
    }


def content(params: Json, answers: Sequence[Sequence[str]]) -> Json:
    """Return the answers to a form by the names of its fields. Raises WrongAnswerError."""
    schema: Json = params["requestedSchema"]
    required = schema.get("required") or ()
    found: Json = {}
    for (name, field), answer in zip(_fields(params), answers, strict=False):
        given = [text for text in answer if text]
        if given:
            found[name] = _value(name, field, given)
        elif field.get("default") is not None:
            found[name] = field["default"]
        elif name in required:
            raise WrongAnswerError(f"{field.get('title') or name} is needed.")
    return found


def _value(name: str, field: Json, given: list[str]) -> Any:
    kind, choices, label = field.get("type"), _choices(field), str(field.get("title") or name)
    if choices and (unknown := [text for text in given if text not in choices]):
        raise WrongAnswerError(f"{label}: {unknown[0]!r} is none of the answers to choose from.")
    if kind == "array":
        return [choices[text] if choices else text for text in given]
    if choices:
        return choices[given[0]]
    if kind in ("number", "integer"):
        return _number(label, field, given[0])
    return given[0]


def _number(label: str, field: Json, text: str) -> float:
    try:
        value = int(text) if field["type"] == "integer" else float(text)
    except ValueError:
        raise WrongAnswerError(f"{label}: {text!r} is no {field['type']}.") from None
    low, high = field.get("minimum"), field.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        raise WrongAnswerError(f"{label}: {text} is out of its limits.")
    return value
