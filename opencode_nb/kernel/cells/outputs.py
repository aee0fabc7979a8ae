"""The outputs of a cell that the agent ran, made of what its card shows: never HTML of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opencode_nb.tools.tool import Json


def of(blocks: Iterable[Json], number: int) -> list[Json]:
    """Return nbformat's outputs for the blocks of a run with this execution number."""
    return [output for block in blocks for output in _output(block, number)]


def _output(block: Json, number: int) -> Iterator[Json]:
    kind, text = block.get("kind"), str(block.get("text") or "")
    if kind in ("stdout", "stderr"):
        yield {"output_type": "stream", "name": kind, "text": text if text.endswith("\n") else f"{text}\n"}
    elif kind == "value":
        yield _shown({"text/plain": text}, number)
    elif kind == "table":
        yield _shown(_table(block), number)
    elif kind == "image" and block.get("png"):
        yield {**_display({"image/png": block["png"], "text/plain": "<Figure>"}), "output_type": "display_data"}
    elif kind == "error":
        name, _, message = text.rpartition("\n")[2].partition(": ")
        yield {"output_type": "error", "ename": name, "evalue": message, "traceback": text.split("\n")}


def _table(block: Json) -> Json:
    from opencode_nb.render.markup.table import Table, table_html, table_text
    from opencode_nb.render.turn import kernel_tools

    table = kernel_tools.table(block)
    if isinstance(table, Table):
        return {"text/html": table_html(table), "text/plain": table_text(table)}
    return {"text/plain": table.text if table else ""}


def _shown(data: Json, number: int) -> Json:
    return {**_display(data), "output_type": "execute_result", "execution_count": number}


def _display(data: Json) -> Json:
    return {"data": data, "metadata": {}}
