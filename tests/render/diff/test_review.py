"""The live page of a diff: the files at once, their lines on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencode_nb.diffs.comment import Comment
from opencode_nb.render.diff import static
from opencode_nb.render.diff.file import GUARDED, LONGEST_LINE
from opencode_nb.render.diff.review import LiveDiff
from tests.render.diff.changes import SOURCE, Versions, make_diff, numbered
from tests.render.page_model import Node, parse

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def nodes(html: str, css: str) -> list[Node]:
    return [node for node in parse(html).walk() if css in node.attrs.get("class", "").split()]


def buttons(html: str) -> list[str]:
    return [node.text for node in parse(html).walk() if node.tag == "button"]


def show(tmp_path: Path, files: dict[str, Versions], index: int = 0, *, columns: int = 1, **renamed: str) -> str:
    """Return the body of one file."""
    live = LiveDiff(make_diff(tmp_path, files, **renamed))
    live.snapshot()
    live.set_columns(columns)
    live.render(index)
    (put,) = [op for op in live.update({str(index)}) if op[1] == f"f{index}b"]
    return str(put[3])


def code(html: str) -> str:
    """Return the text of the lines without numbers, as when copied."""
    return "".join(node.text for node in parse(html).walk() if "oc-code" in node.attrs.get("class", "").split())


# --- one file ---------------------------------------------------------------------------------------------------------


CASES: dict[str, tuple[Versions, str]] = {
    "changed": (("a\nb\nc\n", "a\nB\nc\n"), " a\n-b\n+B\n c\n"),
    "added": ((None, "x\ny\n"), "+x\n+y\n"),
    "deleted": (("x\ny\n", None), "-x\n-y\n"),
    "windows": (("a\r\nb\r\n", "a\r\nB\r\n"), " a\n-b\n+B\n"),
    "line ends": (("a\r\nb\n", "a\nb\n"), "-a␍\n+a\n b\n"),
    "not UTF-8": ((b"caf\xe9\n", b"caf\xe9s\n"), "-caf�\n+caf�s\n"),
    "markup": (("<b>\n", "<script>&amp;\n"), "-<b>\n+<script>&amp;\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_lines_equal_those_of_the_patch(tmp_path: Path, name: str) -> None:
    versions, expected = CASES[name]
    assert code(show(tmp_path, {"x.py": versions})) == expected
    both = code(show(tmp_path, {"x.py": versions}, columns=2))
    assert set(both.split("\n")) == set(expected.split("\n"))


def test_two_columns_show_changes_side_by_side(tmp_path: Path) -> None:
    html = show(tmp_path, {"x": ("a\nb\nc\n", "a\nB\nC\nc\n")}, columns=2)
    rows = [[half.text.strip() for half in row.children if isinstance(half, Node)] for row in nodes(html, "oc-pair")]
    assert rows == [["1  a", "1  a"], ["2 -b", "2 +B"], ["", "3 +C"], ["3  c", "4  c"]]


def test_a_missing_final_newline_is_shown(tmp_path: Path) -> None:
    html = show(tmp_path, {"x": ("a\n", "b")})
    assert [node.text for node in nodes(html, "oc-hunk")] == ["\\ No newline at end of file\n"]


def test_strings_that_begin_above_a_hunk_are_coloured(tmp_path: Path) -> None:
    text = "'''\n" + numbered(20) + "'''\n"
    html = show(tmp_path, {"x.py": (text, text.replace("line 15", "import os"))})
    (changed,) = nodes(html, "oc-added")
    colours = {node.attrs.get("style", "") for node in changed.walk()}
    assert any("light-dark(rgb(10,48,105)" in style for style in colours)


def test_unchanged_lines_are_shown_on_request(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {"x": (numbered(100), numbered(100, {50: "new"}))}))
    live.snapshot()

    def shown() -> tuple[list[str], list[str]]:
        live.render(0)
        html = live.update({"0"})[-1][3]
        return buttons(html)[2:], [line[1:] for line in code(html).splitlines()]

    above, lines = shown()
    assert above == ["↑ 20 lines", "Show 46 unchanged lines", "Revert hunk", "↓ 20 lines", "Show 47 unchanged lines"]
    assert lines == ["line 47", "line 48", "line 49", "line 50", "new", "line 51", "line 52", "line 53"]
    live.expand(0, 0, "bottom")
    live.expand(0, 1, "top")
    above, lines = shown()
    assert above[1] == "Show 26 unchanged lines"
    assert (lines[0], lines[-1]) == ("line 27", "line 73")
    live.expand(0, 0, "all")
    live.expand(0, 1, "all")
    above, lines = shown()
    assert above == ["Revert hunk"]
    assert [line for line in lines if line != "new"] == numbered(100).splitlines()


def test_a_large_change_is_shown_on_request_in_parts(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {"x": ("", numbered(2 * GUARDED + 5))}))
    live.snapshot()
    told = []
    for _ in range(4):
        live.render(0)
        html = live.update({"0"})[-1][3]
        told.append((code(html).count("\n"), [name for name in buttons(html) if name.startswith("Show")]))
        live.more(0)
    assert told == [
        (0, ["Show 1,000 lines"]),
        (1000, ["Show 1,000 lines"]),
        (2000, ["Show 5 lines"]),
        (2005, []),
    ]


def test_a_very_long_line_is_cut_and_says_so(tmp_path: Path) -> None:
    html = show(tmp_path, {"x.min.js": ("", "y" * (LONGEST_LINE + 1234))})
    assert code(html) == f"+{'y' * LONGEST_LINE}… (1,234 more characters)\n"


def test_pictures_are_shown_before_and_after(tmp_path: Path) -> None:
    html = show(tmp_path, {"x.png": (PNG, PNG + b"\0")})
    pictures = [(node.attrs["alt"], node.attrs["src"][:22]) for node in parse(html).walk() if node.tag == "img"]
    assert pictures == [("Before", "data:image/png;base64,"), ("After", "data:image/png;base64,")]
    assert "16 bytes → 17 bytes" in parse(html).text


def test_other_binary_files_are_mentioned(tmp_path: Path) -> None:
    html = show(tmp_path, {"x.bin": (None, b"\0\1")})
    assert "Binary file, none → 2 bytes" in parse(html).text
    assert "img" not in {node.tag for node in parse(html).walk()}


def test_a_renamed_file_says_from_where(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {"new.py": ("a\nb\n", "a\nc\n")}, new="old.py"))
    assert "new.py renamed from old.py +1 −1" in parse(live.snapshot()).text


def test_a_comment_is_below_its_line(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {"x": ("a\nb\n", "a\nc\n")}), can_comment=True)
    live.snapshot()
    live.comments = [
        Comment("x", 2, "Why <b>?", quoted="c"),
        Comment("x", 2, "and this", old=True),
        Comment("y", 1, "no"),
    ]
    live.render(0)
    text = parse(live.update({"0"})[-1][3]).text
    assert text.index("-b") < text.index("and this") < text.index("+c") < text.index("Why <b>?")
    assert "no" not in text.split()


# --- the whole --------------------------------------------------------------------------------------------------------

FILES: dict[str, Versions] = {
    "b.py": ("1\n", "2\n"),
    "src/deep/er/x.py": ("1\n", "2\n3\n"),
    "src/a.py": (None, "1\n"),
    "a b/ü.txt": ("1\n", None),
}


def test_files_are_in_the_trees_order(tmp_path: Path) -> None:
    html = LiveDiff(make_diff(tmp_path, FILES)).snapshot()
    items = [node for node in parse(html).walk() if node.attrs.get("role") == "treeitem"]
    assert [item.attrs["aria-label"] for item in items] == [
        "a b/",
        "a b/ü.txt, deleted, 0 added, 1 removed",
        "src/",
        "deep/er/",
        "src/deep/er/x.py, modified, 2 added, 1 removed",
        "src/a.py, added, 1 added, 0 removed",
        "b.py, modified, 1 added, 1 removed",
    ]
    sections = [node.attrs["data-file"] for node in nodes(html, "oc-section")]
    assert sections == ["a b/ü.txt", "src/deep/er/x.py", "src/a.py", "b.py"]


def test_the_first_snapshot_has_no_lines_of_files(tmp_path: Path) -> None:
    html = LiveDiff(make_diff(tmp_path, FILES)).snapshot()
    assert nodes(html, "oc-code") == []
    assert SOURCE in parse(html).text
    assert "4 files changed +4 −3" in parse(html).text


def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, FILES))
    live.snapshot()
    live.render(0)
    assert [op[1] for op in live.update({"0"})] == ["f0b"]
    assert live.update({"0"}) == []
    live.diff.files[0].revert()
    live.look(0)
    assert [op[1] for op in live.update({"0"})] == ["t0", "f0h"]
    assert live.set_columns(2) == {"bar", "0"}
    assert [op[1] for op in live.update({"bar", "0"})] == ["bar", "f0h"]


def test_an_empty_diff_says_so(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {}))
    assert parse(live.snapshot()).text == f"No changes {SOURCE}"
    assert [op[1] for op in live.update(None)] == ["said"]


def test_a_change_of_the_open_notebook_shows_a_warning(tmp_path: Path) -> None:
    live = LiveDiff(make_diff(tmp_path, {"n.ipynb": ("{}\n", "[]\n")}), warning="It was changed <b>.")
    (warning,) = [node for node in parse(live.snapshot()).walk() if node.attrs.get("role") == "alert"]
    assert warning.text == "It was changed <b>. Reload Notebook from Disk"


# --- static -----------------------------------------------------------------------------------------------------------


def test_a_diff_as_html_markdown_and_text(tmp_path: Path) -> None:
    diff = make_diff(tmp_path, FILES)
    data, _ = diff._repr_mimebundle_()
    html = parse(data["text/html"])
    assert [node.attrs["data-file"] for node in html.walk() if "data-file" in node.attrs] == list(FILES)
    assert data["text/markdown"].startswith(
        f"**4 files changed** +4 −3\n\n{SOURCE}\n\n```diff\ndiff --git a/b.py b/b.py\n"
    )
    assert data["text/plain"].splitlines() == [
        "4 files changed +4 −3",
        SOURCE,
        "M b.py +1 −1",
        "M src/deep/er/x.py +2 −1",
        "A src/a.py +1 −0",
        "D a b/ü.txt +0 −1",
    ]
    assert "+2" in str(static.diff_terminal(diff).renderables[3])


def test_a_very_large_diff_is_cut_when_saved(tmp_path: Path) -> None:
    files: dict[str, Versions] = {f"{number}.txt": ("", numbered(100)) for number in range(100)}
    data, _ = make_diff(tmp_path, files)._repr_mimebundle_()
    assert len(data["text/html"]) < 1_500_000
    assert "70 more files" in parse(data["text/html"]).text


# --- notebooks --------------------------------------------------------------------------------------------------------


def notebook(*cells: tuple[str, str, str]) -> str:
    """Return a notebook with cells given as (type, source, output)."""
    made = [
        {
            "cell_type": kind,
            "id": f"id{number}",
            "metadata": {},
            "source": source,
            **({"execution_count": number, "outputs": [stream(output)] if output else []} if kind == "code" else {}),
        }
        for number, (kind, source, output) in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def stream(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_a_notebook_is_shown_as_cells_or_as_its_json(tmp_path: Path) -> None:
    before = notebook(("markdown", "# Title", ""), ("code", "x = 1\nprint(x)", "1\n"), ("code", "gone = 1", ""))
    after = notebook(("markdown", "# Title", ""), ("code", "x = 2\nprint(x)", "2\n"), ("markdown", "<b>new</b>", ""))
    live = LiveDiff(make_diff(tmp_path, {"n.ipynb": (before, after)}))
    live.snapshot()

    def shown() -> str:
        live.render(0)
        return str(live.update({"0"})[-1][3])

    html = shown()
    titles = [node.text for node in nodes(html, "oc-range")]
    assert titles[0] == "Cell 2, code: changed, outputs changed"
    assert all("Cell 1" not in title for title in titles)
    assert code(html).startswith("-x = 1\n+x = 2\n print(x)\n")
    assert "+<b>new</b>" in code(html)
    assert "Revert hunk" not in buttons(html)
    live.set_notebook(0, "outputs")
    assert "-1\n+2\n" in code(shown())
    live.set_notebook(0, "json")
    html = shown()
    assert '+   "x = 2\\nprint(x)"' in code(html).replace('"source": ', "") or "x = 2" in code(html)
    assert "Revert hunk" in buttons(html)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"cells": 1}'])
def test_a_broken_notebook_is_shown_as_text(tmp_path: Path, broken: str) -> None:
    html = show(tmp_path, {"n.ipynb": (broken, notebook(("code", "x", "")))})
    assert "Cells" not in buttons(html)
    assert "Revert hunk" in buttons(html)
