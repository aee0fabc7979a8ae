"""Reports of findings in a page with JupyterLab's themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from opencode_nb.render.findings import Finding, findings_html
from tests.support.axe import violations
from tests.widgets.chat.page import NAMES, THEMES, Theme

LINE = "a line of an output that is so long that what differs at its end is beyond a narrow page"
FINDINGS = [
    Finding("warn", "Cell 2 (In[1]) differs.", "print(line)", ["It prints something else."], [f"- {LINE}\n+ {LINE}!"]),
    Finding(
        "bad", "Cell 3 (In[2]) raises.", "gone", ["NameError: name 'gone' is not defined"], ["----> 1 gone\n" * 40]
    ),
    Finding("muted", "Cell 4 was not run again.", "%%prompt"),
]


@pytest.mark.parametrize("theme", NAMES)
def test_a_report_has_no_axe_violations_and_cuts_no_difference_off(page: Page, theme: Theme) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    report = findings_html("report.ipynb is not sound: 1 cell raises.", FINDINGS, ["Run from the top."])
    page.set_content(f'<!doctype html><html lang="en"><title>Report</title><body>{report}</body></html>')
    page.add_style_tag(path=THEMES / f"theme-{theme}-extension/index.css")
    scheme = "light" if theme == "light" else "dark"
    page.add_style_tag(content=f":root {{ color-scheme: {scheme} }} body {{ background: var(--jp-layout-color0) }}")
    page.add_style_tag(content="body { color: var(--jp-content-font-color1) }")
    root = page.locator(".opencode-nb")
    expect(root).to_contain_text("differs")
    assert violations(root) == []
    assert root.locator("pre").evaluate_all("nodes => nodes.every((node) => node.scrollWidth <= node.clientWidth)")
