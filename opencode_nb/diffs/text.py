"""Convert bytes to text and lines without loss: undecodable bytes survive, and only `\\n` ends a line."""

from __future__ import annotations

_SNIFFED = 8000
"""Bytes checked to tell binary from text; git's own number."""


def decode(data: bytes) -> str:
    """Decode bytes. A byte that is not UTF-8 becomes a lone surrogate, which `encode` restores."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes that `decode` was given."""
    return text.encode("utf-8", "surrogateescape")


def is_binary(data: bytes) -> bool:
    """Return whether git considers it binary: a NUL byte near the beginning (so UTF-16 is binary)."""
    return b"\0" in data[:_SNIFFED]


def split(text: str) -> list[str]:
    """Split into lines with their `\\n`; only the last may lack one. `\\r` and other separators stay in the line."""
    *whole, last = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, last] if last else lines
