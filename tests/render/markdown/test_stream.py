"""Streamed Markdown ends as the same page as the whole document, however it is split, in linear time."""

from __future__ import annotations

import json
import random
import re

import pytest

from opencode_nb.render.markdown import convert, stream
from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markdown.stream import MarkdownStream
from tests.render.markdown.corpus import DOCUMENTS, chunks, long_document
from tests.render.page_model import Page, canonical, parse
from tests.support.seeds import seeds

START = '<div data-key="k"></div>'


def streamed(pieces: list[str], *, snapshots: random.Random | None = None) -> tuple[Page, int]:
    """Return the page after all pieces, and the bytes of all operations."""
    page, growing, text, sent = Page(START), MarkdownStream("k"), "", 0
    for piece in pieces:
        text += piece
        ops = growing.update(text)
        sent += len(json.dumps(ops, ensure_ascii=False).encode("utf-8", "strict")) if ops else 0
        page.apply(ops)
        if snapshots and snapshots.random() < 0.05:
            before = page.html("k")
            page.snapshot(f'<div data-key="k">{growing.html()}</div>')
            assert page.html("k") == before
    ops = growing.update(text, final=True)
    page.apply(ops)
    assert growing.update(text, final=True) == []
    return page, sent + len(json.dumps(ops).encode())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_split_ends_as_the_whole_document(name: str) -> None:
    text = DOCUMENTS[name]
    expected = canonical(parse(to_html(text)))
    rng = random.Random(name)
    for longest in (1, 2, 3, 7, 20, 20, 80, 100_000) if len(text) < 500 else (15, 80, 400):
        page, _ = streamed(chunks(text, rng, longest))
        assert page.html("k") == expected


@pytest.mark.parametrize("seed", seeds(12))
def test_random_mixtures_end_as_the_whole_document(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice(list(DOCUMENTS.values())) + rng.choice(["", "\n", "\n\n", " "]) for _ in range(6))
    page, _ = streamed(chunks(text, rng, rng.choice([3, 12, 60])), snapshots=rng)
    assert page.html("k") == canonical(parse(to_html(text)))


@pytest.mark.parametrize("seed", seeds(12))
def test_random_lines_end_as_the_whole_document(seed: int) -> None:
    """Random soup: every kind of line after every other."""
    rng = random.Random(seed)
    lines = [line for text in DOCUMENTS.values() if len(text) < 1000 for line in text.split("\n")]
    text = "\n".join(rng.choice(lines) for _ in range(60))
    page, _ = streamed(chunks(text, rng, rng.choice([1, 5, 30])), snapshots=rng)
    assert page.html("k") == canonical(parse(to_html(text)))


def test_text_is_shown_before_it_is_final() -> None:
    for name in ("long_nested", "long_list", "long_quote", "setext", "fence_in_list"):
        page, growing, text = Page(START), MarkdownStream("k"), DOCUMENTS[name][:2500]
        for end in range(30, len(text), 30):
            page.apply(growing.update(text[:end]))
            assert (re.findall("[a-z]+", text[:end]) or [""])[-1] in parse(page.html("k")).text


def test_a_text_that_does_not_continue_is_sent_again() -> None:
    page, growing = Page(START), MarkdownStream("k")
    page.apply(growing.update("# One\n\n- a\n- b\n- c"))
    page.apply(growing.update("Quite *different*"))
    page.apply(growing.update("Quite *different*\n\nand more", final=True))
    page.apply(growing.update("The server's last word", final=True))
    assert page.html("k") == canonical(parse(to_html("The server's last word")))


def test_an_open_code_block_only_grows_until_it_closes() -> None:
    growing = MarkdownStream("k")
    text = "```python\n"
    growing.update(text)
    for _ in range(50):
        text += "x = 1\n"
        assert growing.update(text) == [["text", "k.1c", "x = 1\n"]]
    (op,) = [op for op in growing.update(text + "```\n") if op[0] != "text"]
    assert op[0] == "put"
    assert "light-dark" in op[3]


def test_finished_items_and_rows_are_not_sent_again() -> None:
    for text in (DOCUMENTS["long_list"], DOCUMENTS["long_table"]):
        growing, half = MarkdownStream("k"), text[: len(text) // 2]
        growing.update(half)
        row = text[len(half) :].split("\n")
        later = growing.update(half + row[0] + "\n" + row[1] + "\n")
        assert len(json.dumps(later)) < 1000


@pytest.mark.not_quick
@pytest.mark.parametrize("deltas", [500, 5000])
def test_bytes_sent_are_near_the_size_of_the_page(deltas: int) -> None:
    text = long_document(100_000)
    size = len(text) // deltas
    _, sent = streamed([text[i : i + size] for i in range(0, len(text), size)])
    assert sent <= 3 * len(to_html(text).encode())


def parsed_characters(monkeypatch: pytest.MonkeyPatch, text: str, step: int) -> int:
    """Return how many characters were parsed while the text was streamed."""
    seen = 0

    def counting(original):
        def wrapper(source, *args, **kwargs):
            nonlocal seen
            seen += len(source)
            return original(source, *args, **kwargs)

        return wrapper

    with monkeypatch.context() as patch:
        patch.setattr(stream, "parse", counting(convert.parse))
        patch.setattr(stream, "parse_blocks", counting(convert.parse_blocks))
        growing = MarkdownStream("k")
        for end in range(step, len(text) + step, step):
            growing.update(text[:end])
        growing.update(text, final=True)
    return seen


SHAPES = {
    "mixture": lambda n: long_document(n),
    "one list": lambda n: "".join(f"- item number {i}\n" for i in range(n // 20)),
    "one loose list": lambda n: "".join(f"- item number {i}\n\n" for i in range(n // 21)),
    "one nested list": lambda n: "- top\n" + "".join(f"  - item number {i}\n" for i in range(n // 22)),
    "one table": lambda n: "| a | b |\n|---|---|\n" + "".join(f"| {i:6} | text |\n" for i in range(n // 18)),
    "one paragraph": lambda n: "some words and " * (n // 15),
    "one paragraph of lines": lambda n: "some words and\n" * (n // 15),
    "one quotation": lambda n: "> some words and\n" * (n // 17),
    "one fence": lambda n: "```py\n" + "x = 'some code'\n" * (n // 16),
    "one indented block": lambda n: "    some code here\n" * (n // 19),
    "definitions": lambda n: "".join(f"[label {i}]: /url/{i}\n" for i in range(n // 22)),
}


@pytest.mark.not_quick
@pytest.mark.parametrize("shape", SHAPES)
def test_parsing_work_is_linear(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    small, large = (parsed_characters(monkeypatch, SHAPES[shape](size), 20) for size in (10_000, 20_000))
    assert large <= 2.6 * small
