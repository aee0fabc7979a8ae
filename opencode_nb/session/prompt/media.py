"""Detect from its bytes whether a file is text or media: extensions are ambiguous (`.ts`, `.smk`). Pure."""

from __future__ import annotations

import codecs
import mimetypes
import re

TEXT = "text/plain"
_INLINE = ("image/", "audio/", "video/", "application/pdf")
_USUAL = {
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
}
"""Other names of types -> the one that providers know."""

_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
_PDF = re.compile(rb"%PDF-\d")
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_IN_TEXT = bytes({*range(0x20), 0x7F} - {*b"\a\b\t\n\v\f\r\x1b"})
_MOST_ACCENTS = 0.5
"""Maximum share of non-ASCII bytes in text with an 8-bit encoding."""


def mime(name: str, head: bytes, claimed: str = "") -> str:
    """Return the MIME type to send: text, or media to send inline. `claimed` is the browser's MIME type."""
    if _PDF.match(head):
        return "application/pdf"
    if is_text(head):
        return TEXT
    if known := picture(head):
        return known
    guess = next((kind for kind in (claimed, mimetypes.guess_type(name)[0] or "") if kind.startswith(_INLINE)), TEXT)
    return TEXT if guess == "image/svg+xml" else _USUAL.get(guess, guess)


def picture(head: bytes) -> str | None:
    """Return the MIME type of an image in a format that every vision model reads, or None."""
    return next((kind for pattern, kind in _SIGNATURES if pattern.match(head)), None)


def is_text(head: bytes) -> bool:
    """Whether the start of a file is text: UTF-8, UTF-16 with a BOM, or an 8-bit encoding of a Latin script."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return _decodes(head, "utf-16")
    if b"\0" in head:
        return False
    return _decodes(head, "utf-8") or _is_latin(head)


def as_utf8(text: bytes) -> bytes:
    """Return text in UTF-8, as the server reads embedded text."""
    if text.startswith(_BYTE_ORDER_MARKS):
        return text.decode("utf-16").encode()
    return text if _decodes(text, "utf-8") or not is_text(text) else text.decode("latin-1").encode()


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # may end in the middle of a character
    except UnicodeDecodeError:
        return False
    return True


def _is_latin(head: bytes) -> bool:
    odd = len(head) - len(head.translate(None, _NOT_IN_TEXT))
    accents = len(head) - len(head.decode("ascii", "ignore"))
    return not odd and accents <= _MOST_ACCENTS * len(head)
