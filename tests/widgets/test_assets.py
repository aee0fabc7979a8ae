"""The modules of static/ as bundles: each is one text that a browser imports from a blob URL, as anywidget does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from opencode_nb.widgets import assets
from tests.widgets.conftest import Widget

MODULES = sorted(file.relative_to(assets.STATIC).as_posix() for file in assets.STATIC.rglob("*.js"))
ENTRIES = [name for name in MODULES if "export default" in (assets.STATIC / name).read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", ENTRIES)
def test_each_view_bundle_is_one_valid_module(page: Page, name: str) -> None:
    """Two files with the same name at their top would be a syntax error here, and nowhere else."""
    widget = Widget(page, name)

    assert widget.page.evaluate("typeof widget.render") == "function"
    assert not [line for line in assets.script(name).splitlines() if line.startswith("import ")]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bundle_contains_its_modules_code_without_jsdoc(name: str) -> None:
    bundle = assets.script(name)

    assert not [line for line in bundle.splitlines() if line.lstrip().startswith("* ")]
    for module in assets._in_order(name):
        text = (assets.STATIC / module).read_text(encoding="utf-8")
        for function in re.findall(r"^(?:export )?((?:async )?function \w+\(.*\{)$", text, re.MULTILINE):
            assert f"\n{function}\n" in bundle, f"{function} of {module}"


def test_every_module_belongs_to_a_view() -> None:
    used = {file for entry in ENTRIES for file in assets._in_order(entry)}

    assert used == set(MODULES)


def test_imported_modules_come_first_and_only_once() -> None:
    for entry in ENTRIES:
        order = assets._in_order(entry)
        assert order[-1] == entry
        assert len(set(order)) == len(order)
