from __future__ import annotations

import ast
from typing import Any

from opencode_nb.api.spec import compile_table
from opencode_nb.api.typegen import stubs


def made(schemas: dict[str, Any], answer: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, str]:
    """The stubs of a document with one operation, `thing.list`."""
    operation: dict[str, Any] = {
        "operationId": "thing.list",
        "responses": {"200": {"content": {"application/json": {"schema": answer}}}},
    }
    if body:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    document = {"paths": {"/thing": {"post": operation}}, "components": {"schemas": schemas}}
    found = stubs(document, compile_table(document))
    for content in found.values():
        ast.parse(content)
    return found


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def thing(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or list(properties)}


TEXT = {"type": "string"}


def tag(value: str) -> dict[str, Any]:
    return {"type": "string", "enum": [value]}


def test_fields_that_may_be_missing_are_not_attributes() -> None:
    results = made({"A": thing(["id"], id=TEXT, note={"type": ["string", "null"]})}, ref("A"))["results.pyi"]
    assert "    id: str\n" in results
    assert 'def get(self, key: Literal["note"], default: None = None, /) -> str | None: ...' in results
    assert "    note:" not in results


def test_fields_that_a_record_gives_by_key_only_are_not_attributes() -> None:
    hidden: dict[str, Any] = {"items": TEXT, "_tag": TEXT, "x-y": TEXT, "from": TEXT}
    results = made({"A": thing(id=TEXT, **hidden)}, ref("A"))["results.pyi"]
    for name in hidden:
        assert f'key: Literal["{name}"], default: None = None, /) -> str: ...' in results
        assert f"    {name}:" not in results


def test_a_union_with_a_tag_stays_open() -> None:
    schemas = {"A": thing(type=tag("a"), id=TEXT), "B": thing(type=tag("b"), id=TEXT, more=TEXT)}
    results = made({**schemas, "AB": {"anyOf": [ref("A"), ref("B")]}}, ref("AB"))["results.pyi"]
    assert "AB: TypeAlias = (\n    A\n    | B\n    | UnknownAB\n)" in results
    assert "class UnknownAB(Object):" in results
    assert "    type: Newer\n    id: str\n" in results


def test_variants_without_names_take_them_from_their_tag() -> None:
    union = {"oneOf": [thing(status=tag("idle")), thing(status=tag("busy"))]}
    results = made({"S": union}, {"type": "array", "items": ref("S")})["results.pyi"]
    assert "SIdle\n    | SBusy\n    | UnknownS\n" in results


def test_names_that_fall_together_are_numbered() -> None:
    results = made({"a.b": thing(x=TEXT), "AB": thing(y=TEXT)}, thing(one=ref("AB"), a=thing(z=TEXT)))["results.pyi"]
    assert "    y: str" in results
    colliding = made({"ThingListResultA": thing(x=TEXT)}, thing(a=thing(z=TEXT)))["results.pyi"]
    assert "class ThingListResultA2(Object):\n    z: str" in colliding


def test_a_schema_may_contain_itself() -> None:
    tree = thing(["id"], id=TEXT, children={"type": "array", "items": ref("Tree")})
    union = {"anyOf": [TEXT, {"type": "array", "items": ref("Deep")}]}
    found = made({"Tree": tree, "Deep": union}, ref("Tree"), thing(tree=ref("Tree"), deep=ref("Deep")))
    assert "-> list[Tree] | None" in found["results.pyi"]
    assert "children: NotRequired[Sequence[Tree | results.Tree]]" in found["params.pyi"]
    assert "Deep: TypeAlias = " in found["params.pyi"]


def test_bodies_are_typed_dicts() -> None:
    options = {"type": "object", "properties": {"a": TEXT}, "additionalProperties": {}}
    body = thing(
        ["one"], one=thing(["a-b"], **{"a-b": TEXT, "c": TEXT}), tags={"type": "array", "items": TEXT}, o=options
    )
    found = made({}, TEXT, body)
    assert '"a-b": str,\n    "c": NotRequired[str],' in found["params.pyi"]
    for line in (
        "        one: params.ThingListOne,\n",
        "        tags: builtins.list[str] | builtins.tuple[str, ...] | None = None,\n",
        "        o: Mapping[str, Any] | None = None,\n",
        "    ) -> str:\n",
    ):
        assert line in found["operations.pyi"]


def test_text_of_the_document_stays_text() -> None:
    evil = {**TEXT, "description": 'a """ b \\ c"\n\nimport os'}
    found = made({"A": {**thing(id=evil), "description": evil["description"]}}, ref("A"), thing(x=evil))
    body = ast.parse(found["results.pyi"]).body
    assert not [node for node in body if isinstance(node, ast.Import)]
    (node,) = (node for node in body if isinstance(node, ast.ClassDef))
    assert ast.get_docstring(node) == evil["description"]
