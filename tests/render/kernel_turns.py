"""Calls of the kernel's tools as a turn has them: what the server stores, and what the kernel shows of them."""

from __future__ import annotations

import math
import struct
import zlib
from base64 import b64encode
from typing import Any

from opencode_nb.tools.names import server_name
from opencode_nb.transcript.state import TurnState
from tests.render.turns import tool, turn

SERVED = server_name("ses_1")
CODE = """# Fit the fares by class, and plot them
import pandas as pd

by_class = titanic.groupby("pclass")["fare"]
for row in titanic.itertuples():
    print(row.Index, row.name)
ax = by_class.mean().plot.bar(title=f"Mean fare of {len(titanic)} passengers", color="C0", figsize=(8, 4), rot=0)
titanic.head(3)
"""
CHANGES = "titanic: 891x12 -> 889x12; by_class: new"
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "<agent>", line 1, in <module>\n'
    "    titanic.fares\n"
    "AttributeError: 'DataFrame' object has no attribute 'fares'"
)
TABLE: dict[str, Any] = {
    "kind": "table",
    "columns": [
        "passenger",
        "survived",
        "pclass",
        "name",
        "fare",
        "embarked",
        "note",
        *(f"extra_{i}" for i in range(9)),
    ],
    "dtypes": ["int64", "bool", "Int64", "object", "float64", "category", "object", *["float64"] * 9],
    "index": ["0", "1", "2"],
    "rows": [
        ["1", "False", "3", "Braund, Mr. Owen Harris", "7.25", "S", "A/5 21171, bought in Southampton on the " * 3]
        + ["0.125"] * 9,
        ["2", "True", "1", "Cumings, Mrs. John <b>Bradley</b>", "71.2833", "C", ""] + ["-1200.5"] * 9,
        ["3", "True", "3", "Heikkinen, Miss. Laina", "7.925", "S", "two\nlines"] + ["NaN"] * 9,
    ],
    "size": "891 rows, 12 columns",
}
LINES = "".join(f"{number} passenger \x1b[32mno. {number}\x1b[0m\n" for number in range(300))


def png(width: int = 640, height: int = 320) -> bytes:
    """Draw a white picture with a blue curve."""
    rows = [bytearray(b"\xff" * 3 * width) for _ in range(height)]
    for x in range(width):
        middle = int(height * (0.5 - 0.4 * math.sin(x / 60)))
        for y in range(max(0, middle - 2), min(height, middle + 2)):
            rows[y][3 * x : 3 * x + 3] = b"\x1f\x77\xb4"
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def figure() -> dict[str, Any]:
    """A figure as the server attaches it."""
    return {"mime": "image/png", "url": f"data:image/png;base64,{b64encode(png()).decode()}"}


def call(name: str, status: str = "completed", call_id: str = "c", **state: Any) -> dict[str, Any]:
    """A call of one of the kernel's tools."""
    return {**tool(f"{SERVED}_{name}", status, **state), "callID": call_id}


def blocks(*extra: dict[str, Any]) -> list[dict[str, Any]]:
    """What the kernel shows of CODE."""
    return [
        {"kind": "stdout", "text": LINES},
        {"kind": "stderr", "text": "FutureWarning: groupby will warn no more\n"},
        {"kind": "value", "text": "Index(['fare'], dtype='object')"},
        TABLE,
        *extra,
        {"kind": "changes", "text": CHANGES},
    ]


def kernel_turn(status: str = "completed", **more: Any) -> TurnState:
    """A turn that looks at a frame, plots it, and fails once."""
    output = "what the model was told"
    return turn(
        call("variables", call_id="c1", output="titanic  DataFrame  891x12"),
        call("inspect", call_id="c2", input={"name": "titanic"}, output="titanic: a DataFrame, 891x12\n"),
        call("python", call_id="c3", input={"code": CODE}, output=output, attachments=[figure()]),
        call("python", call_id="c4", input={"code": "titanic.fares"}, output=output),
        {"type": "text", "text": "The first class paid most."},
        status=status,
        shown={"c3": blocks(), "c4": [{"kind": "error", "text": TRACEBACK}]},
        sent=[
            {"about": "titanic", "level": "schema", "tokens": 412},
            {"about": "python", "level": "full", "tokens": 1200, "images": 1},
            {"about": "python", "level": "full", "tokens": 90},
        ],
        **more,
    )
