"""The tool figure: pictures by name, or the last shown, small and without the texts that a PNG file can carry."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest
from matplotlib import pyplot
from PIL import Image

from opencode_nb.kernel.values.pictures import png
from opencode_nb.kernel.values.pictures.last_shown import LastShown, forget, watch
from opencode_nb.tools.privacy import Level
from tests.kernel.values.conftest import Kernel


@pytest.fixture(autouse=True)
def no_figure_is_left() -> Iterator[None]:
    """Close what this process has drawn: pyplot's figures are its own."""
    pyplot.close("all")
    yield
    pyplot.close("all")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(width: int = 2, height: int = 3, *more: bytes) -> bytes:
    """Return a grey PNG file, with further chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\x7f" * width) * height))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + pixels + chunk(b"IEND", b"")


TEXT = chunk(b"tEXt", b"Comment\0hunter2")


class Plot:
    def __init__(self, data: object) -> None:
        self.data = data

    def _repr_png_(self) -> Any:
        print("drawing")
        if isinstance(self.data, Exception):
            raise self.data
        return self.data


def test_a_picture_leaves_without_its_texts(kernel: Kernel) -> None:
    kernel.shell.user_ns.update(plot=Plot(picture(2, 3, TEXT)))
    let = kernel.let("figure", name="plot")
    assert let.images == (picture(2, 3),)
    assert let.text == "`plot`, a `tests.Plot`: 2 x 3 pixels."
    (block,) = kernel.result("figure", name="plot").shown
    assert base64.b64decode(block["png"]) == picture(2, 3)


@pytest.mark.parametrize("level", list(Level)[:-1])
def test_pictures_are_data(kernel: Kernel, level: Level) -> None:
    kernel.shell.user_ns.update(plot=Plot(picture()))
    let = kernel.let("figure", level, name="plot")
    assert let.images == ()
    assert "the rest needs" in let.text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (5, "A `int` is not a figure. Name one of matplotlib"),
        (Plot(b"GIF89a"), "It could not be drawn: ValueError: This is not a PNG file."),
        (Plot(base64.b64encode(picture()).decode()), "2 x 3 pixels"),
        (Plot(None), "It could not be drawn: ValueError"),
        (Plot(RuntimeError("no display")), "It could not be drawn: RuntimeError: no display"),
    ],
)
def test_what_cannot_be_drawn_is_explained(
    kernel: Kernel, capsys: pytest.CaptureFixture[str], value: object, why: str
) -> None:
    kernel.shell.user_ns.update(it=value)
    assert why in kernel.text("figure", name="it")
    assert capsys.readouterr().out == ""


def test_a_figure_is_drawn_on_the_main_thread_only(kernel: Kernel) -> None:
    kernel.shell.user_ns.update(plot=Plot(picture()), secret=Plot(picture()))
    result = kernel.result("figure", on_main=None, name="plot")
    assert result.failed
    assert "The kernel is computing" in result.outgoing.pieces[0].text
    assert "suggests a secret" in kernel.text("figure", name="secret")
    assert "There is no variable `plott`. Did you mean plot?" in kernel.text("figure", name="plott")


def test_the_picture_shown_last_is_remembered(kernel: Kernel) -> None:
    last = watch(kernel.shell)
    assert "No figure was shown yet." in kernel.text("figure")
    for data in (picture(4, 4), base64.b64encode(picture(5, 5)).decode()):
        message = {"content": {"data": {"text/plain": "<Figure>", "image/png": data}}}
        assert last.watch(message) is message
    last.watch({"content": {"data": {"text/plain": "5"}}})
    assert kernel.let("figure").images == (picture(5, 5),)
    last.saw(picture(6, 6))
    assert "The picture shown last: 6 x 6 pixels." in kernel.text("figure")
    kernel.shell.user_ns.update(plot=Plot(picture(7, 7)))
    kernel.shell.run_cell("plot")
    kernel.shell.run_cell("5")
    assert "The picture shown last, a `tests.Plot`: 7 x 7 pixels." in kernel.text("figure")
    forget(kernel.shell)
    kernel.shell.run_cell("plot")
    assert "No figure was shown yet." in kernel.text("figure")


@pytest.mark.parametrize("message", [None, {}, {"content": None}, {"content": {"data": {"image/png": "%"}}}])
def test_other_messages_pass(message: Any) -> None:
    last = LastShown()
    assert last.watch(message) is message
    assert last.png == b""


def test_a_damaged_file_is_no_picture() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", picture()[:14]):
        with pytest.raises(ValueError, match="not a PNG file"):
            png.small(data)


def test_a_large_picture_is_made_small() -> None:
    assert png.size_of(png.small(picture(4_000, 1_000))) == (1_024, 256)
    assert b"hunter2" not in png.small(picture(4_000, 1_000, TEXT))


def test_figures_of_libraries_are_drawn(kernel: Kernel) -> None:
    matplotlib.use("agg")
    drawn, axes = pyplot.subplots(figsize=(20, 5), dpi=300)
    image = Image.new("P", (3_000, 10))
    image.info["comment"] = "hunter2"
    kernel.shell.user_ns.update(drawn=drawn, axes=axes, image=image)
    for name, size in (("drawn", (1_024, 256)), ("axes", (1_024, 256)), ("image", (1_024, 3))):
        (made,) = kernel.let("figure", name=name).images
        assert png.size_of(made) == size
        assert b"hunter2" not in made
    assert "The current figure" in kernel.text("figure")
    pyplot.close("all")
