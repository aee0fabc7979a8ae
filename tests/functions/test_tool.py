"""What the agent reads of a function, how its arguments are validated, and which functions cannot be tools."""

from __future__ import annotations

import datetime
import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypedDict

import opencode_nb as oc
from opencode_nb.functions import docstrings, registry
from opencode_nb.functions.collection import Tools
from opencode_nb.functions.schema import ArgumentsError
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.privacy import Gate, Level, Outgoing

GOOGLE = """Label a text.

It may be long.

Args:
    text (str): What to label,
        over two lines.
    kind: Which: a or b.

Returns:
    The label.
"""
NUMPY = """Label a text.

It may be long.

Parameters
----------
text : str
    What to label,
    over two lines.
kind : {"a", "b"}, optional
    Which: a or b.

Returns
-------
str
    The label.
"""
SPHINX = """Label a text.

It may be long.

:param str text: What to label,
    over two lines.
:param kind: Which: a or b.
:type kind: str
:returns: The label.
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_a_docstring_describes_the_function_and_its_parameters(docstring: str) -> None:
    read = docstrings.read(docstring)
    assert read.parameters == {"text": "What to label, over two lines.", "kind": "Which: a or b."}
    assert read.text.startswith("Label a text.\n\nIt may be long.\n\n")
    assert "The label." in read.text
    assert "over two lines" not in read.text


LINES = st.sampled_from(
    ["Args:", "Parameters", "----------", "    x (int): a", "x : int", ":param x: a", ":type x: int", "", "    b", "c"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=12) | st.lists(st.text(max_size=8), max_size=6))
def test_any_docstring_can_be_read(lines: list[str]) -> None:
    read = docstrings.read("\n".join(lines))
    assert all(read.parameters.values())
    assert len(read.text) <= len(inspect.cleandoc("\n".join(lines)))


class Colour(enum.Enum):
    RED = "red"


class Person(BaseModel):
    name: str = Field(description="In full")
    born: datetime.date | None = None


@dataclass
class Place:
    city: str
    inside: bool = True


class Options(TypedDict):
    deep: bool


def everything(
    text: str,
    count: int,
    /,
    kind: Literal["a", "b"] = "a",
    *,
    people: list[Person],
    place: Place | None = None,
    options: Options | None = None,
    colour: Colour = Colour.RED,
    path: Path = Path("data"),
    at: datetime.datetime | None = None,
    share: Annotated[float, Field(ge=0, le=1)] = 0.5,
    note: Annotated[str, "A remark"] = "",
    anything=None,  # a parameter without a type
    session: oc.Session,
) -> list[Any]:
    return [text, count, kind, people, place, options, colour, path, at, share, note, anything, session]


def test_the_schema_has_every_parameter_but_the_session() -> None:
    schema = oc.FunctionTool(everything).schema
    assert schema["type"] == "object"
    assert schema["required"] == ["text", "count", "people"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert "session" not in properties
    assert properties["kind"] == {"enum": ["a", "b"], "type": "string", "default": "a"}
    assert properties["colour"] == {"$ref": "#/$defs/Colour", "default": "red"}
    assert properties["share"] == {"maximum": 1, "minimum": 0, "type": "number", "default": 0.5}
    assert properties["note"]["description"] == "A remark"
    assert properties["path"]["default"] == "data"
    assert properties["anything"] == {}
    assert schema["$defs"]["Person"]["properties"]["name"] == {"description": "In full", "type": "string"}
    assert "title" not in str(schema)


def test_arguments_become_what_the_annotations_say() -> None:
    made = oc.FunctionTool(everything)
    given = {
        "text": "x",
        "count": 2,
        "people": [{"name": "Ada", "born": "1815-12-10"}],
        "place": {"city": "Graz"},
        "options": {"deep": True},
        "colour": "red",
        "path": "a.csv",
        "at": "2026-01-02T03:04:05Z",
    }
    args, kwargs = made.parameters.bound(made.arguments.validated(given), "the session")
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    ada = Person(name="Ada", born=datetime.date(1815, 12, 10))
    expected = ["x", 2, "a", [ada], Place("Graz"), {"deep": True}, Colour.RED, Path("a.csv"), at, 0.5, "", None]
    assert made(*args, **kwargs) == [*expected, "the session"]


def test_wrong_arguments_tell_the_model_each_mistake() -> None:
    made = oc.FunctionTool(everything)
    with pytest.raises(ArgumentsError) as caught:
        made.arguments.validated({"text": 3, "kind": "c", "people": [{}], "share": 2, "more": 1})
    told = str(caught.value)
    for mistake in ("`text`", "`count`: Field required", "'a' or 'b', not 'c'", "`people.0.name`", "`share`", "`more`"):
        assert mistake in told


def test_a_default_that_is_a_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "a1b2c3d4e5f6g7h8")

    def fetch(token: str = "a1b2c3d4e5f6g7h8", size: int = 3) -> None: ...

    properties = oc.FunctionTool(fetch).schema["properties"]
    assert "default" not in properties["token"]
    assert properties["size"]["default"] == 3


def test_a_schema_holds_no_default_of_a_model_that_is_long_or_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "a1b2c3d4e5f6g7h8")

    class Service(BaseModel):
        key: str = "a1b2c3d4e5f6g7h8"
        password: str = "swordfish"
        rows: list[int] = list(range(100))
        default: int = 3

    def fetch(service: Service, many: list[Service] = [Service()]) -> None: ...  # noqa: B006, B008

    schema = oc.FunctionTool(annotated_by(fetch, service=Service, many=list[Service])).schema
    told = {name: one.get("default") for name, one in schema["$defs"]["Service"]["properties"].items()}
    assert told == {"key": None, "password": None, "rows": None, "default": 3}
    assert "default" not in schema["properties"]["many"]


def annotated_by(function: Callable[..., Any], **annotations: Any) -> Callable[..., Any]:
    """Return a function with these annotations: those of classes inside a test are not found by their names."""
    function.__annotations__.update(annotations)
    return function


def test_a_default_is_never_compared_and_never_described() -> None:
    class Rows:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        def __repr__(self) -> str:
            return "Ada, 36"

    def label(text, rows=Rows()): ...  # noqa: B008

    made = oc.FunctionTool(label)
    assert made.schema["properties"]["rows"] == {}
    assert made.description == "label(text, rows)"


def test_what_a_validator_says_leaves_only_with_the_user_s_data() -> None:
    def known(name: str) -> str:
        if name != "Ada":
            raise ValueError(f"{name}, but there is Ada")
        return name

    def greet(name: str, count: int) -> None: ...

    made = oc.FunctionTool(annotated_by(greet, name=Annotated[str, AfterValidator(known)]))
    with pytest.raises(ArgumentsError) as caught:
        made.arguments.validated({"name": "Bob", "count": "x"})
    assert "`name`: Value error, Bob, but there is Ada, not 'Bob'" in str(caught.value)
    let = Gate(Level.SUMMARY, Ledger()).let(Outgoing("greet", caught.value.told), by="greet").text
    assert "`name`: Value error\n- `count`: Input should be a valid integer" in let
    assert "Ada" not in let


def variadic(*values: int) -> None: ...
def keywords(**values: int) -> None: ...
def streaming() -> Any:
    yield 1


def with_field(x: int = Field(3)) -> None: ...


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (variadic, {}, "takes \\*values"),
        (keywords, {}, "takes \\*\\*values"),
        (streaming, {}, "is a generator"),
        (with_field, {}, "write `x: Annotated"),
        (len, {"name": "python"}, "has a tool, or a permission, 'python'"),
        (len, {"name": "run_cell"}, "'run_cell'"),
        (len, {"name": "result"}, "'result'"),
        (len, {"name": "baash"}, "a permission, 'bash'"),
        (len, {"name": "größe"}, "cannot be a tool's name"),
        (lambda: None, {}, "cannot be a tool's name"),
        (Person, {}, "is no function"),
        (3, {}, "is no function"),
        (classmethod(len), {}, "below @classmethod"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_at_once(function: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        oc.tool(function, **options)
    assert registry.decorated() == ()


def test_a_type_without_a_schema_is_refused_at_once() -> None:
    class Opaque:
        pass

    def take(value: Opaque) -> None: ...

    take.__annotations__["value"] = Opaque
    with pytest.raises(ValueError, match=r"take: .*Opaque"):
        oc.tool(take)


def test_a_class_that_comes_later_is_found_when_it_is_there() -> None:
    namespace: dict[str, Any] = {}
    exec("from __future__ import annotations\ndef take(value: Later) -> None: ...", namespace)
    made = oc.tool(namespace["take"])
    with pytest.raises(ValueError, match=r"take: an annotation is not defined: .*Later"):
        _ = made.schema
    namespace["Later"] = Person
    assert "$ref" in made.schema["properties"]["value"]


class Store:
    def __init__(self, stock: int) -> None:
        self.stock = stock

    @oc.tool(read_only=True)
    def left(self, sold: int) -> int:
        """Return how many are left."""
        return self.stock - sold

    @classmethod
    @oc.tool
    def kinds(cls) -> str:
        return cls.__name__

    @staticmethod
    def plain() -> str:
        return "plain"


def test_the_methods_of_objects_and_classes_are_tools_once_bound() -> None:
    assert registry.decorated() == ()
    tools = Tools([Store(5).left, Store.kinds, Store.plain])
    assert [one.name for one in tools] == ["left", "kinds", "plain"]
    assert tools["left"](2) == 3
    assert tools["left"].read_only
    assert list(tools["left"].schema["properties"]) == ["sold"]
    assert tools["kinds"]() == "Store"
    assert tools["kinds"].schema["properties"] == {}
    with pytest.raises(ValueError, match=r"tools=\[object.left\]"):
        Tools([Store.left])


def test_a_decorated_tool_is_listed_replaced_renamed_and_taken_away() -> None:
    def first() -> str:
        """Say one."""
        return "one"

    tools = Tools([len])
    old = oc.tool(first)
    new = oc.tool(lambda: "two", name="first")
    assert [one.name for one in tools] == ["first", "len"]
    assert tools["first"] is new
    assert old() == "one"
    new.name = "second"
    assert [one.name for one in tools] == ["second", "len"]
    with pytest.raises(oc.OpencodeError, match=r"no tool 'secnd' of yours\. Did you mean second"):
        tools.remove("secnd")
    other = Tools()
    other.remove("second")
    assert ["second" in one for one in (tools, other)] == [True, False]
    tools["second"].remove()
    tools.remove("len")
    assert len(tools) == 0
    assert tools.add(len, name="length").name == "length"

    async def wait() -> None: ...

    waiting = tools.add(oc.FunctionTool(wait), name="waiting", read_only=True)
    assert (waiting.name, waiting.is_async, waiting.function) == ("waiting", True, wait)


def test_two_modules_cannot_take_the_same_name() -> None:
    namespace: dict[str, Any] = {"__name__": "elsewhere"}
    exec("def label(): ...", namespace)

    @oc.tool
    def label() -> None: ...

    with pytest.raises(ValueError, match=r"a tool 'label' of tests\.functions\.test_tool already"):
        oc.tool(namespace["label"])


@pytest.mark.parametrize("ask", [oc.confirm, oc.input, lambda question: oc.choose(question, ["a"])])
def test_asking_outside_of_a_call_is_an_error(ask: Callable[[str], object]) -> None:
    with pytest.raises(oc.OpencodeError, match="works inside a tool of yours"):
        ask("Sure?")
