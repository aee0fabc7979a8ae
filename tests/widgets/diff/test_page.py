"""What the view of a diff does to the notebook that it belongs to."""

from __future__ import annotations

from pathlib import Path

import comm
import pytest
from playwright.sync_api import Page

from opencode_nb.widgets.diff import DiffView
from tests.render.diff.changes import make_diff
from tests.widgets.bridge import Bridge

NOTEBOOK = """() => {
  window.saved = 0;
  const context = { path: "a.ipynb", save: async () => { saved += 1; }, model: { sharedModel: { insertCell() {} } } };
  model.widget_manager = Promise.resolve({ context });
}"""


def test_ctrl_s_in_a_diff_tab_saves_its_notebook(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(page, "diff/diff.js", lambda make: monkeypatch.setattr(comm, "create_comm", make))
    view = DiffView(make_diff(tmp_path, {"a.txt": ("1\n", "2\n")}))
    page.evaluate(NOTEBOOK)
    root = bridge.render()
    root.get_by_role("button", name="Revert file").press("Control+s")
    assert page.evaluate("saved") == 1
    view.close()
