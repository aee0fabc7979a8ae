"""Render a schema as type text; one with fields or variants becomes a named definition. Pure.

Shared by results and parameters, which differ in how an object is defined.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import Any

from opencode_nb.api.typegen.naming import RENAMED, camel, canonical

__all__ = ["Json", "Types", "alias", "docstring", "literal", "members", "optional"]

Json = dict[str, Any]

_TAGS = ("type", "role", "status", "name", "success")
"""Fields that distinguish variants, the most likely first."""

_PLAIN = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"}


class Types(ABC):
    """Types of one document. `text` returns a type's text; `definitions` (name -> source) has what it refers to."""

    def __init__(self, schemas: Json) -> None:
        self._schemas = schemas
        self._class_names = {name: RENAMED.get(name, camel(name)) for name in schemas}
        self.shapes = {self._class_names[name]: canonical(schema) for name, schema in schemas.items()}
        self._twins = {canonical(schema): self._class_names[name] for name, schema in reversed(schemas.items())}
        self.definitions: dict[str, str] = {}

    def text(self, schema: Json, place: str) -> str:
        """Return the type as text. `place`: its position in CamelCase, used to name unnamed definitions."""
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]).rsplit("/", 1)[-1])
        if branches := variants(schema):
            return self._union(branches, place)
        if "const" in schema or schema.get("enum"):
            return self.enumeration(schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "array":
                return self.sequence(self.text(schema.get("items", {}), f"{place}Item"))
            case "object":
                return self._object(schema, place)
            case kind:
                return _PLAIN.get(str(kind), "Any")

    def resolve(self, schema: Json) -> Json:
        """Follow references to the schema itself."""
        for _ in range(20):  # references could be circular
            if "$ref" not in schema:
                break
            schema = self._schemas.get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
        return schema

    def fields(self, schema: Json, place: str) -> list[tuple[str, str, bool, str]]:
        """Return the fields of an object: (name, type, required, description)."""
        required = schema.get("required", ())
        return [
            (name, self.text(field, place + camel(name)), name in required, field.get("description", ""))
            for name, field in schema["properties"].items()
        ]

    def enumeration(self, values: list[Any]) -> str:
        """Return the type of one of these values."""
        return literal(values)

    @abstractmethod
    def sequence(self, item: str) -> str:
        """Return the type of a list of items."""

    @abstractmethod
    def mapping(self, value: str) -> str:
        """Return the type of an object with arbitrary field names."""

    @abstractmethod
    def anything(self) -> str:
        """Return the type of an object with unknown fields."""

    @abstractmethod
    def define(self, name: str, schema: Json) -> str:
        """Return the source that defines an object with fields."""

    def tagged(self, name: str, texts: list[str], branches: list[Json], tag: str) -> str:
        """Return the source that defines a union whose variants have a tag."""
        return alias(name, texts)

    def _reference(self, name: str) -> str:
        schema, own = self._schemas.get(name, {}), self._class_names.get(name, "Any")
        if schema.get("type") == "object" and schema.get("properties"):
            return self._define(own, schema)
        if not variants(schema) and not schema.get("enum"):
            return self.text(schema, own)
        if own not in self.definitions:
            self.definitions[own] = ""  # a schema may contain itself
            found = self.text(schema, own)
            if not self.definitions[own]:
                self.definitions[own] = alias(own, [found])
        return own

    def _object(self, schema: Json, place: str) -> str:
        if schema.get("properties"):
            return self._define(self._name(schema, place), schema)
        values = schema.get("additionalProperties")
        return self.mapping(self.text(values, f"{place}Value")) if values else self.anything()

    def _define(self, name: str, schema: Json) -> str:
        if name not in self.definitions:
            self.definitions[name] = ""  # a schema may contain itself
            self.definitions[name] = self.define(name, schema)
        return name

    def _name(self, schema: Json, place: str) -> str:
        """Name an unnamed object: after a schema with the same shape and tag, else after its position."""
        shape = canonical(schema)
        if shape in self._twins and any(tag_of(schema, tag) for tag in _TAGS):
            return self._twins[shape]
        return self._free(place, shape)

    def _free(self, place: str, shape: str) -> str:
        """Return the name, numbered if it already means something else."""
        name, number = place, 2
        while self.shapes.setdefault(name, shape) != shape:
            name, number = f"{place}{number}", number + 1
        return name

    def _union(self, branches: list[Json], place: str) -> str:
        objects = [found for found in map(self.resolve, branches) if found.get("properties")]
        tag = next((tag for tag in _TAGS if len(objects) > 1 and all(tag_of(each, tag) for each in objects)), None)
        texts = self._variants(branches, place, tag)
        return self._named_union(texts, objects, place, tag) if tag else " | ".join(texts)

    def _variants(self, branches: list[Json], place: str, tag: str | None) -> list[str]:
        texts = []
        for number, branch in enumerate(branches, 1):
            mark = tag_of(branch, tag) if tag else f"Option{number}" if branch.get("properties") else ""
            texts += members(self.text(branch, place + camel(mark)))
        return list(dict.fromkeys(texts))

    def _named_union(self, texts: list[str], objects: list[Json], place: str, tag: str) -> str:
        """Return the union's name: the same for the same variants, unless the document names it."""
        shape = json.dumps(texts)
        if place not in self.definitions and shape in self._twins:
            return self._twins[shape]
        name = place if place in self.definitions else self._free(place, shape)
        self._twins.setdefault(shape, name)
        self.definitions[name] = self.tagged(name, texts, objects, tag)
        return name


def variants(schema: Json) -> list[Json]:
    """Return the branches of a union; `type: [a, b]` is one, too."""
    kinds = schema.get("type")
    rest = {key: value for key, value in schema.items() if key != "type"}
    return (
        schema.get("anyOf")
        or schema.get("oneOf")
        or ([{**rest, "type": kind} for kind in kinds] if isinstance(kinds, list) else [])
    )


def tag_of(schema: Json, tag: str) -> str:
    """Return the only value that this field can have, as text; "" if it can have others."""
    values = schema.get("properties", {}).get(tag, {}).get("enum", ())
    return str(values[0]) if len(values) == 1 and tag in schema.get("required", ()) else ""


def literal(values: list[Any]) -> str:
    """Return `Literal["a", "b"]`, or `float`: a Literal cannot contain floats."""
    if any(isinstance(value, float) for value in values):
        return "float"
    return f"Literal[{', '.join(json.dumps(v, ensure_ascii=False) if isinstance(v, str) else repr(v) for v in values)}]"


def optional(text: str) -> str:
    """Add None to a type."""
    return text if text == "Any" or "None" in members(text) else f"{text} | None"


def members(text: str) -> list[str]:
    """Split a union's text into its members, not splitting inside brackets or quotes."""
    found, depth, quoted = [""], 0, False
    for part in re.split(r'( \| |(?<!\\)"|[][()])', text):
        quoted ^= part == '"'
        depth += 0 if quoted else (part in ("[", "(")) - (part in ("]", ")"))
        if part == " | " and not depth and not quoted:
            found.append("")
        else:
            found[-1] += part
    return found


def alias(name: str, texts: list[str]) -> str:
    """Return the definition of a union's name."""
    if len(texts) == 1:
        return f"{name}: TypeAlias = {texts[0]}\n"
    return f"{name}: TypeAlias = (\n    " + "\n    | ".join(texts) + "\n)\n"


def docstring(text: str, indent: str) -> str:
    """Return the lines of a docstring, or "". Escapes the document's text, so that it cannot end the docstring."""
    if not text:
        return ""
    safe = text.strip().replace("\\", "\\\\").replace('"""', r"\"\"\"")
    safe += "\n" if "\n" in safe else " " if safe.endswith('"') else ""
    return "\n".join((indent + line).rstrip() for line in f'"""{safe}'.splitlines()) + (
        f'\n{indent}"""\n' if safe.endswith("\n") else '"""\n'
    )
