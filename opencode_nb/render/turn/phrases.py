"""Short phrases for lines: shortened texts and durations."""

from __future__ import annotations


def shorten(text: str, length: int) -> str:
    """Return the text as one line, shortened in the middle if it is too long."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[: length - 1 - half]}\u2026{text[-half:]}"


def duration(seconds: float | None) -> str:
    """Format seconds as `0.3 s`, `12 s`, `2 min 5 s`."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
