"""What the model reads of a function's value, and what the card shows: each within limits."""

from __future__ import annotations

import base64
import datetime
import io
import json
import tracemalloc
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel

from opencode_nb.functions.json_text import CUT, MOST, json_text
from opencode_nb.functions.results import failed, result
from opencode_nb.secret import MASK
from opencode_nb.tools.privacy import Level
from opencode_nb.tools.tool import Result

mpl.use("agg")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


def text_of(made: Result, level: Level = Level.FULL) -> str:
    return "".join(piece.text for piece in made.outgoing.pieces if piece.level <= level)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_json_values_are_told_as_json(value: object) -> None:
    assert json.loads(json_text(value)) == value


@dataclass
class Point:
    x: int
    api_key: str


class Model(BaseModel):
    day: datetime.date


def test_values_with_a_json_form_are_told_by_it() -> None:
    value = {"point": Point(1, "hidden"), "model": Model(day=datetime.date(2026, 1, 2)), "n": np.int64(3)}
    told = json.loads(text_of(result("f", {**value, "path": Path("a"), "money": Decimal("1.5"), "frame": pd})))
    assert told == {
        "point": {"x": 1, "api_key": MASK},
        "model": {"day": "2026-01-02"},
        "n": 3,
        "path": "a",
        "money": "1.5",
        "frame": "<module>",
    }


@pytest.mark.parametrize(("value", "told"), [(None, "Done."), ("", "Done: an empty text."), ("hi", "hi"), (2.5, "2.5")])
def test_simple_values_are_told_as_they_are(value: object, told: str) -> None:
    made = result("f", value)
    assert text_of(made) == told
    assert made.shown == ()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(file, "PNG")
    return file.getvalue()


class Drawn:
    def _repr_png_(self) -> bytes:
        return png()


class NotDrawn:
    def _repr_png_(self) -> None:
        return None

    def __repr__(self) -> str:
        return "not drawn today"


def figure() -> Any:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2])
    return drawn


@pytest.mark.parametrize("make", [png, lambda: Image.open(io.BytesIO(png())), figure, Drawn])
def test_pictures_go_to_the_model_and_to_the_card(make: Any) -> None:
    made = result("f", make())
    [picture] = made.outgoing.images
    assert picture.startswith(b"\x89PNG")
    assert "pixels" in text_of(made)
    assert made.shown == ({"kind": "image", "png": base64.b64encode(picture).decode()},)


def test_a_value_without_a_picture_after_all_is_described() -> None:
    made = result("f", NotDrawn())
    assert "not drawn today" in text_of(made)
    assert made.outgoing.images == ()


def test_a_frame_is_described_by_level_and_stands_on_the_card() -> None:
    made = result("f", pd.DataFrame({"city": ["Graz", "Linz"], "size": [1, 2]}))
    assert "Graz" in text_of(made)
    assert "Graz" not in text_of(made, Level.SUMMARY)
    assert "city: " in text_of(made, Level.SCHEMA)
    assert "city" not in text_of(made, Level.NAMES)
    [block] = made.shown
    assert (block["kind"], block["columns"]) == ("table", ["city", "size"])


def test_a_list_of_texts_pictures_and_frames_is_told_part_by_part() -> None:
    made = result("f", ["Here:", png(), pd.DataFrame({"a": [1]})])
    assert [block["kind"] for block in made.shown] == ["value", "image", "table"]
    assert len(made.outgoing.images) == 1
    assert text_of(made).startswith("Here:\n")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ["x" * 1_000] * 1_000_000,
        lambda: [{"a": ["y" * 100_000] * 10_000}],
        lambda: bytes(100_000_000),
        lambda: "z" * 100_000_000,
    ],
    ids=["list", "nested", "bytes", "text"],
)
def test_a_huge_value_is_not_written_out(make: Any) -> None:
    """Up to a gigabyte as JSON: what it takes to tell of it is a small part of that."""
    value = make()
    tracemalloc.start()
    made = result("f", value)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 30_000_000
    assert isinstance(value, str) or len(text_of(made)) <= MOST + len(CUT)


def test_what_contains_itself_ends() -> None:
    value: list[Any] = []
    value.append(value)
    assert len(json_text(value)) < 1_000


def test_a_failure_tells_the_model_its_message_and_the_user_the_traceback() -> None:
    def inner() -> None:
        raise KeyError("amount")

    try:
        inner()
    except KeyError as error:
        made = failed("f", error)
    assert made.failed
    assert text_of(made) == "f failed: KeyError: 'amount'"
    assert text_of(made, Level.NAMES) == "f failed: KeyError"
    [block] = made.shown
    assert block["kind"] == "error"
    assert "in inner" in block["text"]
