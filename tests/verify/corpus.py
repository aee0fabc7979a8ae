"""Notebooks to verify, built as they would stand on disk after somebody worked in them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat

Json = dict[str, Any]


def code(source: str, *outputs: Json, count: int | None = 1, tags: tuple[str, ...] = ()) -> Json:
    """Return a code cell with what was saved of it."""
    cell: Json = nbformat.v4.new_code_cell(
        source, outputs=list(map(nbformat.from_dict, outputs)), execution_count=count
    )
    if tags:
        cell["metadata"]["tags"] = list(tags)
    return cell


def printed(text: str, name: str = "stdout") -> Json:
    return {"output_type": "stream", "name": name, "text": text}


def value(plain: str, count: int = 1, **forms: str) -> Json:
    """Return a cell's value; `text_html=...` is another form of it."""
    data = {"text/plain": plain, **{kind.replace("_", "/"): text for kind, text in forms.items()}}
    return {"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}}


def raised(name: str, text: str) -> Json:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": []}


def png(colour: tuple[int, int, int], size: tuple[int, int] = (4, 3), *, comment: str = "") -> bytes:
    """Return a PNG file of one colour; the comment is a text in the file."""
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", comment)
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def picture(data: bytes) -> Json:
    encoded = base64.b64encode(data).decode()
    return {"output_type": "display_data", "data": {"image/png": encoded, "text/plain": "<Figure>"}, "metadata": {}}


def write(path: Path, *cells: Json, kernel: str = "python3") -> Path:
    """Write a notebook of these cells; return its path."""
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(notebook, path)
    return path
