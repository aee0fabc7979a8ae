"""The section "Kernel" of a turn and of a diff: what changed, escaped, in every form."""

from __future__ import annotations

from rich.console import Console

from opencode_nb.changes.diff import Diff
from opencode_nb.diffs.memory import KernelChanges, Restored, VariableChange
from opencode_nb.render.diff import static
from opencode_nb.render.turn.page import LiveTurn, turn_html
from opencode_nb.render.turn.terminal import turn_terminal
from opencode_nb.render.turn.text import turn_markdown, turn_text
from tests.render.turns import turn

CHANGES = KernelChanges(
    (
        VariableChange("df", "changed in place", "pandas.DataFrame", "891x12", "889x12"),
        VariableChange("model", "new", "Model<b>"),
        VariableChange("old", "deleted", "list", "length 3"),
    ),
    ("working directory",),
    ("client",),
    ("big",),
)
LINES = [
    "Kernel: 4 values changed",
    "M df (changed in place, pandas.DataFrame, 891x12 → 889x12)",
    "A model (new, Model<b>)",
    "D old (deleted, list, length 3)",
    "Also changed: working directory",
    "Not tracked: client",
]


def printed(renderable: object) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_turn_shows_what_its_code_changed_in_the_kernel_in_every_form() -> None:
    state = turn({"type": "text", "text": "Done."})
    state.kernel = CHANGES.as_json()
    for text in (turn_text(state), turn_markdown(state), printed(turn_terminal(state))):
        assert [line for line in LINES if line not in text] == []
    for html in (turn_html(state), LiveTurn(state).snapshot()):
        assert 'data-part="kernel"' in html
        assert 'data-variable="df"' in html
        assert "<b>" not in html


def test_a_diff_without_files_still_shows_the_kernel() -> None:
    diff = Diff([], None, "a turn", kernel=CHANGES)
    for text in (static.diff_text(diff), static.diff_markdown(diff), printed(static.diff_terminal(diff))):
        assert [line for line in LINES if line not in text] == []
    assert 'data-variable="model"' in static.diff_html(diff)


def test_a_turn_that_ran_no_code_has_no_such_section() -> None:
    state = turn({"type": "text", "text": "Done."})
    assert "ernel" not in turn_text(state) + turn_html(state)


def test_many_changes_are_cut_with_their_number() -> None:
    many = KernelChanges(tuple(VariableChange(f"v{number}", "new", "int") for number in range(60)))
    assert "and 10 more variables" in static.diff_text(Diff([], None, "a turn", kernel=many))


def test_a_report_says_what_is_restored_refused_and_never_restored() -> None:
    told = str(Restored(("df", "model"), (("x", "you changed it since"),), ("big",), ("client",)))
    assert told.splitlines() == [
        "Restored in the kernel: df, model.",
        "Not restored: x: you changed it since.",
        "Too big to keep a copy: big.",
        "Never restored: client, files that other processes wrote, modules, classes, threads, connections.",
    ]


def test_changes_survive_the_way_through_an_event() -> None:
    assert KernelChanges.of(CHANGES.as_json()) == CHANGES
    assert str(CHANGES) == "df: 891x12 -> 889x12; model: new; old: deleted; working directory: changed"
