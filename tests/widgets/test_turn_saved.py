"""The static form of a turn whose kernel ended: cut off, not stopped by anyone, and nobody can answer it any more."""

from __future__ import annotations

from opencode_nb.widgets.turn_saved import KERNEL_ENDED, unfinished
from tests.render.page_model import parse
from tests.render.turns import tool, turn


def test_a_turn_whose_kernel_ended_reads_as_cut_off() -> None:
    shell = tool("bash", "running", input={"command": "sleep 600"})
    said = {"type": "text", "text": "Said before the end."}
    running = turn(said, shell, status="running", permissions={"per_1": {"id": "per_1", "tool": {"callID": "c"}}})
    data = unfinished(running)
    for shown in (parse(data["text/html"]).text, data["text/plain"]):
        assert "Said before the end." in shown
        assert "interrupted" in shown
        assert "waiting for you" not in shown
        assert KERNEL_ENDED["data"]["message"] in shown
        assert "rerun the cell" in shown
    assert (running.status, list(running.permissions)) == ("running", ["per_1"])
