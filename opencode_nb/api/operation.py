"""One operation as a callable: arguments -> request. Pure: hands the request on and knows nothing of sending it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote

if TYPE_CHECKING:
    import inspect

    from opencode_nb.api.spec import Kind, Param, Repeat, Row

__all__ = ["Call", "Defaults", "Namespace", "Operation", "bind", "build"]

ESCAPES = ("extra_query", "extra_body", "extra_headers", "timeout", "raw")
"""Keywords of every operation besides its own; the first three send what the table does not know."""

STREAM_ESCAPES = ("extra_query", "extra_headers", "on_reconnect", "give_up_after", "gather")
"""The same for operations that return an event stream."""

SOCKET_ESCAPES = ("extra_query", "extra_headers", "timeout")
"""The same for websockets; `timeout` applies to opening one."""

Caller = Callable[["Row", tuple[Any, ...], dict[str, Any]], Any]


class Defaults(NamedTuple):
    """The default directory and workspace of requests."""

    directory: str | None = None
    workspace: str | None = None


class Call(NamedTuple):
    """A request, ready to send. `timeout`: seconds, None for no limit, ... for the client's default."""

    method: str
    path: str
    query: list[tuple[str, str]]
    content: bytes | None
    headers: dict[str, str]
    kind: Kind | None
    repeat: Repeat
    slow: bool = False
    silent: bool = False
    timeout: Any = ...
    raw: bool = False


def bind(row: Row, args: tuple[Any, ...], kwargs: Mapping[str, Any], defaults: Defaults) -> Call:
    """Build the request for these arguments. Raises TypeError for unknown or missing ones, ValueError for a bad id."""
    given = _arguments(row, args, kwargs)
    place = _place(row, given, defaults)
    return Call(
        method=row["method"],
        path=_path(row, given),
        query=_query(row, given, place),
        content=_content(row, given, place),
        headers={**row.get("headers", {}), **routing_headers(place), **(given.get("extra_headers") or {})},
        kind=row["kind"],
        repeat=row["repeat"],
        slow=row.get("slow", False),
        silent=row.get("silent", False),
        timeout=given.get("timeout", ...),
        raw=bool(given.get("raw")),
    )


def routing_headers(place: Defaults) -> dict[str, str]:
    """Return the routing headers. Some operations read the query, some these headers, so both are always sent."""
    headers = {}
    if place.directory:
        headers["x-opencode-directory"] = quote(place.directory, safe="")  # header bytes are ASCII: the server decodes
    if place.workspace:
        headers["x-opencode-workspace"] = place.workspace
    return headers


def encode_query(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Encode query parameters: omit None, write booleans as `true`, repeat lists, write objects as `name[key]=`."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if isinstance(value, Mapping):
            pairs += [(f"{name}[{key}]", _text(item)) for key, item in value.items() if item is not None]
        elif isinstance(value, (list, tuple, set)):
            pairs += [(name, _text(item)) for item in value]
        elif value is not None:
            pairs.append((name, _text(value)))
    return pairs


def encode_json(value: Any) -> bytes:
    """Encode JSON for the server. Raises TypeError or ValueError for values not in JSON (NaN, a set, bytes)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _arguments(row: Row, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments by name; path arguments may be positional."""
    names = [param["name"] for param in row["params"] if param["into"] == "path"]
    if len(args) > len(names):
        raise TypeError(f"{row['name']}() takes {len(names)} positional arguments ({', '.join(names)}); use keywords")
    given = dict(zip(names, args, strict=False))
    for name in given:
        if name in kwargs:
            raise TypeError(f"{row['name']}() got {name!r} twice")
    _refuse_unknown(row, kwargs)
    given.update(kwargs)
    _refuse_missing(row, given)
    return given


def _refuse_unknown(row: Row, kwargs: Mapping[str, Any]) -> None:
    known = [param["name"] for param in row["params"]]
    escapes = _escapes(row)
    for name in kwargs:
        if name not in known and name not in escapes:
            raise TypeError(_unknown(row, name, [*known, *escapes]))


def _unknown(row: Row, name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # only needed for mistakes

    folded = {each.replace("_", "").lower(): each for each in known}
    close = [folded[each] for each in get_close_matches(name.replace("_", "").lower(), folded, n=3)]
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"it takes {', '.join(known)}."
    return f"{row['name']}() has no argument {name!r}; {hint} Anything else goes through extra_query= or extra_body=."


def _refuse_missing(row: Row, given: Mapping[str, Any]) -> None:
    beside = {**(given.get("extra_query") or {}), **(given.get("extra_body") or {})}
    missing = [
        param["name"]
        for param in row["params"]
        if param.get("required") and param["name"] not in given and _wire(param) not in beside
    ]
    if missing:
        raise TypeError(f"{row['name']}() is missing {', '.join(map(repr, missing))}; `help()` shows its arguments")


def _place(row: Row, given: Mapping[str, Any], defaults: Defaults) -> Defaults:
    """Return the directory and workspace of this call."""
    location = given.get("location")
    location = location if isinstance(location, Mapping) else {}
    found = {}
    for name, default in defaults._asdict().items():
        own = given.get(name) if _goes_into(row, name) == "query" else None
        value = own or location.get(name) or default
        found[name] = str(value) if value else None
    return Defaults(**found)


def _goes_into(row: Row, name: str) -> str | None:
    return next((param["into"] for param in row["params"] if param["name"] == name), None)


def _path(row: Row, given: Mapping[str, Any]) -> str:
    path = row["path"]
    for param in row["params"]:
        if param["into"] == "path":
            path = path.replace("{" + _wire(param) + "}", _segment(row, param["name"], str(given[param["name"]])))
    return path


def _segment(row: Row, name: str, value: str) -> str:
    """Escape one path argument. Rejects an empty or dotted one, which would silently address another operation."""
    tail = row["path"].endswith("/{path}")
    value = value.lstrip("/") if tail else value
    if value in ("", ".", ".."):
        raise ValueError(f"{row['name']}() needs a {name}, got {value!r}")
    return quote(value, safe="/" if tail else "")


def _query(row: Row, given: Mapping[str, Any], place: Defaults) -> list[tuple[str, str]]:
    values: dict[str, Any] = {name: getattr(place, name) for name in row.get("routed", ())}
    for param in row["params"]:
        name = param["name"]
        if param["into"] != "query":
            continue
        values[_wire(param)] = given.get(name)
        if name in Defaults._fields:
            values[name] = getattr(place, name)
        elif name == "location" and not values[name]:
            values[name] = place._asdict()
    return encode_query({**values, **(given.get("extra_query") or {})})


def _content(row: Row, given: Mapping[str, Any], place: Defaults) -> bytes | None:
    """Return the JSON body. Sends an object even if empty; None means "not given" unless the field is nullable."""
    extra = given.get("extra_body")
    if row.get("body") == "whole":
        body = given.get("body")
        return encode_json({**body, **extra} if extra and isinstance(body, Mapping) else extra or body)
    if row.get("body") is None and extra is None:
        return None
    fields = _fields(row["params"], given)
    if row.get("placed") and place.directory:
        fields.setdefault("location", _location(place))
    return encode_json({**fields, **(extra or {})})


def _location(place: Defaults) -> dict[str, str]:
    """Return the place in a body's format (LocationRef)."""
    workspace = {"workspaceID": place.workspace} if place.workspace else {}
    return {"directory": str(place.directory), **workspace}


def _fields(params: Iterable[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _wire(param): given[param["name"]]
        for param in params
        if param["into"] == "body"
        and param["name"] in given
        and (given[param["name"]] is not None or param.get("nullable"))
    }


def _wire(param: Param) -> str:
    return param.get("wire", param["name"])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _escapes(row: Row) -> tuple[str, ...]:
    return {"sse": STREAM_ESCAPES, "websocket": SOCKET_ESCAPES}.get(row["kind"], ESCAPES)


class _TypeText(str):
    """A type as text, shown without quotes in a signature."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_UNSET = _TypeText("...")  # shown if None is not the default because it means "no limit"
_DEFAULTS = {"timeout": _UNSET, "give_up_after": _UNSET, "gather": 0.0, "raw": False}


class _Described:
    """Gives each instance its own docstring; one class cannot have both a property and a docstring."""

    def __get__(self, instance: Operation | None, owner: type[Operation]) -> str:
        return "An operation of the server, as a function." if instance is None else document(instance.row)


class Operation:  # noqa: D101  # its docstring is the operation's own, see _Described
    __doc__ = _Described()

    def __init__(self, row: Row, caller: Caller) -> None:
        self.row = row
        self._caller = caller
        self.__name__ = row["name"].rpartition(".")[2]
        self.__qualname__ = row["name"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self._caller(self.row, args, kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        return signature(self.row)

    def __repr__(self) -> str:
        return f"<operation {self.row['name']}: {self.row['method']} {self.row['path']}>"


class Namespace:
    """A group of operations, such as `client.session`; Tab lists them."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __repr__(self) -> str:
        return f"<{self.__name__}: {', '.join(name for name in vars(self) if name[:1] != '_')}>"


def build(root: Any, rows: Iterable[Row], caller: Caller) -> None:
    """Set every operation as an attribute below `root`: `session.create` becomes `root.session.create`.

    An operation can also be a namespace (`vcs.diff` and `vcs.diff.raw`). A name in use by `root` itself gets a "_".
    """
    for row in sorted(rows, key=lambda row: row["name"].count(".")):
        *parents, last = row["name"].split(".")
        holder = root
        for depth, name in enumerate(parents, 1):
            holder = _child(holder, name, ".".join(parents[:depth]))
        setattr(holder, _free(holder, last), Operation(row, caller))


def _child(holder: Any, name: str, path: str) -> Any:
    free = _free(holder, name)
    if free not in vars(holder):
        setattr(holder, free, Namespace(path))
    return vars(holder)[free]


def _free(holder: Any, name: str) -> str:
    return name + "_" if hasattr(type(holder), name) else name


def signature(row: Row) -> inspect.Signature:
    """Return the signature with argument names, types as text, and defaults."""
    from inspect import Parameter, Signature  # importing it costs more than the whole client

    params = [
        Parameter(
            param["name"],
            Parameter.POSITIONAL_OR_KEYWORD if param["into"] == "path" else Parameter.KEYWORD_ONLY,
            default=Parameter.empty if param.get("required") else None,
            annotation=_TypeText(param["type"]),
        )
        for param in row["params"]
    ]
    params += [Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name)) for name in _escapes(row)]
    return Signature(params, return_annotation=_TypeText(row["returns"]))


def document(row: Row) -> str:
    """Return the docstring: what the operation does, its arguments, and what it returns."""
    lines = [f"{row.get('summary') or row['name']}."]
    if "doc" in row:
        lines += ["", row["doc"]]
    if row.get("deprecated"):
        lines += ["", "Deprecated by the server."]
    lines += ["", f"{row['method']} {row['path']}", ""]
    lines += [_param_line(param) for param in row["params"]]
    return "\n".join([*lines, "", f"Returns: {row['returns']}"])


def _param_line(param: Param) -> str:
    must = ", required" if param.get("required") else ""
    return f"    {param['name']} ({param['type']}{must}){': ' + param['doc'] if 'doc' in param else ''}"


def request_call(
    method: str, path: str, params: Mapping[str, Any] | None, content: bytes | None, raw: bool, place: Defaults
) -> Call:
    """Build the request for any method and path; it may be retried only if HTTP defines its method as idempotent."""
    query = {name: value for name, value in place._asdict().items() if value} | dict(params or {})
    repeat = "always" if method.upper() in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE") else "never"
    return Call(
        method=method.upper(),
        path=path if path.startswith("/") else "/" + path,
        query=encode_query(query),
        content=content,
        headers=routing_headers(place),
        kind=None,
        repeat=cast("Repeat", repeat),
        raw=raw,
    )
