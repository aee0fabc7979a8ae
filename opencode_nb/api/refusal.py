"""Why a prompt was answered with a bare 500: the server tells a wrong model or agent as "Unexpected server error".

The reason is in a `session.error` event only, which nobody may be listening to. So after such an answer, and only then,
the names in the request are looked up in the server's own lists.
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
NAMED = 9  # how many of the names that would have been right are shown

_FORMS = {"session": "ses", "message": "msg", "part": "prt", "permission": "per", "question": "que", "pty": "pty"}

Send = Callable[["Call"], Awaitable[Any]]


async def explained(error: InternalServerError, call: Call, send: Send) -> APIStatusError:
    """The error with its reason, where it is an id, model or agent in the request; else the error as it is."""
    if misformed := misformed_id(call):
        return NotFoundError(f"{call.method} {call.path}: {misformed}", **{**_facts(error), "status": 404})
    asked = _asked(call) if error.ref else {}
    try:
        reason = await _reason(asked, call, send) if asked else ""
    except OpencodeError:  # the server fails at more than this prompt: its first answer is what counts
        return error
    if not reason:
        return error
    text = f"{call.method} {call.path} answered {error.status} (ref {error.ref}): {reason}"
    return type(error)(text, **_facts(error))


def misformed_id(call: Call) -> str:
    """What is wrong with an id in the request's path, "" where nothing is: the server fails on one of another form."""
    segments = [unquote(segment) for segment in call.path.split("/")]
    for kind, given in itertools.pairwise(segments):
        if kind in _FORMS and not given.startswith(_FORMS[kind]):
            return f"{given!r} is no {kind}'s id: these begin with {_FORMS[kind]!r}. Look the id up, and try again."
    return ""


def _facts(error: InternalServerError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("status", "body", "name", "ref", "retry_after", "method", "path")}


def _asked(call: Call) -> dict[str, str]:
    """The `model` ("provider/model") and `agent` that a request that makes a model work names."""
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
            return f"there is no agent {agent!r}. There are: {_some(agents)}."
    if model := asked.get("model"):
        providers = (await send(_list(call, "/config/providers")))["providers"]
        models = [f"{provider['id']}/{name}" for provider in providers for name in provider.get("models") or ()]
        if model not in models:
            return f"there is no model {model!r} here. There are: {_some(models) or 'none'}."
    return ""


def _list(call: Call, path: str) -> Call:
    """A GET in the same place as the call."""
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
