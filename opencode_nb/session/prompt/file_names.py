"""Tell a mistyped file name from prose: `@nosuch.py` from `@app.get` and `@types/node`. Pure except for looking."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"(?P<path>[\w.~/+ -]+?)(?::\d+(?:-\d+)?)?")
"""A path, with the lines of it: no brackets or quotes, as in a decorator's arguments."""

_RELATIVE = ("./", "../", "~/")

EXTENSIONS = frozenset(
    """
    bat bib c cc cfg cjs clj cmake conf cpp cs css csv cu cxx dart diff dockerfile docx env erl ex exs f90
    feather fs gif go gql gradle graphql gz h h5 hdf5 hpp hs htm html hxx ini ipynb java jpeg jpg js json jsonc
    jsonl jsx kt less log lua m md mdx mjs mk ml mov mp3 mp4 nc ndjson nim nix npy npz orc parquet pdf php
    pickle pkl pl png pptx proto ps1 py pyi pyx qmd r rb rds rmd rs rst sass sav scala scss sh sql sqlite svelte
    svg swift tar tcl tex tf toml ts tsv tsx txt vue wav webp xls xlsx xml yaml yml zig zip zsh
    """.split()  # noqa: SIM905  # easier to read
)
"""Extensions, in lower case, that a word in prose, a decorator or a handle hardly ends with."""


def is_meant(name: str, directory: Path) -> bool:
    """Whether a mention was meant as a file or folder: by its extension, or because it starts with a folder."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    path = found["path"]
    _stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    if (dot and extension.lower() in EXTENSIONS) or path.startswith(_RELATIVE) or path.endswith("/"):
        return True
    first = path[: path.find("/", 1) + 1]
    return bool(first) and (directory / first).is_dir()
