"""axe-core, the accessibility checker, in a page of the tests."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator

from tests.support import npm_package

VERSION = "4.14.1"

_RUN = """
async (node) => {
  const { violations } = await axe.run(node, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, any, all, none }) => (
    { id, help, target: target.join(" "), why: [...any, ...all, ...none].map(({ message }) => message).join("; ") })));
}
"""


def violations(node: Locator) -> list[dict[str, Any]]:
    """What is wrong in and below this element: which rule, where and why."""
    node.page.add_script_tag(path=npm_package.file_of("axe-core", VERSION, "axe.min.js"))
    found: list[dict[str, Any]] = node.evaluate(_RUN)
    return found
