"""Keep who answered the requests of each turn, in one file a session: the server does not know who it was.

Lines of JSON in the user's state directory, readable only by the user. Nothing here raises: what cannot be written or
read is not known, and then the cards say nothing of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from opencode_nb.transcript.state import ELSEWHERE, Decision, Json, TurnState

MOST_SESSIONS = 500
"""Sessions that are kept; beyond that, those that were written longest ago go."""

MOST_BYTES = 500_000
"""Above this size a session's file loses the older half of its lines. An answer takes about 300 bytes."""

_SESSION = re.compile(r"ses_\w{1,64}", re.ASCII)
_SHOWN = ("id", "sessionID", "permission", "patterns", "always", "tool", "questions")
"""What the cards show of a request: not its diff."""


def keep(turn: TurnState) -> None:
    """Write who answered the requests of an ended turn and of its subagents, as far as this process knows it."""
    if lines := [json.dumps(known) for one in turn.family if (known := _known(one))]:
        with contextlib.suppress(OSError):
            _append(_file_of(turn.session_id), "".join(f"{line}\n" for line in lines))


def read(session_id: str) -> dict[str, Json]:
    """Return who answered, by turn: the `decisions`, `approved` and `waits` of a `TurnState`."""
    turns: dict[str, Json] = {}
    for line in _lines(_file_of(session_id)):
        with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError, RecursionError):  # it is broken
            kept = json.loads(line)
            turns[str(kept["turn"])] = _joined(turns.get(str(kept["turn"]), {}), _parsed(kept))
    return turns


def forget(session_id: str) -> None:
    """Delete what is kept of a session."""
    with contextlib.suppress(OSError):
        _file_of(session_id).unlink()


def _known(turn: TurnState) -> Json:
    made = [one for one in list(turn.decisions) if one.by != ELSEWHERE]
    approved = [_shown(request) for request in list(turn.approved)]
    if not (made or approved):
        return {}
    decisions = [[_shown(one.request), one.reply, one.by, _message(one)] for one in made]
    return {"turn": turn.id, "decisions": decisions, "approved": approved, "waits": dict(turn.waits)}


def _message(made: Decision) -> str:
    """Return what the cards show of an answer: not the source that a person wrote."""
    return "" if made.reply == "edited" else made.message


def _shown(request: Json) -> Json:
    return {name: request[name] for name in _SHOWN if name in request}


def _parsed(kept: Json) -> Json:
    return {
        "decisions": [Decision(dict(request), *map(str, rest)) for request, *rest in kept["decisions"]],
        "approved": [dict(request) for request in kept["approved"]],
        "waits": {key: (str(call), (float(begin), float(end))) for key, (call, (begin, end)) in kept["waits"].items()},
    }


def _joined(before: Json, after: Json) -> Json:
    """Add what one process knows of a turn to what another does: each may have answered some requests."""
    if not before:
        return after
    decisions = {one.request.get("id"): one for one in (*before["decisions"], *after["decisions"])}
    approved = {one.get("id"): one for one in (*before["approved"], *after["approved"])}
    return {
        "decisions": [*decisions.values()],
        "approved": [*approved.values()],
        "waits": before["waits"] | after["waits"],
    }


# -- the files ---------------------------------------------------------------------------------------------------------


def _folder() -> Path:
    return platformdirs.user_state_path("opencode_nb") / "answers"


def _file_of(session_id: str) -> Path:
    return _folder() / f"{session_id if _SESSION.fullmatch(session_id) else 'other'}.jsonl"


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().splitlines()
    except OSError:
        return []


def _append(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as opened:
        begins = not opened.tell()
        opened.write(text.encode())
        is_long = opened.tell() > MOST_BYTES
    if is_long:
        lines = _lines(file)
        _replace(file, lines[len(lines) // 2 :])
    if begins:
        _forget_old(file.parent)


def _replace(file: Path, lines: Iterable[bytes]) -> None:
    new = file.with_suffix(f".{os.getpid()}")
    new.touch(mode=0o600)
    new.write_bytes(b"".join(line + b"\n" for line in lines))
    new.replace(file)


def _forget_old(folder: Path) -> None:
    files = sorted(folder.glob("*.jsonl"), key=_written, reverse=True)
    for file in files[MOST_SESSIONS:]:
        file.unlink(missing_ok=True)


def _written(file: Path) -> float:
    return file.stat().st_mtime
