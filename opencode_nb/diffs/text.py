"""Bytes as text and lines without losing any: undecodable bytes survive, and only `\\n` ends a line."""

from __future__ import annotations

_SNIFFED = 8000
"""How many bytes are looked at to tell binary from text; git's own number."""


def decode(data: bytes) -> str:
    """Bytes as text; a byte that is not UTF-8 becomes a lone surrogate, which `encode` turns back."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes that `decode` was given."""
    return text.encode("utf-8", "surrogateescape")


def is_binary(data: bytes) -> bool:
    """Whether git takes it for binary: a NUL byte near its beginning (so UTF-16 is binary)."""
    return b"\0" in data[:_SNIFFED]


def split(text: str) -> list[str]:
    """The lines with their `\\n`; only the last may be without. `\\r` and other separators are part of a line."""
    *whole, last = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, last] if last else lines
