"""Convert TeX formulas to MathML that is safe to insert.

Owns the limits of a formula, and the elements and attributes that may reach a page: whatever the converter returns is
built again from these. The converter is imported with the first formula.
"""

from __future__ import annotations

import functools
import itertools
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from opencode_nb.render.markdown.math_rules import MAX_TEX
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join

if TYPE_CHECKING:
    from math_core import LatexToMathML

MAX_DEPTH = 50
"""Maximum nesting of braces. The converter is recursive, and a stack overflow in it would end the kernel: with this
limit and that of the length it needs less than 2 MB of stack, whatever it is given."""
MAX_MARKUP = 200_000
"""Maximum characters of a formula's MathML."""

_ELEMENTS = frozenset(
    """math mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt
    mstyle msub msubsup msup mtable mtd mtext mtr munder munderover""".split()  # noqa: SIM905
)
_ATTRIBUTES = frozenset(
    """accent accentunder columnalign columnspan depth display displaystyle fence form height largeop linethickness
    lspace mathvariant maxsize minsize movablelimits rowspan rspace scriptlevel separator stretchy style
    symmetric voffset width""".split()  # noqa: SIM905
)
_VALUE = re.compile(r"[A-Za-z0-9 .,:;#%+-]*")
_TOO_LONG = re.compile(r"\d{2}\d*(?:\.\d+)?[A-Za-z]")  # a length of ten or more of any unit
_BOX = 'mrow style="border:.06em solid;padding:.25em"'  # browsers do not know menclose
_STYLES = re.compile(
    r"(?:(?:border(?:-[a-z]+)*|color|font-size|justify-items|margin(?:-[a-z]+)?|math-(?:shift|depth|style)"
    r"|padding(?:-[a-z]+)?|text-align|vertical-align|width):[^;:]*;?\s*)*"
)
_EMPTY_LINES = re.compile(r"\n\s*\n")  # TeX allows none
_DEFINES = re.compile(r"\\(?:new|renew|provide)command|\\(?:let|[egx]?def)(?![A-Za-z])")  # to get around the limits
_FAILURES = ("LatexError", "PanicException")
_NUMBERED = re.compile(r"\\(begin|end)\{(align|alignat|equation|gather|multline|flalign)\}")
_TAG = "\\tag"
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_STEPS = {"{": 1, "}": -1}


@functools.lru_cache(maxsize=512)
def formula_html(tex: str, *, display: bool) -> Html:
    r"""Return a formula as MathML, with its TeX beside it for copying; "" if it cannot be converted.

    `display`: on a line of its own. Where a sanitizer removes MathML, such as JupyterLab's in a notebook that is not
    trusted, the TeX is shown instead (see `style.STYLES`), and typeset by MathJax if the page has it.
    """
    mathml = _mathml(tex, display)
    if not mathml:
        return NOTHING
    source = f"$${tex}$$" if display else f"${tex}$"
    # MathJax leaves the content of this element alone, and a sanitizer removes it: then MathJax typesets the content.
    kept = Html(f"<annotation>{escape(source)}</annotation>")
    shown = element("span", mathml, style="mathml")
    copied = element("span", kept, style="tex", classes="mathjax_process tex2jax_process", aria_hidden="true")
    return element("span", join([shown, copied]), style="display" if display else "formula")


def _mathml(tex: str, display: bool) -> Html:
    if len(tex) > MAX_TEX or _is_deep(tex) or _DEFINES.search(tex):
        return NOTHING
    try:
        markup = _converter().convert_with_local_state(_prepared(tex), displaystyle=display)
    except BaseException as error:  # a panic of the converter is a BaseException, and would end the package's loop
        if type(error).__name__ not in _FAILURES:
            raise
        return NOTHING
    return _safe(markup, tex) if len(markup) <= MAX_MARKUP else NOTHING


def _prepared(tex: str) -> str:
    """Return the TeX without empty lines and equation numbers: each formula would begin again with 1."""
    tex = _EMPTY_LINES.sub("\n", tex)
    if _TAG not in tex:
        return _NUMBERED.sub(r"\\\1{\2*}", tex)
    return tex if _NUMBERED.search(tex) else f"\\begin{{equation}}{tex}\\end{{equation}}"


@functools.cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(allow_unreliable_rendering=True, fancy_error=False)


def _is_deep(tex: str) -> bool:
    depths = itertools.accumulate(_STEPS.get(match[0], 0) for match in _BRACES.finditer(tex))
    return max(depths, default=0) > MAX_DEPTH


def _safe(markup: str, tex: str) -> Html:
    """Return the markup built again from allowed elements and attributes; "" if anything else is in it."""
    copy = _Copy(tex)
    copy.feed(markup)
    copy.close()
    return Html("".join(copy.pieces)) if copy.is_allowed else NOTHING


class _Copy(HTMLParser):
    """Builds MathML again from what is allowed, with `tex` as the annotation of the `math` element."""

    def __init__(self, tex: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.is_allowed = True
        self._tex = escape(tex)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "menclose" and attrs == [("notation", "box")]:
            self.pieces.append(f"<{_BOX}>")
            return
        self.is_allowed = self.is_allowed and tag in _ELEMENTS
        kept = "".join(f' {name}="{escape(value or "")}"' for name, value in attrs if _is_allowed(name, value or ""))
        opening = f' alttext="{self._tex}"><semantics><mrow>' if tag == "math" else ">"
        self.pieces.append(f"<{tag}{kept}{opening}")

    def handle_endtag(self, tag: str) -> None:
        tag = "mrow" if tag == "menclose" else tag
        annotation = f'</mrow><annotation encoding="application/x-tex">{self._tex}</annotation></semantics>'
        self.pieces.append(f"{annotation if tag == 'math' else ''}</{tag}>")

    def handle_data(self, data: str) -> None:
        self.pieces.append(escape(data))

    def handle_comment(self, data: str) -> None:
        self.is_allowed = False

    def handle_decl(self, decl: str) -> None:
        self.is_allowed = False


def _is_allowed(name: str, value: str) -> bool:
    if name not in _ATTRIBUTES or not _VALUE.fullmatch(value) or _TOO_LONG.search(value):
        return False
    return name != "style" or _STYLES.fullmatch(value) is not None
