"""A page that shows a notebook, as the kernel sees one: answers the requests of static/live/cells.js."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from opencode_nb.kernel.cells import pages
from opencode_nb.kernel.cells.changes import Changes
from opencode_nb.kernel.cells.pages import Find

Json = dict[str, Any]


class Page:
    """Holds `cells`, `[{id, type, source}]`. `hears` is False for one that cannot be reached.

    It does not answer requests with the operation `silent`, and before `changes_before` the user changes every cell.
    """

    def __init__(self, *sources: str, path: str = "a.ipynb", inside: bool = True) -> None:
        self.cells: list[Json] = [
            {"id": f"c{index}", "type": "code", "source": source} for index, source in enumerate(sources)
        ]
        self.path, self.inside, self.hears = path, inside, True
        self.saved = ""
        self.name = uuid4().hex
        self.silent = self.changes_before = ""
        self.selected: list[str] = []

    @property
    def sources(self) -> list[str]:
        """The source of each cell."""
        return [cell["source"] for cell in self.cells]

    @property
    def ids(self) -> list[str]:
        return [cell["id"] for cell in self.cells]

    async def ask(self, message: Json, seconds: float) -> Json | None:
        if not self.hears:
            return None
        if message["op"] == "who":
            if message["cell"] and message["cell"] not in self.ids:
                return None
            if message["file"] not in {"", self.path.rpartition("/")[2]}:
                return None
            return {"page": self.name, "path": self.path, "saved": self.saved, "inside": self.inside}
        assert message["page"] == self.name
        if message["op"] == self.silent:
            return None
        if message["op"] == self.changes_before:
            self.cells = [{**cell, "source": f"{cell['source']}  # the user's"} for cell in self.cells]
        answer: Json = getattr(self, f"_{message['op']}")(message)
        return answer

    def _cells(self, asked: Json) -> Json:
        ids, start, stop = asked.get("ids"), asked.get("from", 0), asked.get("to", len(self.cells))
        every = [self._told(index) for index in range(len(self.cells))]
        chosen = [cell for cell in every if cell["id"] in ids] if ids is not None else every[start:stop]
        return {"total": len(self.cells), "selected": self.selected, "cells": chosen}

    def _insert(self, asked: Json) -> Json:
        if "after" in asked and asked["after"] not in self.ids:
            return {"refused": "gone"}
        index = self.ids.index(asked["after"]) + 1 if "after" in asked else asked.get("index", len(self.cells))
        json = asked.get("json") or {"cell_type": asked["type"], "source": asked["source"]}
        if json.get("id") in self.ids:
            return {"refused": "there"}
        index = min(index, len(self.cells))
        self.cells.insert(index, {**json, "id": json.get("id") or uuid4().hex, "type": json["cell_type"]})
        return {"cell": self._told(index)}

    def _edit(self, asked: Json) -> Json:
        return self._changing(asked, lambda index: self.cells[index].update(source=asked["source"]))

    def _outputs(self, asked: Json) -> Json:
        ran = {"outputs": asked["outputs"], "execution_count": asked["count"]}
        return self._changing(asked, lambda index: self.cells[index].update(ran))

    def _delete(self, asked: Json) -> Json:
        found = self._changing(asked, lambda index: None)
        if "refused" in found:
            return found
        gone = self.cells.pop(found["cell"]["index"])
        return {"cell": {**found["cell"], "json": {**gone, "cell_type": gone["type"]}}}

    def _move(self, asked: Json) -> Json:
        found = self._changing(asked, lambda index: None)
        if "refused" in found:
            return found
        origin, to = found["cell"]["index"], min(asked["index"], len(self.cells) - 1)
        self.cells.insert(to, self.cells.pop(origin))
        return {"cell": self._told(to), "from": origin}

    def _changing(self, asked: Json, change: Any) -> Json:
        if asked["cell"] not in self.ids:
            return {"refused": "gone"}
        index = self.ids.index(asked["cell"])
        if self.cells[index]["source"] != asked["expected"]:
            return {"refused": "changed", "cell": self._told(index)}
        change(index)
        return {"cell": self._told(index)}

    def _told(self, index: int) -> Json:
        return {**self.cells[index], "index": index, "count": None, "outputs": []}


def finding(session: str) -> tuple[Changes, Find]:
    """Return the changes of a session that one page shows, and what finds this page."""
    find = partial(pages.find, session)
    return Changes(lambda _path: find()), find


@contextmanager
def shown(page: Page, session: str) -> Iterator[Page]:
    """Let the kernel find this page as one that shows a session."""
    end = pages.add(page, lambda: session)
    yield page
    end()
