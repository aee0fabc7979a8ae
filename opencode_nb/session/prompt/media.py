"""What a file is for a model, text or media, told by its bytes: endings mean several things (`.ts`, `.smk`). Pure."""

from __future__ import annotations

import codecs
import mimetypes
import re

TEXT = "text/plain"
_INLINE = ("image/", "audio/", "video/", "application/pdf")

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
"""Up to which part of a text in an 8-bit encoding is beyond ASCII."""


def mime(name: str, head: bytes, claimed: str = "") -> str:
    """The type to send it as: text, or a medium that goes inline. `claimed` is what a browser says of it."""
    if _PDF.match(head):
        return "application/pdf"
    if is_text(head):
        return TEXT
    if known := picture(head):
        return known
    guess = next((kind for kind in (claimed, mimetypes.guess_type(name)[0] or "") if kind.startswith(_INLINE)), TEXT)
    return TEXT if guess == "image/svg+xml" else guess


def picture(head: bytes) -> str | None:
    """The type of a picture that every model reads; None for anything else."""
    return next((kind for pattern, kind in _SIGNATURES if pattern.match(head)), None)


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file is text: UTF-8, UTF-16 with its mark, or an 8-bit encoding of a Latin script."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return _decodes(head, "utf-16")
    if b"\0" in head:
        return False
    return _decodes(head, "utf-8") or _is_latin(head)


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # may end within a character
    except UnicodeDecodeError:
        return False
    return True


def _is_latin(head: bytes) -> bool:
    odd = len(head) - len(head.translate(None, _NOT_IN_TEXT))
    accents = len(head) - len(head.decode("ascii", "ignore"))
    return not odd and accents <= _MOST_ACCENTS * len(head)
