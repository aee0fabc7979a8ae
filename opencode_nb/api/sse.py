"""The wire format of event streams: bytes in, events out. Pure: does no I/O, and no event makes it raise.

Why not httpx-sse: it reads text lines, and httpx also ends a line at U+2028 and U+0085, which the server leaves
unescaped inside its JSON. Here only the byte "\\n" ends a line.
"""

from __future__ import annotations

import json
import logging

from opencode_nb.api.record import Record

__all__ = ["Decoder", "decode_event"]

log = logging.getLogger("opencode_nb")

_scan = json.JSONDecoder().raw_decode  # json.loads also skips white space twice, which makes it a sixth slower


class Decoder:
    """Bytes in, the data of each complete event out. Does no I/O and never raises."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of the unfinished line
        self._data: list[bytes] = []  # data lines of the unfinished event

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that end in this chunk, in order; join several data lines with newlines."""
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return []
        lines = b"".join((*self._rest, chunk)).split(b"\n")
        self._rest = [lines.pop()]
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif line in (b"", b"\r") and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(map(_unindent, self._data)))
                self._data.clear()
        return events


def _unindent(line: bytes) -> bytes:
    """Strip one leading space and the \\r of a data line; in a single line of JSON they are harmless."""
    return line.removeprefix(b" ").removesuffix(b"\r")


def decode_event(data: bytes) -> Record | None:
    """Decode an event; log a malformed one and return None: one bad event must not end the stream."""
    try:
        text = data.decode().strip(" \r\n")
        event, end = _scan(text)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (ValueError, RecursionError) as error:
        log.warning("skipped a malformed event of %d bytes: %s", len(data), error)
        return None
    if type(event) is dict:
        return Record(event)
    log.warning("skipped an event that is not an object (%d bytes)", len(data))
    return None
