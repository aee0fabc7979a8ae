"""Create message ids, so that a sent prompt can be found again and is never sent twice; read the time in any id.

The format is the server's: "msg_", 12 hex digits of the low 48 bits of milliseconds * 4096 + a counter, 14 random
base62 digits. The server sorts messages by their creation time, and by id only within the same millisecond; some older
versions look at the id alone. So a new id must sort after those of its session.
"""

from __future__ import annotations

import itertools
import re
import secrets
import string
import threading
import time

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_DIGITS = 14
_TICKS_PER_MS = 0x1000
_LOW_48_BITS = (1 << 48) - 1
_ID = re.compile("[a-z]+_([0-9a-f]{12})")

_lock = threading.Lock()
_last = 0


def _tick() -> int:
    """Return a strictly increasing number near the clock: a clock set back must not make a later prompt sort first."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 * _TICKS_PER_MS)
        return _last


def message_id(*earlier: str) -> str:
    """Return a new message id that sorts after all made in this process, and after `earlier`, whatever their clocks."""
    tick = _tick()
    for ticks in map(_ticks, earlier):
        if (
            ticks is not None and (ticks - tick) & _LOW_48_BITS <= _LOW_48_BITS // 2
        ):  # ids wrap around: compare within half the range
            tick = ticks + 1
    tail = "".join(secrets.choice(_BASE62) for _ in itertools.repeat(None, _RANDOM_DIGITS))
    return f"msg_{tick & _LOW_48_BITS:012x}{tail}"


def made_at(any_id: str) -> float | None:
    """Return when the server made an id of any kind, in ms that wrap around every 795 days; None if it does not say."""
    ticks = _ticks(any_id)
    return None if ticks is None else ticks / _TICKS_PER_MS


def _ticks(any_id: str) -> int | None:
    """Return the clock part of an id; None if the id has another format."""
    match = _ID.match(any_id)
    return int(match[1], 16) if match else None
