"""Every file that CONTRIBUTING.md, README.md and docs/ name exists, and defines what they say it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILE = r"[\w./-]+/[\w.-]+\.(?:py|js|css|md|json)"
NAMED = re.compile(rf"`(?P<file>{FILE})`|\]\((?P<link>{FILE})[)#]")
DEFINED = re.compile(rf"`(?P<name>\w+)` in `(?P<file>{FILE})`")
NOT_OURS = ("./", "src/")  # files of a user's project, in examples


def find(name: str) -> Path | None:
    """Return the named file, which stands below the repository or the package."""
    return next((path for base in (ROOT, ROOT / "opencode_nb") if (path := base / name).is_file()), None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_that_a_document_names_exist(document: Path) -> None:
    names = {match["file"] or match["link"] for match in NAMED.finditer(document.read_text(encoding="utf-8"))}
    assert [name for name in sorted(names) if not name.startswith(NOT_OURS) and find(name) is None] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_define_what_a_document_says(document: Path) -> None:
    missing = []
    for match in DEFINED.finditer(document.read_text(encoding="utf-8")):
        file = find(match["file"])
        source = file.read_text(encoding="utf-8") if file else ""
        if not re.search(rf"(?:def|class|function) {match['name']}\b|^{match['name']}\b.*=", source, re.MULTILINE):
            missing.append(match[0])
    assert missing == []
