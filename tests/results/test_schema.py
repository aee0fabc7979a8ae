"""Every form of a schema, right and wrong; no server is needed."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import typing
from datetime import date
from typing import Any, Literal, NamedTuple, NotRequired, Optional, TypedDict

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.results import asking, text
from opencode_nb.results.fences import Block, blocks
from opencode_nb.results.partial import Partials
from opencode_nb.results.schema import MismatchError, Schema
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.privacy import Gate, Level, Outgoing
from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.updates import Update


class Something:
    """Neither a type nor JSON; its name is the same in every process."""

    def __repr__(self) -> str:
        return "something"


SOMETHING = Something()


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0)
    born: date | None = None


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Town(TypedDict):
    name: str
    size: NotRequired[int]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Pair(NamedTuple):
    left: int
    right: str


class Node(pydantic.BaseModel):
    value: int
    children: list[Node] = []


class Odd(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def odd(cls, number: int) -> int:
        if number % 2 == 0:
            raise KeyError("even")  # not an error that pydantic expects
        return number


class Checked(pydantic.BaseModel):
    number: int
    text: str = "x" * 1_000

    @pydantic.field_validator("number")
    @classmethod
    def known(cls, number: int) -> int:
        assert number == 1, "the rows are 1, 2, 3"
        return number


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}
TREE = {"type": "array", "items": {"$ref": "#"}}
ADA = {"name": "Ada", "age": 36}

FORMS: list[tuple[Any, Any, Any, bool]] = [
    (Person, ADA | {"born": "1815-12-10"}, Person(name="Ada", age=36, born=date(1815, 12, 10)), False),
    (Point, {"x": 1}, Point(1.0), False),
    (Town, {"name": "Oslo"}, {"name": "Oslo"}, False),
    (Node, {"value": 1, "children": [{"value": 2}]}, Node(value=1, children=[Node(value=2)]), False),
    (PERSON, ADA, ADA, False),
    ({"type": "json_schema", "schema": PERSON}, ADA, ADA, False),
    ({"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}, ADA, ADA, False),
    ({"name": "person", "schema": PERSON}, ADA, ADA, False),
    (list[Person], [ADA], [Person(**ADA)], True),
    (list[Town] | None, [{"name": "Oslo", "size": 1}], [{"name": "Oslo", "size": 1}], True),
    (Optional[Town], None, None, True),  # noqa: UP045  # as some write it
    (dict[str, Town], {"a": {"name": "Oslo"}}, {"a": {"name": "Oslo"}}, True),
    (Literal["a", "b"], "b", "b", True),
    (float, 3, 3.0, True),
    (int | None, None, None, True),
    (bool, False, False, True),
    (Colour, "blue", Colour.BLUE, True),
    (Pair, [1, "a"], Pair(1, "a"), True),
    (tuple[int, ...], [1, 2], (1, 2), True),
    (dict[str, int], {"a": 1}, {"a": 1}, True),
    (typing.Annotated[int, pydantic.Field(gt=2)], 3, 3, True),
    (Any, {"x": []}, {"x": []}, True),
    ({}, [1], [1], True),
    ({"enum": ["a", 1]}, 1, 1, True),
    (TREE, [[], [[]]], [[], [[]]], True),
    ({"$schema": "https://example.org/own", "type": "string"}, "x", "x", True),
]
WRONG: list[tuple[Any, type[Exception], str]] = [
    (5, TypeError, "5 is not a type"),
    ("Person", TypeError, "not a type"),
    (Person(name="Ada", age=1), TypeError, "not a type"),
    (len, TypeError, "not a type"),
    ([int], TypeError, "not a type"),
    (True, TypeError, "not a type"),
    (SOMETHING, TypeError, "not a type"),
    (Schema, TypeError, "Schema cannot be used"),
    (list["Nowhere"], TypeError, "cannot be used"),  # type: ignore[name-defined]  # noqa: F821
    ({"type": "objekt"}, ValueError, "not a valid JSON schema"),
    ({"properties": 3}, ValueError, "properties"),
    ({"$ref": "#/$defs/Nowhere"}, ValueError, "is not in it"),
    ({"$ref": "https://example.org/elsewhere.json"}, ValueError, "is not in it"),
    ({"$ref": "#"}, ValueError, "without end"),
    ({"type": "json_schema"}, ValueError, "no schema inside"),
    ({"const": float("nan")}, ValueError, "not JSON"),
    ({"default": SOMETHING}, ValueError, "not JSON"),
]


def named(forms: list[Any]) -> list[str]:
    return [str(form[0])[:40] for form in forms]


@pytest.mark.parametrize(("form", "answer", "value", "wrapped"), FORMS, ids=named(FORMS))
def test_an_answer_becomes_a_value_of_the_schema(form: Any, answer: Any, value: Any, wrapped: bool) -> None:
    schema = Schema.of(form)
    assert schema.wrapped is wrapped
    assert schema.arguments["type"] == "object"
    arguments = {"value": answer} if wrapped else answer
    assert set(arguments) <= set(schema.arguments["properties"])
    assert schema.read(arguments) == value
    assert type(schema.read(answer)) is type(value)
    assert Schema.of(schema) is schema
    assert text.read(schema, f"Here it is:\n```json\n{json.dumps(answer)}\n```\nDone.") == value or form is Any


@pytest.mark.parametrize(("form", "kind", "why"), WRONG, ids=named(WRONG))
def test_what_is_no_schema_is_refused_with_the_reason(form: Any, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=r"schema=") as raised:
        Schema.of(form)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("form", "answer", "why"),
    [
        (Person, {"name": "Ada", "age": -1}, "age: Input should be greater than or equal to 0"),
        (Person, {}, "name: Field required; age: Field required"),
        (PERSON, {"name": "Ada"}, "'age' is a required property"),
        (PERSON, {"name": 3, "age": -1}, "age: -1 is less than the minimum of 0"),
        (list[int], {"value": ["a"]}, "0: Input should be a valid integer"),
        (Literal["a", "b"], {"value": "c"}, "the value: Input should be 'a' or 'b'"),
        (Odd, {"number": 2}, "KeyError: 'even'"),
        ({"type": "string", "format": "date"}, {"value": "yesterday"}, "is not a 'date'"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong_and_keeps_it(form: Any, answer: Any, why: str) -> None:
    with pytest.raises(MismatchError) as raised:
        Schema.of(form).read(answer)
    assert why in str(raised.value)
    assert json.loads(raised.value.raw) == answer


class Rude(Exception):
    def __str__(self) -> str:
        raise TypeError("no text")


def refuse(_value: int) -> int:
    raise Rude


class Guarded(pydantic.BaseModel):
    number: typing.Annotated[int, pydantic.AfterValidator(refuse)]


@pytest.mark.parametrize(
    ("form", "answer", "told"),
    [
        (Odd, {"number": 2}, "KeyError"),
        (Guarded, {"number": 2}, "Rude"),
        (Person, {"name": "Ada", "age": -1}, "age: Input should be greater than or equal to 0"),
        (Checked, {"number": 2, "text": 3}, "number: Assertion failed; text: Input should be a valid string"),
        (PERSON, {"name": "Ada"}, "the value: 'age' is a required property"),
    ],
)
def test_what_validators_say_of_a_wrong_answer_takes_the_level_full(form: Any, answer: Any, told: str) -> None:
    with pytest.raises(MismatchError) as raised:
        Schema.of(form).read(answer)
    let = Gate(Level.NONE, Ledger()).let(Outgoing("result", raised.value.told), by="result").text
    assert let.partition("\n")[0] == told


def test_the_schema_of_a_type_holds_no_long_default() -> None:
    assert "default" not in Schema.of(Checked).json["properties"]["text"]
    assert Schema.of(Point).json["properties"]["y"]["default"] == 0.0


def test_references_to_the_root_follow_it_into_the_tool_s_value() -> None:
    inner = Schema.of({"type": "array", "items": {"$ref": "#/$defs/T"}, "$defs": {"T": {"$ref": "#"}}}).arguments
    assert inner["properties"]["value"] == {"type": "array", "items": {"$ref": "#/$defs/T"}}
    assert inner["$defs"] == {"T": {"$ref": "#/properties/value"}}


def test_without_the_tool_the_model_is_told_the_schema() -> None:
    schema = Schema.of(list[int])
    assert json.dumps(schema.json) in asking.instructions(schema, "")
    assert "`nb1_result`" in asking.instructions(schema, "nb1_result")


@pytest.mark.parametrize(
    ("form", "answer", "value"),
    [
        (float, " 3.5\n", 3.5),
        (Literal["good", "bad"], "good", "good"),
        (str, "just words", "just words"),
        (str, "42", "42"),
        (int, "It is {42} or [x]. 7", None),
        (Point, 'The point is {"x": 1, "y": {"z": [}} or rather {"x": 2}, I think.', Point(2.0)),
        (Point, '```\nnothing\n```\n~~~json\n{"x": 1}\n~~~\n```json\n{"x": 5}\n```', Point(5.0)),
        (Point, '{"value": {"x": 1}}', Point(1.0)),
        (Point, "[" * 100_000, None),
        (list[int], "", None),
    ],
)
def test_a_text_is_read_as_json_or_as_words(form: Any, answer: str, value: Any) -> None:
    schema = Schema.of(form)
    if value is not None:
        assert text.read(schema, answer) == value
        return
    with pytest.raises(MismatchError) as raised:
        text.read(schema, answer)
    assert raised.value.raw == answer


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("```", ""),
        ("``` Python", "python"),
        ("```{r}", "r"),
        ("```{r, echo=FALSE}", "r"),
        ("```{.python .numbered}", "python"),
        ("```python{1,3}", "python"),
        ("~~~c++", "c++"),
    ],
)
def test_a_fence_names_the_language(line: str, language: str) -> None:
    assert [*blocks(f"{line}\nx\n{line[:3]}")] == [Block(language, "x\n", closed=True)]


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(alphabet='`~{}[]"\n a1,:', max_size=80))
def test_any_text_is_read_or_refused(answer: str) -> None:
    with contextlib.suppress(MismatchError):
        assert isinstance(text.read(Schema.of(list[int]), answer), list)
    assert all(isinstance(block, Block) for block in blocks(answer))


def streamed(form: Any, *updates: Update) -> list[Any]:
    partials = Partials(Schema.of(form))
    return [found.data for update in updates for found in partials.of(update)]


def test_partial_values_are_those_that_validate() -> None:
    pieces = ["Here:\n```json\n", '[{"x": 1', '2, "y": 1}', ', {"x', '": 3}, {"y"', ": 1}]\n", "```"]
    updates = [Update("text", "t", piece) for piece in pieces]
    assert streamed(list[Point], *updates) == [[], [Point(12.0, 1.0)], [Point(12.0, 1.0), Point(3.0)]]


def test_words_are_a_value_when_they_are_complete() -> None:
    updates = [Update("text", "t", piece) for piece in ("Let me see [1].", "\n\n", "go", "od")]
    assert streamed(Literal["good", "go"], *updates, Update("turn_complete", "t")) == ["good"]


def test_the_result_tool_s_arguments_are_a_partial_value() -> None:
    call = ToolCall("nb12345678_result", "running", "", {"value": [1]}, "", "", {}, [], None)
    other = ToolCall("bash", "running", "", {"value": [2]}, "", "", {}, [], None)
    assert streamed(list[int], *[Update("tool", "t", tool=one) for one in (other, call, call)]) == [[1]]
