"""Differing lines: with any git configuration, without git, of many texts at once; no files are left behind."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from opencode_nb.diffs import blocks as module
from opencode_nb.diffs import build, edits
from opencode_nb.diffs.blocks import Block, blocks, compared
from opencode_nb.diffs.change import Change, known
from opencode_nb.diffs.renames import detect
from opencode_nb.diffs.text import decode, split

HARD = [
    ("", "a"), ("a", "a\n"), ("a\r\nb\r\n", "a\r\nB\r\n"), ("a\rb\n", "a\rc\n"), ("a\u2028b\x85\x0c\n", "a\n"),
    (decode(b"caf\xe9\n\xff\n"), "caf\n"), ("\ud83d alone\n", "\ud83e alone\n"), ("- x\n-- y\n@@ -1 +1 @@\n", "+ x\n"),
    ("a\n" * 30, "a\n" * 20 + "b\n" + "a\n" * 9), ("x" * 1_000_000, "x" * 1_000_001), ("\0a\nb\n", "\0a\nc\n"),
    ("diff --git a/0 b/0\n", "diff --git a/1 b/1\n--- a\n+++ b\n"), ("\n\n\n", "\n"),
    ("\\ No newline\n", "\\ No newline"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_memory", module._Memory())


@pytest.fixture
def without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def is_true(old: str, new: str, found: Sequence[Block]) -> bool:
    """Whether everything between the blocks is equal, and the blocks turn one text into the other."""
    ends = [(0, 0), *((block.old_end, block.new_end) for block in found)]
    starts = [*((block.old_start, block.new_start) for block in found), (len(split(old)), len(split(new)))]
    return all(
        split(old)[i:k] == split(new)[j:m] and (k > i or (i, j) == (0, 0) or (k, m) == starts[-1])
        for (i, j), (k, m) in zip(ends, starts, strict=True)
    )


def edited(chance: random.Random, lines: list[str]) -> list[str]:
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(lines))
        lines[at : at + chance.randint(0, 4)] = [chance.choice("abc") + "\n" for _ in range(chance.randint(0, 4))]
    return lines


def random_pairs() -> list[tuple[str, str]]:
    chance = random.Random(5)
    pairs = []
    for _ in range(200):
        lines = [chance.choice(["a\n", "b\n", "\n", f"{i}\n"]) for i in range(chance.randint(0, 60))]
        pairs.append(("".join(lines), "".join(edited(chance, lines)).rstrip("\n" if chance.random() < 0.3 else "")))
    return pairs


@pytest.mark.parametrize(("old", "new"), HARD)
def test_blocks_of_hard_texts_are_correct(old: str, new: str) -> None:
    assert is_true(old, new, blocks(old, new))
    assert is_true(new, old, blocks(new, old))


@pytest.mark.usefixtures("without_git")
@pytest.mark.parametrize(("old", "new"), HARD)
def test_blocks_of_hard_texts_are_correct_without_git(old: str, new: str) -> None:
    assert is_true(old, new, blocks(old, new))
    assert edits.composed(old, new, [True] * len(blocks(old, new))) == old


@pytest.mark.usefixtures("without_git")
def test_without_git_hunks_are_reverted_and_reapplied() -> None:
    for old, new in random_pairs():
        found = blocks(old, new)
        assert is_true(old, new, found)
        assert edits.composed(old, new, [True] * len(found)) == old
        assert edits.composed(old, new, [False] * len(found)) == new
        now = new
        for hunk in reversed(build.hunks(old, new)):
            back = edits.placed(now, hunk, back=True)
            assert back is not None
            now = back
        assert now == old


@pytest.mark.not_quick
@pytest.mark.usefixtures("without_git")
@pytest.mark.parametrize("kind", ["far apart", "shuffled", "the same lines over and over", "nothing in common"])
def test_without_git_large_texts_are_fast(kind: str) -> None:
    chance = random.Random(6)
    lines = [f"line {i}\n" for i in range(100_000)]
    other = {
        "far apart": ["first\n", *lines[1:-1], "last\n"],
        "shuffled": chance.sample(lines, len(lines)),
        "the same lines over and over": [f"{chance.randint(0, 50)}\n" for _ in lines],
        "nothing in common": [f"other {i}\n" for i in range(100_000)],
    }[kind]
    old = "".join(other if kind == "the same lines over and over" else lines)
    new = "".join(edited(chance, other))
    start = time.process_time()
    found = blocks(old, new)
    assert time.process_time() - start < 10  # seconds; the slowest takes about three
    assert is_true(old, new, found)
    if kind == "far apart":
        assert len(found) > 2


@pytest.mark.usefixtures("without_git")
def test_without_git_only_exact_renames_are_detected() -> None:
    text = b"".join(b"line %d\n" % i for i in range(40))
    gone = Change("old", known(text))
    assert [change.old_path for change in detect([gone, Change("new", after=known(text))])] == ["old"]
    assert [change.status for change in detect([gone, Change("new", after=known(text + b"more\n"))])] == [
        "added", "deleted",
    ]  # fmt: skip


def test_texts_compared_together_differ_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [*HARD, *random_pairs()]
    together = list(compared(pairs))
    monkeypatch.setattr(module, "_memory", module._Memory())
    assert [blocks(*pair) for pair in pairs[::8]] == together[::8]
    assert all(is_true(*pair, found) for pair, found in zip(pairs, together, strict=True))


def test_the_cache_of_comparisons_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    pairs = [("a\n", f"{i}\n") for i in range(20)]
    assert len(list(compared(pairs))) == 20
    monkeypatch.setenv("PATH", "")
    assert blocks(*pairs[-1]) == [Block(0, 1, 0, 1)]
    assert len(module._memory._known) == 5


def test_the_users_git_configuration_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing set here may change the result: options, filters, line endings, drivers, an enclosing repository."""
    before, after = "a\r\n b\n\nc\n" + "x\n" * 9, "a\n  b\nc\n" + "x\n" * 8 + "y\n"
    expected = blocks(before, after)
    home, around = tmp_path / "home", tmp_path / "around"
    (around / ".git").mkdir(parents=True)
    (around / ".gitattributes").write_text("* -diff text=auto\n")
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[core]\nautocrlf = true\n[diff]\nalgorithm = patience\ncontext = 9\nexternal = false\nnoprefix = true\n"
        "wordRegex = .\nignoreSubmodules = all\n[color]\nui = always\n[diff]\ninterHunkContext = 9\n"
    )
    for name, value in {
        "HOME": home, "XDG_CONFIG_HOME": home, "TMPDIR": around, "GIT_EXTERNAL_DIFF": "false", "GIT_DIFF_OPTS": "-u9",
        "GIT_DIR": around, "GIT_CONFIG_GLOBAL": home / ".gitconfig", "GIT_TRACE": "1", "LANGUAGE": "de",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(module, "_memory", module._Memory())
    assert blocks(before, after) == expected
    assert [file.name for file in around.iterdir()] != []
    assert not list(around.glob("opencode-nb-*"))


def test_the_files_for_git_are_private_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fake `git` records the permissions and place of its folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "temporary").mkdir()
    spy = tmp_path / "bin" / "git"
    spy.write_text(f"#!/bin/sh\nstat -c %a . > {tmp_path}/seen; pwd >> {tmp_path}/seen; exit 128\n")
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", str(spy.parent), prepend=":")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert is_true("a\nb\n", "a\nc\n", blocks("a\nb\n", "a\nc\n"))  # git failed, and the answer is still correct
    mode, place = (tmp_path / "seen").read_text().split()
    assert mode == "700"
    assert place.startswith(str(tmp_path / "temporary" / "opencode-nb-"))
    assert list((tmp_path / "temporary").iterdir()) == []
