"""Quote file names as git does in patches: like C strings if they contain anything but plain ASCII."""

from __future__ import annotations

import re

from opencode_nb.diffs.text import decode, encode

_LETTERS = {
    "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", '"': '"', "\\": "\\",
}  # fmt: skip
_UNLETTERS = {letter: character for character, letter in _LETTERS.items()}
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ESCAPE = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')


def quote(name: str) -> str:
    """Quote a name as git does by default (`core.quotePath`): `"caf\\303\\251"`. Plain names stay unquoted."""
    if _PLAIN.fullmatch(name) and '"' not in name and "\\" not in name:
        return name
    return f'"{"".join(_quoted(character) for character in name)}"'


def _quoted(character: str) -> str:
    if character in _LETTERS:
        return f"\\{_LETTERS[character]}"
    if _PLAIN.fullmatch(character):
        return character
    return "".join(f"\\{byte:03o}" for byte in encode(character))


def unquote(name: str) -> str:
    """Undo `quote`; return an unquoted name unchanged."""
    if len(name) < 2 or name[0] != '"' or name[-1] != '"':
        return name
    raw = encode(_ESCAPE.sub(lambda match: _character(match[1]), name[1:-1]))
    return decode(raw)


def _character(escape: str) -> str:
    if escape in _UNLETTERS:
        return _UNLETTERS[escape]
    byte = int(escape, 8) & 0xFF
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)
