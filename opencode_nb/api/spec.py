"""OpenAPI document -> operation table. Pure: no I/O, no HTTP; quirks.py has what the document leaves out.

The table is a JSON-compatible list with one row per operation, in the format of `Row` and `Param`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict

from opencode_nb.api import quirks

__all__ = ["Kind", "Param", "Repeat", "Row", "compile_table", "operations", "python_name"]

Json = dict[str, Any]

Kind = Literal["json", "sse", "text", "bytes", "websocket"]
"""What an operation returns: JSON (or nothing, 204), an event stream, text, bytes, or a websocket."""

Repeat = Literal["always", "refused", "never"]
"""When a failed request may be retried: always; only if the server refused it (429); never once it was sent."""

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}  # RFC 9110, section 9.2.2


class Param(TypedDict):
    """One argument. `wire`: its name in the request, if different; `deep`: an object sent as `name[key]=`."""

    name: str
    into: Literal["path", "query", "body"]
    type: str
    wire: NotRequired[str]
    required: NotRequired[bool]
    nullable: NotRequired[bool]
    deep: NotRequired[bool]
    doc: NotRequired[str]


class Row(TypedDict):
    """One operation. `name`: its dotted name in the client; `body`: build the JSON body from fields, or pass it whole.

    `routed`: query names set only from the client's directory and workspace, as a body field has the same name.
    `slow`, `settle`, `silent` and `placed`: see ANSWERS_WHEN_DONE, SETTLES, SILENT and PLACED_BY_BODY in quirks.py.
    """

    id: str
    name: str
    method: str
    path: str
    kind: Kind
    params: list[Param]
    returns: str
    repeat: Repeat
    body: NotRequired[Literal["fields", "whole"]]
    routed: NotRequired[list[str]]
    headers: NotRequired[dict[str, str]]
    slow: NotRequired[bool]
    settle: NotRequired[float]
    silent: NotRequired[bool]
    placed: NotRequired[bool]
    deprecated: NotRequired[bool]
    summary: NotRequired[str]
    doc: NotRequired[str]


def compile_table(document: Json) -> list[Row]:
    """Return all operations of an OpenAPI 3 document, sorted by id. Raises ValueError if it has no paths."""
    paths = document.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise ValueError("this is not an OpenAPI document: it has no paths")
    schemas = _Schemas(document)
    rows = [_row(schemas, method, path, operation) for method, path, operation in _operations(paths)]
    return sorted(rows, key=lambda row: row["id"])


def operations(document: Json) -> dict[str, Json]:
    """Return the document's operations by id, with the parameters of their paths included."""
    return {operation["operationId"]: operation for _, _, operation in _operations(document["paths"])}


def python_name(operation_id: str) -> str:
    """Return the dotted name of an operation in the client: `global.config.get` -> `global_.config.get`."""
    return ".".join(_identifier(_snake(part)) for part in operation_id.split("."))


def _operations(paths: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in paths.items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            operation = item.get(method)
            if operation and "operationId" in operation:
                yield method, path, {**operation, "parameters": [*shared, *operation.get("parameters", [])]}


def _row(schemas: _Schemas, method: str, path: str, operation: Json) -> Row:
    id_ = operation["operationId"]
    path = quirks.PATHS.get(id_, path)
    body, fields = _body(schemas, operation)
    params, routed = _merge(_path_params(path), _query_params(schemas, operation), fields)
    kind, returns = _answer(schemas, id_, operation)
    row: Row = {
        "id": id_,
        "name": python_name(id_),
        "method": method.upper(),
        "path": path,
        "kind": kind,
        "params": params,
        "returns": returns,
        "repeat": _repeat(id_, method.upper()),
    }
    if body:
        row["body"] = body
    if routed:
        row["routed"] = routed
    _describe(row, operation)
    return row


def _describe(row: Row, operation: Json) -> None:
    """Add what differs from most operations; defaults are omitted to keep the table short."""
    id_ = row["id"]
    if id_ in quirks.HEADERS:
        row["headers"] = quirks.HEADERS[id_]
    if id_ in quirks.ANSWERS_WHEN_DONE:
        row["slow"] = True
    if id_ in quirks.SETTLES:
        row["settle"] = quirks.SETTLES[id_]
    if id_ in quirks.SILENT:
        row["silent"] = True
    if id_ in quirks.PLACED_BY_BODY:
        row["placed"] = True
    if operation.get("deprecated"):
        row["deprecated"] = True
    if operation.get("summary"):
        row["summary"] = operation["summary"]
    doc = " ".join(filter(None, (operation.get("description"), quirks.STATEMENTS.get(id_))))
    if doc:
        row["doc"] = doc


def _repeat(id_: str, method: str) -> Repeat:
    if id_ in quirks.STARTS_A_TURN or id_ in quirks.TAKES_AWAY:
        return "never"
    return "always" if method in _IDEMPOTENT else "refused"


def _path_params(path: str) -> list[Param]:
    return [_param(name, "path", "str", required=True) for name in re.findall(r"{(\w+)}", path)]


def _param(name: str, into: Literal["path", "query", "body"], type_: str, *, required: bool, doc: str = "") -> Param:
    python = _identifier(name)
    param: Param = {"name": python, "into": into, "type": type_}
    if python != name:
        param["wire"] = name
    if required:
        param["required"] = True
    if doc:
        param["doc"] = doc
    return param


def _query_params(schemas: _Schemas, operation: Json) -> list[Param]:
    """Return the query parameters; merge `location[directory]` and `location[workspace]` into one object `location`."""
    found: dict[str, Param] = {}
    for param in operation["parameters"]:
        if param["in"] != "query":
            continue
        name, _, key = param["name"].partition("[")
        schema = param.get("schema", {})
        type_ = "dict[str, str]" if key else schemas.text(schema)
        doc = param.get("description") or schema.get("description", "")
        entry = _param(name, "query", type_, required=bool(param.get("required")), doc=doc)
        if key or param.get("style") == "deepObject":
            entry["deep"] = True
        found.setdefault(name, entry)
    return list(found.values())


def _body(schemas: _Schemas, operation: Json) -> tuple[Literal["fields", "whole"] | None, list[Param]]:
    """Return how to pass the body: by fields if it is an object with known fields, else as one `body`."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None, []
    schema = schemas.resolve(content.get("schema", {}))
    if not schema.get("properties"):
        return "whole", [_param("body", "body", schemas.text(content["schema"]), required=True)]
    required = schema.get("required", ())
    return "fields", [_field(schemas, name, sub, name in required) for name, sub in schema["properties"].items()]


def _field(schemas: _Schemas, name: str, schema: Json, required: bool) -> Param:
    doc = schema.get("description") or schemas.resolve(schema).get("description", "")
    param = _param(name, "body", schemas.text(schema), required=required, doc=doc)
    if any(branch.get("type") == "null" for branch in schema.get("anyOf", ())):
        param["nullable"] = True
    return param


def _merge(path: list[Param], query: list[Param], body: list[Param]) -> tuple[list[Param], list[str]]:
    """Merge all arguments. A name in both query and body means the body; the query then only routes the request."""
    taken = {param["name"] for param in body}
    routed = [param["name"] for param in query if param["name"] in taken]
    kept = [param for param in query if param["name"] not in taken]
    return [*path, *sorted([*body, *kept], key=lambda param: not param.get("required"))], routed


def _answer(schemas: _Schemas, id_: str, operation: Json) -> tuple[Kind, str]:
    """Return the kind and type text of a successful response."""
    if id_ in quirks.WEBSOCKETS or operation.get("x-websocket"):
        return "websocket", "websocket"
    content: Json = {}
    for status, response in operation.get("responses", {}).items():
        if str(status).startswith("2"):
            content = response.get("content", {})
            break
    for media, kind in (("application/json", "json"), ("text/event-stream", "sse"), ("text/", "text")):
        for found, value in content.items():
            if found.startswith(media):
                return kind, schemas.text(value.get("schema", {}))  # type: ignore[return-value]
    return ("bytes", "bytes") if content else ("json", "None")


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W", "", name) or "_"
    return cleaned + "_" if keyword.iskeyword(cleaned) else cleaned


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class _Schemas:
    """The document's schemas: resolves references, and renders a schema as short Python-like type text."""

    def __init__(self, document: Json) -> None:
        self._named = document.get("components", {}).get("schemas", {})

    def resolve(self, schema: Json) -> Json:
        """Follow references to the schema itself."""
        for _ in range(20):  # references could be circular
            if "$ref" not in schema:
                break
            schema = self._named.get(schema["$ref"].rsplit("/", 1)[-1], {})
        return schema

    def text(self, schema: Json) -> str:
        """Return `list[Session]`, `"once" | "always"`, `{providerID: str, modelID: str}`..."""
        if "$ref" in schema:
            return str(schema["$ref"]).rsplit("/", 1)[-1]
        branches = schema.get("anyOf") or schema.get("oneOf") or [{"type": kind} for kind in _kinds(schema)]
        if len(branches) > 1:
            return " | ".join(dict.fromkeys(self.text({**_rest(schema), **branch}) for branch in branches))
        return self._single(schema if not schema.get("anyOf") else branches[0])

    def _single(self, schema: Json) -> str:
        if "const" in schema or schema.get("enum"):
            return " | ".join(_literal(value) for value in schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "array":
                return f"list[{self.text(schema.get('items', {}))}]"
            case "object":
                return self._object(schema)
            case kind:
                return _PLAIN.get(str(kind), "Any")

    def _object(self, schema: Json) -> str:
        properties = schema.get("properties")
        if properties:
            return "{" + ", ".join(f"{name}: {self.text(sub)}" for name, sub in properties.items()) + "}"
        values = schema.get("additionalProperties")
        return f"dict[str, {self.text(values) if isinstance(values, dict) else 'Any'}]"


_PLAIN = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"}


def _kinds(schema: Json) -> list[str]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else []


def _rest(schema: Json) -> Json:
    """Return what the branches of a `type: [a, b]` share; nothing for anyOf, whose branches are independent."""
    return {} if schema.get("anyOf") or schema.get("oneOf") else {k: v for k, v in schema.items() if k != "type"}


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
