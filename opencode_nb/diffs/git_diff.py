"""Run `git diff --no-index` on texts and files held in memory. The only module here that starts a program.

The files go into a temporary folder that only the user can read. The user's git configuration and attributes, and
repositories above that folder, are ignored. Blocking.
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
"""Maximum seconds per run. A hundred files with thousands of lines take a tenth of a second."""

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-prefix")
_TEXTS = ("--text", "--no-renames", "--diff-algorithm=myers", "--indent-heuristic", "--inter-hunk-context=0", "-U1")
"""-U0 makes git compare differently, and find other blocks than in the patches it prints for people."""

_RENAMES = ("--find-renames=50%", "--diff-filter=R", "--name-status", "-z")

Pair = tuple[str, str]
"""A text before and after a change."""

Named = tuple[str, bytes]
"""A file's base name and its content."""


def blocks(pairs: Sequence[Pair]) -> list[list[Block]] | None:
    """Return the changed places of each pair; None if git is missing or failed."""
    texts = ((f"{'ab'[i]}/{number}", text) for number, pair in enumerate(pairs) for i, text in enumerate(pair))
    said = _said(((path, text.encode("utf-8", "surrogatepass")) for path, text in texts), _TEXTS)
    if said is None:
        return None
    found = {int(file.path): file.hunks for file in parse_files(decode(said))}
    return [[block for hunk in found.get(number, ()) for block in hunk.blocks] for number in range(len(pairs))]


def renames(gone: Sequence[Named], new: Sequence[Named]) -> list[tuple[int, int, int]]:
    """Pair new files with similar deleted ones: both indices and the similarity in percent; empty without git."""
    sides = (("a", gone), ("b", new))
    said = _said(((f"{s}/{s}{i}/{name}", data) for s, files in sides for i, (name, data) in enumerate(files)), _RENAMES)
    fields = decode(said or b"").split("\0")[:-1]
    rows = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    return [(_number(old), _number(after), int(score[1:])) for score, old, after in rows]


def _number(path: str) -> int:
    """Return the index in a path such as `b/b12/name`."""
    return int(path.split("/")[1][1:])


def _said(files: Iterable[tuple[str, bytes]], options: Sequence[str]) -> bytes | None:
    """Return git's output for two folders, `a` and `b`, with these files; None if git could not run."""
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
    """Write a file. The path is bytes because a name may not be UTF-8."""
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(data)


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment without git's variables and configuration, and with repositories above hidden."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "XDG_"))}
    alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    return {**kept, **alone, "HOME": str(folder)}
