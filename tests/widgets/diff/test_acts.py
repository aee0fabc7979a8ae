"""What a page is told of its acts, in its own words."""

from __future__ import annotations

import re
from pathlib import Path

from opencode_nb.changes.diff import Diff
from opencode_nb.changes.sources import _LOST
from opencode_nb.diffs.change import SUBMODULE, Change, known
from opencode_nb.diffs.compose import MIXED
from opencode_nb.widgets.diff_acts import Acts

BEFORE, AFTER = known(b"1\n2\n3\n"), known(b"1\ntwo\n3\n")


def test_refusals_name_the_button_or_command_to_use(tmp_path: Path) -> None:
    (tmp_path / "since").write_text("mine\n")
    changes = [
        Change("since", BEFORE, AFTER),
        Change("gone", BEFORE, AFTER),
        Change("mixed", BEFORE, AFTER, unknown=MIXED),
        Change("lost", unknown=_LOST),
        Change("module", known(b"1" * 40, SUBMODULE), known(b"2" * 40, SUBMODULE)),
    ]
    here, elsewhere = Diff(changes, tmp_path, "a test"), Diff(changes, None, "a test")
    for diff in (here, elsewhere):
        for act in ("revert", "apply"):
            refused = Acts(diff).act(act, "all").refused
            assert refused.count(":") >= len(changes)
            assert not re.search(r"(?<!oc)\.\w+(\[0\])?[(.]", refused), refused
    assert "press Revert hunk" in Acts(here).act("revert", "0").refused
    assert "press Apply hunk" in Acts(here).act("apply", "0").refused
    assert "%opencode undo" in Acts(elsewhere).act("revert", "0").refused
