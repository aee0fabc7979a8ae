"""Explain a bare 500: the server answers a wrong model or agent with "Unexpected server error".

It gives the reason only in a `session.error` event, which may have no listener. So after such an answer, and only then,
look the names in the request up in the server's own lists.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from opencode_nb.errors import APIStatusError, InternalServerError, NotFoundError, OpencodeError

if TYPE_CHECKING:
    from opencode_nb.api.operation import Call

__all__ = ["explained"]

LOOKUP_TIMEOUT = 5.0  # seconds for each list
NAMED = 9  # maximum number of valid names to show

_FORMS = {"session": "ses", "message": "msg", "part": "prt", "permission": "per", "question": "que", "pty": "pty"}

Send = Callable[["Call"], Awaitable[Any]]


async def explained(error: InternalServerError, call: Call, send: Send) -> APIStatusError:
    """Return the error with its reason if an id, model or agent in the request is wrong; else the error unchanged."""
    if misformed := misformed_id(call):
        return NotFoundError(f"{call.method} {call.path}: {misformed}", **{**_facts(error), "status": 404})
    asked = _asked(call) if error.ref else {}
    try:
        reason = await _reason(asked, call, send) if asked else ""
    except OpencodeError:  # the server fails elsewhere, too: its first answer counts
        return error
    if not reason:
        return error
    text = f"{call.method} {call.path} answered {error.status} (ref {error.ref}): {reason}"
    return type(error)(text, **_facts(error))


def misformed_id(call: Call) -> str:
    """Return what is wrong with an id in the request's path, else "": the server fails on malformed ids."""
    segments = [unquote(segment) for segment in call.path.split("/")]
    for kind, given in itertools.pairwise(segments):
        if kind in _FORMS and not given.startswith(_FORMS[kind]):
            return f"{given!r} is not a {kind} id: these start with {_FORMS[kind]!r}. Check the id and try again."
    return ""


def _facts(error: InternalServerError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("status", "body", "name", "ref", "retry_after", "method", "path")}


def _asked(call: Call) -> dict[str, str]:
    """Return the `model` ("provider/model") and `agent` named in a request that runs a model."""
    body = json.loads(call.content) if call.content and call.repeat == "never" else None
    if not isinstance(body, dict):
        return {}
    model = body.get("model", body)  # session.summarize has its fields at the top
    if isinstance(model, dict):
        model = f"{model['providerID']}/{model['modelID']}" if {"providerID", "modelID"} <= model.keys() else None
    return {name: text for name, text in (("model", model), ("agent", body.get("agent"))) if isinstance(text, str)}


async def _reason(asked: dict[str, str], call: Call, send: Send) -> str:
    if agent := asked.get("agent"):
        agents = [str(each.get("name")) for each in await send(_list(call, "/agent"))]
        if agent not in agents:
            return f"there is no agent {agent!r}. Available agents: {_some(agents)}."
    if model := asked.get("model"):
        providers = (await send(_list(call, "/config/providers")))["providers"]
        models = [f"{provider['id']}/{name}" for provider in providers for name in provider.get("models") or ()]
        if model not in models:
            return f"there is no model {model!r} here. Available models: {_some(models) or 'none'}."
    return ""


def _list(call: Call, path: str) -> Call:
    """Return a GET for the same directory and workspace as the call."""
    query = [pair for pair in call.query if pair[0] in ("directory", "workspace")]
    return call._replace(
        method="GET",
        path=path,
        query=query,
        content=None,
        kind="json",
        repeat="always",
        slow=False,
        timeout=LOOKUP_TIMEOUT,
        raw=False,
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
