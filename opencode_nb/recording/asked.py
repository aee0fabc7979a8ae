"""What a turn was asked, by which a recording finds it: the words of the prompt and what came with it.

Never ids, times, tool names or the model. Reads the attached files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from opencode_nb.secret import mask
from opencode_nb.tools.names import NOTE_KIND
from opencode_nb.transcript.state import Json

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
"""Where an object is in memory, in the description of a value."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The prompt's own `text`, and the `key` that stands for it and all that came with it."""

    text: str
    key: str


def asked(parts: Iterable[Json], directory: Path) -> Asked:
    """Return what these parts of a prompt ask, the same wherever its directory is. Blocking: hashes attached files."""
    sent = [part for part in parts if not _is_note(part)]
    texts = [str(part.get("text") or "") for part in sent if part.get("type") == "text" and not part.get("synthetic")]
    words = [_ADDRESS.sub("0x", mask(str(part.get("text") or ""))) for part in sent if part.get("type") == "text"]
    files = [_attached(part) for part in sent if part.get("type") == "file"]
    whole = json.dumps([words, files]).replace(json.dumps(str(directory))[1:-1], ".")
    return Asked("\n\n".join(texts), hashlib.sha256(whole.encode()).hexdigest())


def _is_note(part: Json) -> bool:
    """Whether a part says what changed in the kernel meanwhile: no part of the question."""
    own = (part.get("metadata") or {}).get("opencode_nb") or {}
    return bool(own.get("kind") == NOTE_KIND)


def _attached(part: Json) -> list[str]:
    """Return the name, lines and hash of an attachment."""
    name, url = str(part.get("filename") or ""), str(part.get("url") or "")
    address = urlsplit(url)
    if address.scheme != "file":
        return [name, "", hashlib.sha256(url.partition(",")[2].encode() or url.encode()).hexdigest()]
    return [name, address.query, _hash_of(Path(url2pathname(address.path)))]


def _hash_of(file: Path) -> str:
    """Return the hash of a file's content; "" for a directory, and for a file that is gone."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
