"""Terminal output of commands, compared with a terminal emulator (pyte), and by hand where pyte lacks support."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import product
from time import process_time
from typing import Any

import pyte
import pyte.graphics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.render.markup import ansi
from opencode_nb.render.markup.sgr import PLAIN, Style, restyled

COLUMNS, ROWS = 200, 24

Cell = tuple[str, Style]


def colors(*codes: tuple[dict[int, str], str]) -> dict[str, str]:
    """Convert pyte's colour names to ours."""
    names = {}
    for table, field in codes:
        names |= {name: getattr(restyled(PLAIN, str(code)), field) for code, name in table.items()}
    return names


FOREGROUND = colors((pyte.graphics.FG_ANSI, "color"), (pyte.graphics.FG_AIXTERM, "color"))
BACKGROUND = colors((pyte.graphics.BG_ANSI, "background"), (pyte.graphics.BG_AIXTERM, "background"))


def rgb(value: str, names: dict[str, str]) -> str:
    return names[value] if value in names else "rgb({},{},{})".format(*bytes.fromhex(value))


def by_emulator(text: str) -> list[list[Cell]]:
    """Return the visible characters of each line with their styles; spaces are plain."""
    screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    rows = [*screen.history.top, *(screen.buffer[y] for y in range(ROWS))]
    return trimmed([[emulated(row[x]) for x in range(max(row, default=-1) + 1)] for row in rows])


def emulated(cell: Any) -> Cell:
    if cell.data == " ":
        return " ", PLAIN
    color, background = rgb(cell.fg, FOREGROUND), rgb(cell.bg, BACKGROUND)
    marks = {"italic": cell.italics, "underline": cell.underscore, "struck": cell.strikethrough}
    style = Style(color, background, bold=cell.bold, inverse=cell.reverse, **marks)
    return cell.data, style


def by_us(text: str) -> list[list[Cell]]:
    return trimmed([list(cells(line)) for line in ansi.lines(text)])


def cells(line: list[tuple[str, Style]]) -> Iterator[Cell]:
    for text, style in line:
        yield from ((character, PLAIN if character == " " else style) for character in text)


def trimmed(rows: list[list[Cell]]) -> list[list[Cell]]:
    """Strip trailing spaces and blank lines, which a screen has and an output has not."""
    kept = [row[: max((i + 1 for i, cell in enumerate(row) if cell[0] != " "), default=0)] for row in rows]
    return kept[: max((i + 1 for i, row in enumerate(kept) if row), default=0)]


counts = st.one_of(st.just(""), st.integers(0, 30).map(str))
moves = st.builds("\x1b[{}{}".format, counts, st.sampled_from("ABCDEFGdXP@"))
erasures = st.builds("\x1b[{}{}".format, st.sampled_from(["", "0", "1", "2"]), st.sampled_from("JK"))
places = st.builds("\x1b[{};{}{}".format, counts, counts, st.sampled_from("Hf"))
looks = st.one_of(
    st.sampled_from(["0", "", *(str(code) for code in pyte.graphics.TEXT if code not in (5, 25))]),
    st.sampled_from([*range(30, 38), 39, *range(40, 48), 49, *range(90, 98), *range(100, 105), 106, 107]).map(str),
    st.builds("{};5;{}".format, st.sampled_from(["38", "48"]), st.integers(16, 255)),
    st.builds("{};2;{};{};{}".format, st.sampled_from(["38", "48"]), *[st.integers(0, 255)] * 3),
)
restyles = st.lists(looks, min_size=1, max_size=3).map(";".join).map("\x1b[{}m".format)
words = st.text("abc XYZ.é", min_size=1, max_size=12)
controls = st.sampled_from(["\n", "\n", "\r", "\b", "\t", "\r\n", "\v", "\f", "\a", "\0"])
outputs = st.lists(st.one_of(words, words, controls, moves, erasures, places, restyles), max_size=30).map("".join)


@settings(max_examples=100, deadline=None)
@given(outputs)
def test_text_and_attributes_equal_those_of_a_terminal(output: str) -> None:
    assert by_us(output) == by_emulator(output)


@pytest.mark.parametrize(
    "output",
    [
        "first\x1b[1Gsecond",
        "abcdef\x1b[2DX",
        "abcdef\x1b[3G\x1b[0K!",
        "abcdef\x1b[3D\x1b[1K!",
        "abc\x1b[5Cd",
        "one\ntwo\x1b[A\rONE",  # like tqdm with two bars
        "a\tb\rxy\tz",
        "".join(f"line {n}\n" for n in range(60)) + "\x1b[30Atop",
        "old\n\x1b[H\x1b[2Jnew",
        "漢字\b\bX",
        "\x1b[31m漢\x1b[0m\x1b[1Gab",
    ],
)
def test_cursor_movements_equal_those_of_a_terminal(output: str) -> None:
    shown = unicodedata.normalize("NFC", "\n".join("".join(c for c, _ in row) for row in by_us(output)))
    assert shown == "\n".join("".join(c for c, _ in row) for row in by_emulator(output))


@pytest.mark.parametrize(
    ("parameters", "style"),
    [
        ("38:2::255:100:7", Style(color="rgb(255,100,7)")),
        ("38:2:255:100:7", Style(color="rgb(255,100,7)")),
        ("38:2:1:255:100:7", Style(color="rgb(255,100,7)")),
        ("48:2::255:100:7", Style(background="rgb(255,100,7)")),
        ("38:5:196", Style(color="rgb(255,0,0)")),
        ("1;38:2::1:2:3;3", Style(color="rgb(1,2,3)", bold=True, italic=True)),
        ("4:3", Style(underline=True)),
        ("4:0", PLAIN),
        ("4;4:0", PLAIN),
        ("58;2;1;4;7", PLAIN),
        ("58;5;1", PLAIN),
        ("58:2::1:4:7", PLAIN),
        ("4;58;2;1;3;7;1", Style(underline=True, bold=True)),
        ("59", PLAIN),
        ("38;2", PLAIN),
        ("38;5", PLAIN),
        ("38", PLAIN),
        ("9;29;9", Style(struck=True)),
        ("3" * 5_000, PLAIN),
        ("0000000001", Style(bold=True)),
    ],
)
def test_sub_parameters_belong_to_their_parameter(parameters: str, style: Style) -> None:
    assert ansi.lines(f"\x1b[{parameters}mx") == [[("x", style)]]


@pytest.mark.parametrize("output", ["\x1b[>4;1mx", "\x1b[?1mx", "\x1b[1!px", "\x1b[1 qx"])
def test_private_sequences_change_no_text(output: str) -> None:
    assert ansi.lines(output) == [[("x", PLAIN)]]


@pytest.mark.parametrize(
    "unit", ["\x1b[9999999Cx\n", "\x1b[999999999@x", "x\x1b[1K", "\x1b[99999B\n", "\t\x1b[9999X", "x\r\x1b[9999P\x1b[s"]
)
def test_a_short_sequence_never_makes_a_long_output(unit: str) -> None:
    """Output is untrusted: a few bytes must not become megabytes, nor a line take quadratic time."""
    size = [sum(len(run) for row in ansi.lines(unit * count) for run, _ in row) for count in (1_000, 10_000)]
    assert size[1] < 10_000 * 210
    assert size[1] < 11 * max(size[0], 10_000)


def test_long_outputs_take_linear_time() -> None:
    def seconds(lines: int) -> float:
        text = "\x1b[32mPASSED\x1b[0m tests/test_one.py::test_two  \r 10%|##   | 3/9\r\n" * lines
        begin = process_time()
        assert len(ansi.lines(text)) == lines
        return process_time() - begin

    assert seconds(30_000) < 40 * seconds(3_000)


def test_all_combinations_of_flags_can_be_reset() -> None:
    for on, off in product((1, 2, 3, 4, 7, 9), (22, 23, 24, 27, 29)):
        style = restyled(restyled(PLAIN, f"{on}"), f"{off}")
        ends = {1: 22, 2: 22, 3: 23, 4: 24, 7: 27, 9: 29}
        assert (style == PLAIN) == (ends[on] == off)
