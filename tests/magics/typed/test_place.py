"""Which magic the cursor is in, and what stands before it."""

from __future__ import annotations

import pytest

from opencode_nb.magics.typed.place import Place, place_of

HERE = "‸"


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        ("%%prompt -m ‸", Place("%%prompt", " -m ")),
        ("%%prompt -m ‸a/b\nfix", Place("%%prompt", " -m ")),
        ("\n  %%prompt fix @s‸", Place("%%prompt", " fix @s")),
        ("%%prompt\n‸", Place("%%prompt", "", "")),
        ("%%prompt -q\nfix\n@s‸ and\nmore", Place("%%prompt", " -q", "fix\n@s")),
        ("%%prompt‸", None),
        ("%%promp‸", None),
        ("%%prompts\nfix‸", None),
        ("%prompt fix @s‸", Place("%prompt", " fix @s")),
        ("x = 1\nfor y in z:\n    %prompt fix @s‸", Place("%prompt", " fix @s")),
        ("x = %prompt fix @s‸", Place("%prompt", " fix @s")),
        ("x = %prompt fix \\\n  the @s‸", Place("%prompt", " fix    the @s")),
        ("%opencode ‸", Place("%opencode", " ")),
        ("x = 1\n%opencode und‸\ny = 2", Place("%opencode", " und")),
        ("%opencode‸", None),
        ("%prompt fix\nx = ‸", None),
        ("print('%prompt @s‸", None),
        ("# %prompt @s‸", None),
        ("x‸", None),
        ("‸", None),
    ],
)
def test_the_place_of_the_cursor(cell: str, place: Place | None) -> None:
    before = cell[: cell.index(HERE)].split("\n")
    assert place_of(cell.replace(HERE, ""), len(before) - 1, len(before[-1])) == place
