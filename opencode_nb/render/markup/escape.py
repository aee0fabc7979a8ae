"""The only place where text becomes markup: escaping, and the element builder of every renderer.

`Html` is a separate type so that the type checker finds unescaped text used as markup. Knows nothing of conversations.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import NewType
from urllib.parse import unquote

from opencode_nb.render.markup.style import STYLES

Html = NewType("Html", str)
"""Markup that is safe to insert into a page."""

NOTHING = Html("")

# Characters that must not reach a page: C0 and C1 controls except tab and newline (ANSI, overstriking), direction
# overrides (they make code and paths read differently), and lone surrogates (UTF-8 cannot encode them).
_INVISIBLE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE_TEXT = re.compile(f"[{_INVISIBLE}]")
_UNSAFE_MARKUP = re.compile(f"[{_INVISIBLE}&<>\"']")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_VOID = frozenset({"br", "hr", "img", "input"})

_WEB_SCHEMES = frozenset({"http", "https", "mailto"})
_SCHEME = re.compile(r"([^:/?#]*):")
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/ \t\n]*={0,2}[ \t\n]*", re.IGNORECASE)
_DATA_PDF = re.compile(r"data:application/pdf;base64,[A-Za-z0-9+/ \t\n]*={0,2}[ \t\n]*", re.IGNORECASE)


# Text that people base decisions on must show what it is: there, any other character that is invisible, or a space that
# is not U+0020, is marked too. Unicode calls the former "default ignorable"; these are the ones not covered by a
# category.
_BLANK = re.compile(r"[^\x20-\x7e\n\t]")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs"})
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_EMOJI = re.compile(f"{_PICTURE}\ufe0f?(?:\u200d{_PICTURE}\ufe0f?)*|[0-9#*]\ufe0f\u20e3")
"""One emoji, whatever the number of its characters: the joiners in it hide nothing."""
_EDGE = re.compile(r"^ +| +$")


def _mark(character: str) -> str:
    """Return a visible replacement for a character that would hide, move or break text."""
    code = ord(character)
    if code <= 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _revealed(character: str) -> str:
    hides = unicodedata.category(character) in _HIDDEN_CATEGORIES or _IGNORABLE.match(character)
    return _mark(character) if hides else character


def reveal(text: str) -> str:
    """Mark every invisible character in text that someone bases a decision on, such as a command.

    Keeps newlines and tabs. Does not escape for HTML.
    """
    return _BLANK.sub(lambda match: _revealed(match[0]), text)


def reveal_line(text: str) -> str:
    """Like `reveal`, for one line such as a path: also marks newlines, tabs, and leading and trailing spaces."""
    line = re.sub(r"[\n\t]", lambda match: _mark(match[0]), reveal(text))
    return _EDGE.sub(lambda match: _mark(" ") * len(match[0]), line)


def reveal_words(text: str) -> str:
    """Like `reveal`, for prose such as a question: keeps emoji made of several characters."""
    pieces, end = [], 0
    for picture in _EMOJI.finditer(text):
        pieces += [reveal(text[end : picture.start()]), picture[0]]
        end = picture.end()
    return "".join([*pieces, reveal(text[end:])])


def visible(text: str) -> str:
    """Replace controls, direction overrides and lone surrogates by visible marks. Does not escape for HTML."""
    return _UNSAFE_TEXT.sub(lambda match: _mark(match[0]), text)


def escape(text: str) -> Html:
    """Escape text for element content and quoted attribute values."""
    return Html(_UNSAFE_MARKUP.sub(lambda match: _ENTITIES.get(match[0]) or _mark(match[0]), text))


def join(pieces: Iterable[Html], separator: Html = NOTHING) -> Html:
    """Join pieces of markup."""
    return Html(separator.join(pieces))


def element(
    tag: str, content: Html = NOTHING, *, style: str = "", classes: str = "", **attributes: str | bool | None
) -> Html:
    """Build an element.

    `style` names entries of `style.STYLES`, separated by spaces; each also becomes a class `oc-NAME`, next to
    `classes`, for what inline styles cannot do. Attribute names are Python identifiers (`data_key` is `data-key`); True
    gives an attribute without a value, None and False omit it.
    """
    head = f"<{tag}{_style(style, classes)}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(head if tag in _VOID else f"{head}{content}</{tag}>")


@functools.lru_cache(maxsize=1024)
def _style(names: str, classes: str) -> str:
    every = " ".join([*classes.split(), *(f"oc-{name}" for name in names.split())])
    rules = ";".join(STYLES[name] for name in names.split())
    return (f' class="{every}"' if every else "") + (f' style="{rules}"' if rules else "")


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'


def is_safe_link(url: str) -> bool:
    """Return whether a link is safe: http, https, mailto, or relative to the page."""
    # Browsers ignore whitespace and controls in URLs, even percent-encoded, so ignore them here too.
    schemes = [_SCHEME.match(_IGNORED_IN_URLS.sub("", form)) for form in (url, unquote(url))]
    return all(scheme is None or scheme[1].lower() in _WEB_SCHEMES for scheme in schemes)


def is_data_image(url: str) -> bool:
    """Return whether this is an image that needs no request: a base64 data URL of a raster format without scripts."""
    return _DATA_IMAGE.fullmatch(url) is not None


def is_data_pdf(url: str) -> bool:
    """Return whether this is a PDF that needs no request; browsers sandbox it."""
    return _DATA_PDF.fullmatch(url) is not None


def link(url: str, content: Html) -> Html:
    """Build a link that opens in a new tab, or only its text if the URL isn't safe."""
    if not is_safe_link(url):
        return element("span", content)
    return element("a", content, href=url, target="_blank", rel="noopener noreferrer")
