"""The chat panel in a page of its own: what Python would send it, and scenes that it can stand in."""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Locator, Page

from opencode_nb.kernel.cells.place import PLACES
from opencode_nb.render.markup.patch_ops import keyed
from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.render.turn.parts import Look, RequestsView
from opencode_nb.render.turn.requests import permission_html, question_html
from opencode_nb.tools.privacy import NOT_COVERED
from opencode_nb.transcript.results import ACCEPTED
from opencode_nb.transcript.state import TurnState
from opencode_nb.widgets.chat import ChatWidget
from opencode_nb.widgets.chat_kernel import LEVELS_TOLD
from tests.render.kernel_turns import CODE, SERVED, call, kernel_turn
from tests.render.turns import tool, turn
from tests.widgets.conftest import Widget

Theme = Literal["light", "dark", "dark-high-contrast"]

NAMES: dict[Theme, str] = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "dark-high-contrast": "JupyterLab Dark High Contrast",
}
THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
"""JupyterLab's own style sheets, by whose variables the panel is coloured."""

STATE: dict[str, Any] = {
    "session": {
        "id": "ses_1",
        "title": "Load the measurements",
        "directory": "/home/ada/measurements",
        "shared_url": None,
    },
    "busy": False,
    "status": "idle",
    "model": "demo/demo-large",
    "model_name": "Demo Large · Demo",
    "model_source": "from your OpenCode configuration",
    "setup": None,
    "agent": "build",
    "variant": "",
    "variants": ["low", "high"],
    "agents": [
        {"name": "build", "description": "Reads, edits and runs"},
        {"name": "plan", "description": "Reads only"},
    ],
    "meter": {"tokens": 12400, "window": 32000, "share": 0.3875, "cost": 0.0312},
    "connection": {"state": "connected", "error": ""},
    "queue": [],
    "deleted": False,
    "outcome": "",
    "undone": "",
    "can_share": False,
    "lacks": {},
    "git": True,
    "version": 1,
    "kernel": {
        "tools": True,
        "lacks": "",
        "level": "full",
        "levels": [{"name": level.name.lower(), "about": about} for level, about in LEVELS_TOLD.items()],
        "not_covered": f"Not covered: {NOT_COVERED}.",
        "place": "card",
        "places": [{"name": name, "about": about} for name, about in PLACES.items()],
    },
    "elsewhere": [],
    "n": 0,
}

PATCH = """--- a/load.py
+++ b/load.py
@@ -1,4 +1,5 @@
 import pandas as pd
\x20
-def load(path):
-    return pd.read_csv(path)
+def load(path: str) -> pd.DataFrame:
+    frame = pd.read_csv(path, parse_dates=["time"])
+    return frame.dropna()
"""
ANSWER = """`load` now parses the **time** column and leaves rows without values out.

```python
frame = load("measurements.csv")
frame.groupby(frame.time.dt.date).value.mean()
```

| column | kind |
|---|---|
| time | datetime64 |
| value | float64 |

- The other files are as they were.
- `tests/test_load.py` passes.
"""
PERMISSION = {
    "id": "per_1",
    "permission": "bash",
    "patterns": ["pytest *"],
    "always": ["pytest *"],
    "metadata": {"command": "pytest -q tests/test_load.py"},
}
EDIT_PERMISSION = {
    "id": "per_2",
    "permission": "edit",
    "patterns": ["load.py"],
    "always": ["*"],
    "metadata": {"filepath": "load.py", "diff": PATCH},
}
CODE_PERMISSION = {
    "id": "per_3",
    "permission": f"{SERVED}_python",
    "patterns": ["*"],
    "always": ["*"],
    "metadata": {},
    "call": {"tool": f"{SERVED}_python", "input": {"code": CODE}},
}
CELL = {"kind": "cell", "title": "Cell 2", "before": "mean = frame.mm.sum() / 12", "after": "mean = frame.mm.mean()"}
CELL_PERMISSION = {
    "id": "per_4",
    "permission": f"{SERVED}_edit_cell",
    "patterns": ["*"],
    "always": ["*"],
    "metadata": {},
    "call": {"tool": f"{SERVED}_edit_cell", "input": {"id": "c2", "source": CELL["after"]}, "shown": [CELL]},
}
FUNCTION_QUESTION = {
    "id": "que_2",
    "function": "publish",
    "questions": [{"question": "Publish it?", "options": [{"label": "Yes"}, {"label": "No"}], "custom": False}],
}
QUESTION = {
    "id": "que_1",
    "questions": [
        {
            "question": "Which format shall the results have?",
            "header": "Format",
            "options": [
                {"label": "CSV", "description": "Everybody reads it"},
                {"label": "Parquet", "description": "Small, and typed"},
            ],
        },
        {
            "question": "Which columns?",
            "header": "Columns",
            "multiple": True,
            "options": [{"label": "time"}, {"label": "value"}],
        },
    ],
}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _done() -> TurnState:
    edit = tool("edit", input={"filePath": "/project/load.py"}, metadata={"diff": PATCH}, title="load.py")
    reads = [tool("read", input={"filePath": f"/project/{name}.py"}, title=f"{name}.py") for name in ("load", "plot")]
    thought = {"type": "reasoning", "text": "The file has a time column.", "time": {"start": 2000, "end": 5000}}
    return turn(thought, *reads, edit, _text(ANSWER), prompt="Parse the time column in load.py")


def _running() -> TurnState:
    shell = tool("bash", "running", input={"command": "pytest -q"}, metadata={"output": "....\n"}, time={"start": 3000})
    return turn(
        _text("I run the tests first, to see where we **stand**."),
        shell,
        status="running",
        prompt="Run the tests",
        user={"time": {"created": time.time() * 1000 - 4000}},
    )


def _failed() -> TurnState:
    error = {"name": "ProviderAuthError", "data": {"providerID": "demo", "message": "The key is not valid."}}
    return turn(status="error", prompt="Parse the time column", info={"error": error})


def _answered() -> TurnState:
    """A turn with a schema, whose first value is refused, and a cell that was edited."""
    edited = call("edit_cell", call_id="c1", input={"id": "c2", "source": CELL["after"]}, output="Edited.")
    wrong = call("result", call_id="c2", input={"count": "two"}, output="count: Input should be a valid integer")
    right = call("result", call_id="c3", input={"count": 2, "words": ["one", "two"]}, output=ACCEPTED)
    return turn(edited, wrong, right, _text("Two."), prompt="Count the words", shown={"c1": [CELL]})


def _calling() -> TurnState:
    """A function of the user's that is running."""
    publish = call("publish", "running", input={"name": "it"}, time={"start": 3000})
    return turn(publish, status="running", prompt="Publish it", shown={"c": [{"kind": "progress", "text": "3 of 10"}]})


MATH = r"""The mean $\bar{x} = \frac{1}{n}\sum_{i=1}^n x_i$ costs $5, not $10:

$$
\operatorname{Var}(x) = \frac{1}{n-1}\sum_{i=1}^n (x_i - \bar{x})^2 + a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8
$$
"""


def _long() -> TurnState:
    lines = "".join(f"{number} passed\n" for number in range(300))
    return turn(tool("bash", input={"command": "seq 300"}, output=lines, metadata={"exit": 1}), _text(MATH))


def log(*turns: TurnState, before: str = "", after: str = "", columns: int = 1) -> str:
    """The log of these turns, changes in so many columns."""
    articles = []
    for number, state in enumerate(turns):
        articles.append(
            LiveTurn(state, actions=False, prompt=True, key=f"t{number}", look=Look(columns=columns)).snapshot()
        )
    label = 'role="log" aria-label="Conversation"'
    return f'<div data-key="log" {label}>{before}{"".join(articles)}{after}</div>'


def docks(html: str = "") -> str:
    """The place for what the agent asks."""
    return f'<div data-key="docks">{html}</div>'


def asked(*requests: dict[str, Any], columns: int = 1) -> str:
    """The docks with these open requests."""
    view = RequestsView("requests", Look(columns=columns))
    view.update({str(request["id"]): request for request in requests}, "")
    return docks(view.html())


def permission(request: dict[str, Any], key: str = "q1", columns: int = 1) -> str:
    """A permission's card."""
    return keyed(permission_html(request, columns=columns, key=key), key)


def question(request: dict[str, Any], key: str = "q1") -> str:
    """A question's card."""
    return keyed(question_html(request), key)


SCENES: dict[str, tuple[str, dict[str, Any]]] = {
    "empty": (log() + docks(), {"meter": None, "session": {**STATE["session"], "title": ""}}),
    "streaming": (
        log(_done(), _running()) + docks(),
        {"busy": True, "status": "running", "queue": [{"id": "q1", "text": "And then plot the mean of each day"}]},
    ),
    "permission": (log(_done(), _running()) + asked(PERMISSION), {"busy": True}),
    "kernel": (log(kernel_turn()) + asked(CODE_PERMISSION), {"busy": True}),
    "cells": (log(_answered()) + asked(CELL_PERMISSION), {"busy": True}),
    "function": (log(_done(), _calling()) + asked(FUNCTION_QUESTION), {"busy": True}),
    "question": (log(_done(), _running()) + asked(QUESTION), {"busy": True}),
    "diff": (log(_done()) + asked(EDIT_PERMISSION), {"busy": True}),
    "split": (log(_done(), columns=2) + asked(EDIT_PERMISSION, columns=2), {"busy": True}),
    "unset": (
        log() + docks(),
        {
            "meter": None,
            "session": {**STATE["session"], "title": ""},
            "model": "",
            "model_name": "",
            "model_source": "",
            "variants": [],
            "setup": {
                "login": "/home/ada/.local/share/opencode-nb/versions/1.18.33/opencode auth login",
                "free": {
                    "model": "opencode/big-pickle",
                    "sends": "Big Pickle: your prompts, and what the agent reads, are sent to OpenCode Zen.",
                },
            },
        },
    ),
    "long": (log(_done(), _long()) + docks(), {}),
    "error": (
        log(_done(), _failed()) + docks(),
        {"connection": {"state": "lost", "error": "The server has ended (exit code 1)."}},
    ),
}
"""What Python shows in each state that a panel can be in: the snapshot, and how `state` differs from STATE."""


SERVERS = [
    {"name": "docs", "state": "connected", "connected": True, "step": "", "command": ""},
    {
        "name": "calc",
        "state": "failed: no such file",
        "connected": False,
        "step": "Check its command or address, then connect it again.",
        "command": "",
    },
    {
        "name": "mail",
        "state": "needs auth",
        "connected": False,
        "step": "To log in, run this in a cell:",
        "command": "%opencode mcp auth mail",
    },
]
"""MCP servers as Python answers for them."""


class ChatPage(Widget):
    """The panel's module with its model, its style sheets and JupyterLab's theme, in a page."""

    def __init__(self, page: Page, theme: Theme = "light", width: int = 800, height: int = 700) -> None:
        page.set_viewport_size({"width": width, "height": height})
        page.set_content('<!doctype html><html lang="en"><title>Panel</title><body></body></html>')
        super().__init__(page, "chat/chat.js")
        page.add_style_tag(path=THEMES / f"theme-{theme}-extension/index.css")
        page.add_style_tag(content=ChatWidget._css)
        page.add_style_tag(content="body { margin: 8px; background: var(--jp-layout-color0) }")
        page.evaluate("light => { document.body.dataset.jpThemeLight = light }", str(theme == "light").lower())
        page.evaluate("name => { document.body.dataset.jpThemeName = name }", NAMES[theme])
        self.state: dict[str, Any] = copy.deepcopy(STATE)
        self._number = -1

    def show(self, name: str = "view") -> Locator:
        """One more view: its panel."""
        super().render(name)
        return self.page.locator(f"#{name} > .opencode-nb[data-view=chat]")

    def set_state(self, **changes: Any) -> None:
        """Set the trait, as Python does."""
        self.state = {**self.state, **changes, "n": self.state["n"] + 1}
        self.page.evaluate("state => model.set('state', state)", self.state)

    def set_html(self, html: str) -> None:
        """Set the snapshot to the next batch."""
        self._number += 1
        self.snapshot(self._number, html)

    def next_patch(self, *ops: list[Any]) -> None:
        """Send the next batch of operations."""
        self._number += 1
        self.patch(self._number, *ops)

    def scene(self, name: str) -> Locator:
        """The panel in one of the scenes."""
        html, changes = SCENES[name]
        self.set_state(**changes)
        self.set_html(html)
        return self.show()

    def wait_for_sent(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for what the page sends: all messages of a kind."""
        self.page.wait_for_function(
            "([kind, count]) => model.sent.filter((message) => message.kind === kind).length >= count",
            arg=[kind, count],
        )
        return self.sent(kind)

    def answer(self, items: list[dict[str, Any]], count: int = 1) -> dict[str, Any]:
        """Wait for the count-th question, and answer it."""
        asked = self.wait_for_sent("ask", count)[count - 1]
        self.message({"kind": "answer", "n": asked["n"], "items": items})
        return asked

    def done(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the count-th wish of a kind, and say that it was done."""
        wish = self.wait_for_sent(kind, count)[count - 1]
        self.message({"kind": "done", "id": wish["id"]})
        return wish

    def failed(self, kind: str, message: str) -> dict[str, Any]:
        """Wait for a wish of a kind, and say that it failed."""
        wish = self.wait_for_sent(kind)[-1]
        self.message({"kind": "failed", "id": wish["id"], "message": message})
        return wish
