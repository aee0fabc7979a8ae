"""What `git diff --no-index` says of texts and files of ours: the one module here that starts a program.

Git gets them as files of a folder that only the user can read, and that is gone afterwards. The user's configuration
and attributes, and repositories around that folder, have no say. Blocking.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from opencode_nb.diffs.patch import Block, parse_files
from opencode_nb.diffs.text import decode, encode

TIMEOUT = 60.0
"""Seconds that one run may take: a hundred files of thousands of lines take a tenth of one."""

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-prefix")
_TEXTS = ("--text", "--no-renames", "--diff-algorithm=myers", "--indent-heuristic", "--inter-hunk-context=0", "-U1")
"""With -U0 git compares in another way, and finds other blocks than those of the patch that it prints for people."""

_RENAMES = ("--find-renames=50%", "--diff-filter=R", "--name-status", "-z")

Pair = tuple[str, str]
"""A text before and after."""

Named = tuple[str, bytes]
"""A file's name, without folders, and its content."""


def blocks(pairs: Sequence[Pair]) -> list[list[Block]] | None:
    """The changed places of each pair; None where there is no git, or where it failed."""
    texts = ((f"{'ab'[i]}/{number}", text) for number, pair in enumerate(pairs) for i, text in enumerate(pair))
    said = _said(((path, text.encode("utf-8", "surrogatepass")) for path, text in texts), _TEXTS)
    if said is None:
        return None
    found = {int(file.path): file.hunks for file in parse_files(decode(said))}
    return [[block for hunk in found.get(number, ()) for block in hunk.blocks] for number in range(len(pairs))]


def renames(gone: Sequence[Named], new: Sequence[Named]) -> list[tuple[int, int, int]]:
    """Which of the new files are like one that is gone: their indices, and the percentage; none without git."""
    sides = (("a", gone), ("b", new))
    said = _said(((f"{s}/{s}{i}/{name}", data) for s, files in sides for i, (name, data) in enumerate(files)), _RENAMES)
    fields = decode(said or b"").split("\0")[:-1]
    rows = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    return [(_number(old), _number(after), int(score[1:])) for score, old, after in rows]


def _number(path: str) -> int:
    """The index in a path such as `b/b12/name`."""
    return int(path.split("/")[1][1:])


def _said(files: Iterable[tuple[str, bytes]], options: Sequence[str]) -> bytes | None:
    """What git prints about two folders, `a` and `b`, with these files; None where it could not be asked."""
    try:
        with tempfile.TemporaryDirectory(prefix="opencode-nb-") as name:
            folder = Path(name).resolve()
            for path, data in files:
                _write(os.path.join(encode(str(folder)), encode(path)), data)  # noqa: PTH118  # as bytes
            command = ["git", "diff", "--no-index", *_PLAIN, *options, "a", "b"]
            done = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in (0, 1) else None


def _write(place: bytes, data: bytes) -> None:
    """Write a file; its name may be no UTF-8, which bytes always are good for."""
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(data)


def _environment(folder: Path) -> dict[str, str]:
    """The user's own without what would make git look elsewhere: its variables, configuration, repositories above."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "XDG_"))}
    alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    return {**kept, **alone, "HOME": str(folder)}
