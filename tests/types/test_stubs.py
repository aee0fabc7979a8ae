"""The generated stubs: as the document has it, as the clients are, and nothing at run time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.api import generate
from opencode_nb.api.client import AsyncClient, Client
from opencode_nb.api.operation import Operation

TYPES = generate.TABLE.parent / "types"
HAND_WRITTEN = {"__init__.py", "base.pyi", "params.py", "results.py"}


# --- nothing drifts ---------------------------------------------------------------------------------------------------


def test_what_is_generated_is_what_is_here(opencode_program: Path, tmp_path: Path) -> None:
    assert generate.main(["--program", str(opencode_program), "--output", str(tmp_path)]) == 0
    generated = {file.name: file.read_bytes() for file in (tmp_path / "types").iterdir()}
    here = {file.name: file.read_bytes() for file in TYPES.iterdir() if file.is_file()}
    assert generated == {name: content for name, content in here.items() if name not in HAND_WRITTEN}


# --- the methods are those of the clients -----------------------------------------------------------------------------


def parsed(name: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((TYPES / name).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def methods(
    classes: dict[str, ast.ClassDef], name: str, path: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Dotted place -> method, through the attributes that are namespaces; of two forms the one that decodes."""
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not gives_response(node):
            yield (path + node.name).removesuffix(".__call__"), node
        elif isinstance(node, ast.AnnAssign):
            yield from methods(classes, ast.unparse(node.annotation), f"{path}{ast.unparse(node.target)}.")


def gives_response(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return node.returns is not None and ast.unparse(node.returns) == "httpx.Response"


@pytest.mark.parametrize("file", ["operations.pyi", "async_operations.pyi"])
def test_every_request_has_a_form_that_gives_the_response(file: str) -> None:
    for namespace in parsed(file).values():
        functions = [node for node in namespace.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        forms = {node.name: node for node in functions if gives_response(node)}
        for node in functions:
            decoded, raw = ast.unparse(node.args), ast.unparse(forms[node.name].args) if node.name in forms else ""
            if node is not forms.get(node.name) and raw:
                assert decoded.replace("raw: Literal[False]=False", "raw: Literal[True]") == raw
                assert type(node) is type(forms[node.name])
            assert bool(raw) == ("raw:" in decoded)


def operation(client: Client | AsyncClient, path: str) -> Operation:
    found: Any = client
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, Operation)
    return found


@pytest.mark.parametrize(
    ("face", "file", "root"),
    [(Client, "operations.pyi", "Operations"), (AsyncClient, "async_operations.pyi", "AsyncOperations")],
)
def test_every_method_is_where_the_client_has_it(face: type[Client | AsyncClient], file: str, root: str) -> None:
    client = face("http://127.0.0.1:1")
    found = dict(methods(parsed(file), root))
    assert len(found) == len(client.operations)
    for path, node in found.items():
        target = operation(client, path)
        params = dict(signature(target).parameters)
        positional = [name for name, each in params.items() if each.kind is not Parameter.KEYWORD_ONLY]
        assert [each.arg for each in node.args.args] == ["self", *positional], path
        assert [each.arg for each in node.args.kwonlyargs] == [name for name in params if name not in positional], path
        given = {each.arg for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default}
        assert given == {name for name in params if params[name].default is not Parameter.empty}, path
        assert isinstance(node, ast.AsyncFunctionDef) == (face is AsyncClient and target.row["kind"] not in STREAMS)
        assert (ast.get_docstring(node) or "").split() == (target.__doc__ or "").split(), path


STREAMS = ("sse", "websocket")


# --- nothing at run time ----------------------------------------------------------------------------------------------


def test_the_client_imports_no_types() -> None:
    code = (
        "import sys; from opencode_nb.api.client import AsyncClient, Client; Client('http://127.0.0.1:1');"
        "print([name for name in sys.modules if name.startswith('opencode_nb.api.type')],"
        " {'httpx', 'typing_extensions', 'inspect'} & set(sys.modules), Client.__mro__[2:])"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # imports inspect
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[] set() (<class 'abc.ABC'>, <class 'object'>)"


def test_there_is_no_code_to_import() -> None:
    for file in TYPES.glob("*.py"):
        assert [type(node) for node in ast.parse(file.read_text(encoding="utf-8")).body] == [ast.Expr], file.name


# --- results are as a real server gives them --------------------------------------------------------------------------

RESULTS = ast.parse((TYPES / "results.pyi").read_text(encoding="utf-8"))
ALIASES = {ast.unparse(node.target): node.value for node in RESULTS.body if isinstance(node, ast.AnnAssign)}
CLASSES = parsed("results.pyi")
RECORDINGS = Path(__file__).parents[1] / "recordings"


def wrong(value: Any, type_: ast.expr | None, where: str = "") -> list[str]:
    """Where the JSON is not of this type. Of a union it is the member with its tag, if there is one."""
    match type_:
        case ast.Name(id=name) if name in ALIASES:
            return wrong(value, ALIASES[name], where)
        case ast.Name(id=name) if name in CLASSES:
            return wrong_object(value, CLASSES[name], where)
        case ast.Name(id=name):
            return [] if isinstance(value, PLAIN[name]) else [f"{where} is {value!r}, not {name}"]
        case ast.Constant(value=None):
            return [] if value is None else [f"{where} is {value!r}, not None"]
        case ast.BinOp(left=left, right=right):
            return (found := wrong(value, left, where)) and min(found, wrong(value, right, where), key=len)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return [line for number, each in enumerate(value) for line in wrong(each, item, f"{where}[{number}]")]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, item])):
            return [line for key, each in value.items() for line in wrong(each, item, f"{where}.{key}")]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=values):
            known = ast.literal_eval(values)
            return (
                [] if value in (known if isinstance(known, tuple) else (known,)) else [f"{where} is {value!r}"] * OTHER
            )
    raise AssertionError(f"cannot read {ast.dump(type_) if type_ else None}")


OTHER = 99
"""Lines for a wrong tag: more than for a wrong object that has the right one, which is the one meant."""

PLAIN: dict[str, Any] = {
    "Any": object,
    "Newer": (),
    "Record": dict,
    "bool": bool,
    "float": (int, float),
    "int": int,
    "str": str,
}


def wrong_object(value: Any, node: ast.ClassDef, where: str) -> list[str]:
    found = [] if isinstance(value, dict) else [f"{where} is not an object"]
    for name, type_, required in fields(node) if not found else ():
        missing = [f"{where}.{name} is missing"] if required else []
        found += wrong(value[name], type_, f"{where}.{name}") if name in value else missing
        if len(found) >= OTHER:
            break
    return found


@cache
def fields(node: ast.ClassDef) -> list[tuple[str, ast.expr | None, bool]]:
    """Name, type and whether it must be there, of each field."""
    found: list[tuple[str, ast.expr | None, bool]] = []
    for line in node.body:
        if isinstance(line, ast.AnnAssign):
            found.append((ast.unparse(line.target), line.annotation, True))
        elif isinstance(line, ast.FunctionDef) and isinstance(line.args.posonlyargs[1].annotation, ast.Subscript):
            found.append((ast.literal_eval(line.args.posonlyargs[1].annotation.slice), line.returns, False))
    return found


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda file: file.stem)
def test_recorded_events_are_as_their_types_say(file: Path) -> None:
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    assert [line for event in events for line in wrong(event, ALIASES["Event"], event["type"])] == []


def test_a_deviation_would_be_seen() -> None:
    event = {"id": "evt_1", "type": "session.idle", "properties": {"sessionID": "ses_1"}}
    assert wrong(event, ALIASES["Event"]) == []
    assert wrong({**event, "properties": {}}, ALIASES["Event"]) == [".properties.sessionID is missing"]
    assert wrong({**event, "type": "session.lazy"}, ALIASES["Event"]) != []
