"""Our patches equal those of the real `git diff`, and `git apply` accepts them; without git they are as correct."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from opencode_nb.diffs import build, patch
from opencode_nb.diffs.change import EXECUTABLE, LINK, REGULAR, Change, Side, known
from opencode_nb.diffs.renames import detect
from opencode_nb.diffs.text import decode, encode

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "opencode_nb").rglob("*.py"))[::7]


def hunks_of_git(directory: Path, before: bytes, after: bytes) -> str:
    (directory / "a").write_bytes(before)
    (directory / "b").write_bytes(after)
    done = subprocess.run(["git", "diff", "--no-index", "--", "a", "b"], cwd=directory, capture_output=True)
    start = done.stdout.find(b"\n@@") + 1
    return decode(done.stdout[start:]) if start else ""


def made(before: bytes, after: bytes) -> str:
    return patch.write_hunks(build.hunks(decode(before), decode(after)))


def few_letters(chance: random.Random) -> bytes:
    letters = chance.choice(["ab", "abc\n", "abcdefgh"])
    return "".join(f"{chance.choice(letters)}\n" for _ in range(chance.randint(0, 30))).encode()


def edited(chance: random.Random, source: bytes) -> bytes:
    lines = source.splitlines(keepends=True)
    for _ in range(chance.randint(1, 12)):
        start = chance.randint(0, len(lines))
        end = start + chance.choice([0, 1, 1, 2, 5, 20])
        copied = chance.randint(0, len(lines))
        lines[start:end] = chance.choice(
            [
                [],
                lines[copied : copied + 5],
                [b"\n", b"x = 1\n"],
                [line.replace(b"a", b"b") for line in lines[start:end]],
            ]
        )
    return b"".join(lines).rstrip(b"\n" if chance.random() < 0.2 else b"")


@pytest.mark.parametrize("seed", range(4))
def test_hunks_equal_those_of_git(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        source = chance.choice(SOURCES).read_bytes()
        other = chance.choice(SOURCES).read_bytes()
        for before, after in (
            (few_letters(chance), few_letters(chance)),
            (source, edited(chance, source)),
            (source, other if chance.random() < 0.2 else edited(chance, source)),
        ):
            assert made(before, after) == hunks_of_git(tmp_path, before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"", b"a"),
        (b"a", b"a\n"),
        (b"a\r\nb\r\n", b"a\r\nB\r\n"),
        (b"a\rb\n", b"a\rc\n"),
        (b"caf\xe9\n\xff\xfe\n", b"caf\xe9\n\xff\n"),
        ("a\u2028b\x85\x0c\n".encode(), b"a\n"),
        (b"- x\n-- y\n@@ -1 +1 @@\n", b"+ x\n++ y\n@@ -1 +1 @@\n"),
        (b"a\n" * 30, b"a\n" * 20 + b"b\n" + b"a\n" * 9),
        (("d" + "ü" * 60 + "\n").encode() + b" x\n" * 9, ("d" + "ü" * 60 + "\n").encode() + b" x\n" * 8 + b" y\n"),
    ],
)  # fmt: skip
def test_hunks_of_texts_with_odd_line_ends_equal_those_of_git(tmp_path: Path, before: bytes, after: bytes) -> None:
    assert made(before, after) == hunks_of_git(tmp_path, before, after)


def test_hunks_of_long_texts_equal_those_of_git(tmp_path: Path) -> None:
    lines = [b"line %d %d\n" % (i, i % 7) for i in range(100_000)]
    before, after = b"".join(lines), b"".join([*lines[:500], b"X\n", *lines[500:99_000], *lines[99_001:]])
    assert made(before, after) == hunks_of_git(tmp_path, before, after)
    shuffled = b"".join([*random.Random(1).sample(lines[:3000], 3000), *lines[3000:]])
    assert made(before, shuffled) == hunks_of_git(tmp_path, before, shuffled)


LONG = random.Random(2).randbytes(1500).hex().encode()
NAMES = ["plain.txt", "with blank", 'quo"te\\', "tab\there", "new\nline", "ünï", "a b/c d.txt", " -- x", "ctrl\x01\x7f"]


def test_whole_patches_equal_those_of_git(tmp_path: Path) -> None:
    """Names, modes, links, binary, empty, renamed, type changed: all headers, and their order."""
    run(tmp_path, "init", "-q")
    old = {name: known(f"{name}\na\nb\n".encode()) for name in NAMES}
    old |= {
        "gone": known(b"x\n"), "gone empty": known(b""), "run.sh": known(b"echo\n"), "link": known(b"plain.txt", LINK),
        "bin": known(b"\0\1"), "to link": known(b"text\n"), "utf16": known("hé\n".encode("utf-16")),
        "moved/from here": known(b"".join(b"line %d\n" % i for i in range(40))),
        "moved bin": known(bytes(range(256)) * 9), "long": known(LONG + b"\n"),
    }  # fmt: skip
    new = dict.fromkeys(["gone", "gone empty", "moved/from here", "moved bin", "long"], None)
    changed: dict[str, Side | None] = {name: known(f"{name}\na\nB".encode()) for name in NAMES}
    changed |= {
        **new, "run.sh": known(b"echo\n", EXECUTABLE), "link": known("ünï".encode(), LINK), "bin": known(b"\0\2"),
        "to link": known(b"link", LINK), "utf16": known("hö\n".encode("utf-16")), "new empty": known(b""),
        "new": known(b"n\n", EXECUTABLE), "moved to": known(b"".join(b"line %d\n" % i for i in range(1, 41))),
        "moved bin 2": known(bytes(range(256)) * 9), "longer": known(LONG + LONG[:600] + b"\n"),
    }  # fmt: skip
    put(tmp_path, {**old})
    run(tmp_path, "add", "-A")
    run(tmp_path, "commit", "-qm", "before")
    put(tmp_path, changed)
    run(tmp_path, "add", "-AN")
    paths = {**old, **changed}
    changes = detect(Change(path, old.get(path), changed.get(path)) for path in paths)
    text = "".join(build.build(change) for change in changes)
    assert text == decode(run(tmp_path, "diff", "HEAD"))
    files = patch.parse_files(text)
    assert {file.path for file in files} == {change.path for change in changes}
    assert {(file.old_path, file.path, file.similarity) for file in files if file.similarity} == {
        ("gone empty", "new empty", 100), ("moved/from here", "moved to", 97), ("moved bin", "moved bin 2", 100),
        ("long", "longer", 81),
    }  # fmt: skip
    assert [file.new_mode for file in files if file.path == "run.sh"] == [EXECUTABLE]
    assert [file.binary for file in files if file.path == "bin"] == [True]


def put(directory: Path, files: dict[str, Side | None]) -> None:
    for path, side in files.items():
        place = directory / path
        place.unlink(missing_ok=True)
        if side is None:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if side.mode == LINK:
            place.symlink_to(decode(side.read()))
        else:
            place.write_bytes(side.read())
            place.chmod(0o755 if side.mode == EXECUTABLE else 0o644)


def run(directory: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *arguments], cwd=directory, input=stdin, capture_output=True, check=True).stdout


def test_git_applies_our_patches(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    before, after = SOURCES[0].read_bytes(), edited(random.Random(7), SOURCES[0].read_bytes())
    (tmp_path / "x y.py").write_bytes(before)
    text = build.build(Change("x y.py", known(before), known(after)))
    run(tmp_path, "apply", "-", stdin=encode(text))
    assert (tmp_path / "x y.py").read_bytes() == after
    (hunk, *_) = patch.parse(text)
    assert hunk.reversed().reversed() == hunk
    assert REGULAR in text
