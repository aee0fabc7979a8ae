"""Hunks reverted and reapplied in texts that have changed since; turns combined into one change."""

from __future__ import annotations

import random

import pytest

from opencode_nb.diffs import build, edits
from opencode_nb.diffs.blocks import blocks
from opencode_nb.diffs.change import Change, Side, known
from opencode_nb.diffs.compose import MIXED, compose
from opencode_nb.diffs.patch import Hunk

BEFORE = "".join(f"{i}\n" for i in range(40))
AFTER = BEFORE.replace("5\n6\n", "five\n6\n", 1).replace("30\n", "30\nthirty and a half\n")


def hunk(index: int) -> Hunk:
    return build.hunks(BEFORE, AFTER)[index]


def test_a_hunk_is_reverted_where_its_lines_have_moved_to() -> None:
    now = AFTER.replace("20\n", "20\nmine\n")
    assert edits.switched(now, hunk(1), source=AFTER, back=True) == BEFORE.replace("5\n6\n", "five\n6\n", 1).replace(
        "20\n", "20\nmine\n"
    )
    back = edits.switched(now, hunk(0), source=AFTER, back=True)
    assert back is not None
    assert edits.switched(back, hunk(0), source=BEFORE, back=False) == now


@pytest.mark.parametrize(
    "now",
    [
        AFTER.replace("thirty", "Thirty"),
        AFTER.replace("29\n", "29\nbetween\n"),
        AFTER.replace("33\n", "X\n"),
        AFTER + AFTER,
        AFTER.replace("\n", "\r\n"),
        "",
    ],
)
def test_a_hunk_whose_lines_changed_is_refused(now: str) -> None:
    assert edits.switched(now, hunk(1), source=AFTER, back=True) is None
    assert edits.placed(now, hunk(1), back=True) is None or now.startswith(AFTER)


def test_randomly_reverted_blocks_are_recognised() -> None:
    for seed in range(400):
        chance = random.Random(seed)
        before = [f"{i}\n" if chance.random() < 0.6 else chance.choice("abc") + "\n" for i in range(30)]
        after = list(before)
        for _ in range(chance.randint(1, 5)):
            at = chance.randint(0, len(after))
            after[at : at + chance.randint(0, 3)] = [chance.choice("abcd") + "\n" for _ in range(chance.randint(0, 3))]
        old, new = "".join(before), "".join(after).rstrip("\n" if chance.random() < 0.3 else "")
        back = [chance.random() < 0.5 for _ in blocks(old, new)]
        now = edits.composed(old, new, back)
        found = edits.reverted(old, new, now)
        assert found is not None
        assert edits.composed(old, new, found) == now
        assert edits.reverted(old, new, now + "more\n") is None or now + "more\n" in (old, new)


def side(text: str | None) -> Side | None:
    return None if text is None else known(text.encode())


def composed(*texts: str | None) -> list[tuple[str, bytes | None, bytes | None, str]]:
    """Each pair of texts is one turn."""
    turns = [[Change("f", side(old), side(new))] for old, new in zip(texts[::2], texts[1::2], strict=True)]
    return [
        (change.status, change.before and change.before.read(), change.after and change.after.read(), change.unknown)
        for change in compose(turns)
    ]


def test_several_turns_combine_into_one_change() -> None:
    assert composed("a\n", "b\n", "b\n", "c\n") == [("modified", b"a\n", b"c\n", "")]
    assert composed("a\n", "b\n", "b\n", "a\n") == []
    assert composed(None, "b\n", "b\n", None) == []
    assert composed(None, "b\n", "b\n", "c\n") == [("added", None, b"c\n", "")]
    assert composed("a\n", None, None, "c\n") == [("modified", b"a\n", b"c\n", "")]


def test_changes_by_others_between_turns_are_on_both_sides() -> None:
    mine = AFTER.replace("20\n", "twenty\n")
    last = mine.replace("35\n", "thirty-five\n")
    before = BEFORE.replace("20\n", "twenty\n")
    assert composed(BEFORE, AFTER, mine, last) == [("modified", before.encode(), last.encode(), "")]


def test_what_was_reverted_between_turns_can_be_restored() -> None:
    back = edits.switched(AFTER, hunk(0), source=AFTER, back=True)
    assert back is not None
    last = back.replace("35\n", "thirty-five\n")
    whole = AFTER.replace("35\n", "thirty-five\n")
    assert composed(BEFORE, AFTER, back, last) == [("modified", BEFORE.encode(), whole.encode(), "")]


def test_changes_by_others_to_the_same_lines_make_a_file_unrevertable() -> None:
    mixed = AFTER.replace("five\n", "fünf\n", 1)
    ((status, before, after, unknown),) = composed(BEFORE, AFTER, mixed, mixed + "end\n")
    assert (status, before, after, unknown) == ("modified", BEFORE.encode(), (mixed + "end\n").encode(), MIXED)


def test_a_file_renamed_then_edited_is_a_rename() -> None:
    turns = [
        [Change("old", side(BEFORE), None), Change("new", None, side(BEFORE))],
        [Change("new", side(BEFORE), side(AFTER))],
    ]
    (change,) = compose(turns)
    assert (change.status, change.old_path, change.path) == ("renamed", "old", "new")
    assert change.before is not None
    assert change.before.read() == BEFORE.encode()
