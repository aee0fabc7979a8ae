"""The parts of a prompt as the blocks of content that agents take. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from opencode_nb.errors import ModelError, OpencodeError
from opencode_nb.transcript.state import Json


def blocks(parts: list[Json], capabilities: Mapping[str, Any]) -> list[Json]:
    """Return the blocks of a prompt. `capabilities` are the agent's for prompts: image, audio, embeddedContext.

    Raises ModelError for content that the agent does not take.
    """
    return [_block(part, capabilities) for part in parts]


def _block(part: Json, capabilities: Mapping[str, Any]) -> Json:
    if part.get("type") == "text":
        return {"type": "text", "text": str(part.get("text") or "")}
    if part.get("type") != "file":
        raise OpencodeError(f"Agents of this protocol take no {part.get('type')} in prompts: leave it out.")
    url, mime = str(part.get("url") or ""), str(part.get("mime") or "")
    name = str(part.get("filename") or "file")
    if not url.startswith("data:"):
        return {"type": "resource_link", "uri": url, "name": name, **({"mimeType": mime} if mime else {})}
    data, kind = _decoded(url), mime.partition("/")[0]
    if kind in ("image", "audio"):
        _need(capabilities, kind, name)
        return {"type": kind, "mimeType": mime, "data": base64.b64encode(data).decode()}
    _need(capabilities, "embeddedContext", name)
    resource: Json = {"uri": f"attachment:///{name}", "mimeType": mime}
    try:
        return {"type": "resource", "resource": {**resource, "text": data.decode()}}
    except UnicodeDecodeError:
        return {"type": "resource", "resource": {**resource, "blob": base64.b64encode(data).decode()}}


def _need(capabilities: Mapping[str, Any], name: str, attached: str) -> None:
    if not capabilities.get(name):
        raise ModelError(f"This agent does not take {attached} in prompts: it lacks the capability {name!r}.")


def _decoded(url: str) -> bytes:
    head, _comma, data = url.partition(",")
    return base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
