"""Read-only changed files: in cards, requests and saved notebooks."""

from __future__ import annotations

import pytest

from opencode_nb.render.diff import box
from opencode_nb.render.diff.word_diff import changed_words, pair
from tests.render.page_model import Node, parse

GIT = """diff --git a/old name.py b/new name.py
similarity index 90%
rename from old name.py
rename to new name.py
index 1..2 100644
--- a/old name.py
+++ b/new name.py
@@ -1,3 +1,3 @@ def f():
 same
-gone
+came

@@ -10 +10,2 @@
 x
+y
\\ No newline at end of file
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1,2 +0,0 @@
---- a dashed line
-+++ another
diff --git a/new.bin b/new.bin
new file mode 100644
index 0..1
Binary files /dev/null and b/new.bin differ
diff --git a/moved b/there
rename from moved
rename to there
"""


@pytest.mark.parametrize(
    "text", ["", "nonsense", "@@ -1 +1 @@", "@@ -1,5 +1,5 @@\n+x", "--- a\n", "\n\n\n", "@@ x @@\n-a"]
)
def test_broken_patches_do_not_raise(text: str) -> None:
    box.parse_files(text)
    parse(box.html({"file": "x", "patch": text}))
    box.markdown({"file": "x", "patch": text})


def rows(html: str) -> list[Node]:
    styles = {"oc-same", "oc-added", "oc-removed", "oc-hunk"}
    return [node for node in parse(html).walk() if node.attrs.get("class") in styles]


def test_signs_and_line_numbers_are_text() -> None:
    texts = [row.text for row in rows(box.html({"file": "x.py", "patch": GIT}))]
    assert texts[0] == "@@ -1,3 +1,3 @@ def f():\n"
    assert texts[1:5] == [" 1  1  same\n", " 2    -gone\n", "    2 +came\n", " 3  3  \n"]
    assert "\\ No newline at end of file\n" in texts


def test_changed_words_are_marked() -> None:
    html = box.html({"file": "x.txt", "patch": "@@ -1 +1 @@\n-the old word here\n+the new word here\n"})
    marked = [(node.tag, node.text) for node in parse(html).walk() if node.tag in ("ins", "del")]
    assert marked == [("del", "old"), ("ins", "new")]


def test_changed_words_of_a_line() -> None:
    assert changed_words("a b c", "a x c") == ([(2, 3)], [(2, 3)])
    assert changed_words("quite this", "something that differs!") == ([], [])
    assert changed_words("x" * 10_000, "x" * 10_001) == ([], [])
    assert list(pair(["return name"], ["'''doc'''", "return f(name)"])) == [(0, 1)]
    assert list(pair(["a", "b", "c"], ["b"])) == [(0, 0)]
    assert list(pair(["a"], [])) == []


def test_code_is_coloured_by_the_files_name() -> None:
    patch = "@@ -1 +1 @@\n-x = 'a'\n+x = 'b'\n"
    assert box.html({"file": "x.py", "patch": patch}).count("light-dark(rgb(10,48,105)")
    assert "light-dark(rgb(10,48,105)" not in box.html({"file": "x.unknown", "patch": patch})


def test_a_long_diff_is_folded() -> None:
    patch = "@@ -0,0 +1,500 @@\n" + "".join(f"+line {i}\n" for i in range(500))
    html = parse(box.html({"file": "x", "patch": patch}))
    (fold,) = [node for node in html.walk() if node.tag == "details" and not node.attrs.get("data-file")]
    assert fold.children[0].text == "Show 101 more lines"
    assert "line 499" in fold.text
    assert html.text.count("line ") == 500


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ({"file": "x", "patch": "Binary files a/x and b/x differ"}, "Binary file changed."),
        ({"file": "there", "patch": "diff --git a/a b/there\nrename from a\nrename to there"}, "Renamed from a."),
        ({"file": "x", "patch": "diff --git a/x b/x\nold mode 100644\nnew mode 100755"}, "100644 to 100755."),
        ({"file": "x", "patch": "", "status": "deleted"}, "deleted"),
        ({"file": "x", "patch": "@@ -0,0 +1 @@\n+x", "status": "added"}, "new file"),
    ],
)
def test_a_change_without_lines_is_described(file: dict, shown: str) -> None:
    assert shown in parse(box.html(file)).text


def test_counts_come_from_the_server_or_the_patch() -> None:
    assert box.stats({"additions": 3, "deletions": 4}) == (3, 4)
    assert box.stats({"patch": GIT}) == (2, 3)


def test_fences_are_longer_than_any_inside() -> None:
    text = box.markdown({"file": "a`b", "patch": "@@ -0,0 +1,2 @@\n+```\n+````\n"})
    assert text.startswith("`` a`b `` +2 −0\n\n`````diff\n")
    assert text.endswith("\n`````")
