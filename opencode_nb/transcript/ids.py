"""Message ids of our own, so that a prompt that was sent can be found again and is never sent twice.

Their format is that of the server's own ids: "msg_", 12 hex digits of the low 48 bits of milliseconds * 4096 + a
counter, 14 random base62 digits. The server sorts messages by the time at which it created them, and only those of the
same millisecond by id; some older versions look at the id alone. So a new one comes after those of its session.
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
_ID = re.compile("msg_([0-9a-f]{12})")

_lock = threading.Lock()
_last = 0


def _tick() -> int:
    """A strictly growing number, near the clock: a clock set back must not make a later prompt sort first."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 * _TICKS_PER_MS)
        return _last


def message_id(*earlier: str) -> str:
    """A new message id, later than those made before it in this process, and than these, whatever clock made them."""
    tick = _tick()
    for ticks in map(_ticks, earlier):
        if ticks is not None and (ticks - tick) & _LOW_48_BITS <= _LOW_48_BITS // 2:  # they wrap: less than half around
            tick = ticks + 1
    tail = "".join(secrets.choice(_BASE62) for _ in itertools.repeat(None, _RANDOM_DIGITS))
    return f"msg_{tick & _LOW_48_BITS:012x}{tail}"


def _ticks(message_id: str) -> int | None:
    """The clock's part of an id; None where it has another form."""
    match = _ID.match(message_id)
    return int(match[1], 16) if match else None
