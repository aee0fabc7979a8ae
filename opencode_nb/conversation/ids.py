"""Message ids of our own, so that a prompt that was sent can be found again and is never sent twice.

The server sorts messages by id, so an id must sort after every earlier one: "msg_", 12 hex digits of the low 48 bits
of milliseconds * 4096 + a counter, 14 random base62 digits (the format of the server's own ids).
"""

from __future__ import annotations

import itertools
import secrets
import string
import threading
import time

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_DIGITS = 14
_TICKS_PER_MS = 0x1000
_LOW_48_BITS = (1 << 48) - 1

_lock = threading.Lock()
_last = 0


def _tick() -> int:
    """A strictly growing number, near the clock: a clock set back must not make a later prompt sort first."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 * _TICKS_PER_MS)
        return _last


def message_id() -> str:
    """A new message id; sorts after every id made before it in this process."""
    tail = "".join(secrets.choice(_BASE62) for _ in itertools.repeat(None, _RANDOM_DIGITS))
    return f"msg_{_tick() & _LOW_48_BITS:012x}{tail}"
