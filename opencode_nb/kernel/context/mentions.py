"""Find what a prompt mentions of the kernel: `@df`, `@df.head()`, `@Out[3]`, `@In[3]`, `@err`, `@cell`. Pure.

Files and agents are found elsewhere (`session.prompt.parts`). Code mentions nothing: what stands in backticks or in a
fence, decorators, and the keys of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from opencode_nb.prose import without_code

_WORD = re.compile(
    r"""(?:^|(?<=[\s(\[{"']))@(?P<name>[^\W\d]\w*)(?:\[(?P<item>[^\]\n]*)\])?(?:\.(?P<attribute>\w+))?(?![\w/\\-])"""
)
_KEY = re.compile(r"""(["'])@[^"'\n]*\1(?=\s*:)""")
_DECORATOR = re.compile(r"\s*@[\w.]+(?:\(.*\))?\s*")
_DECORATED = re.compile(r"\s*(?:async\s+def|def|class)\s")


class Word(NamedTuple):
    """An `@name` in prose, with `[item]` and `.attribute` as written: None and "" where there is none.

    `quoted`: it follows a quote or an opening bracket other than "(", as in code.
    """

    name: str
    item: str | None
    attribute: str
    quoted: bool


def words(text: str) -> Iterator[Word]:
    """Yield what may be a mention, in order."""
    prose = _without_decorators(_blank(_KEY, without_code(text)))
    for found in _WORD.finditer(prose):
        before = prose[max(found.start() - 1, 0) : found.start()]
        yield Word(found["name"], found["item"], found["attribute"] or "", before in tuple("[{\"'"))


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: " " * len(found[0]), text)


def _without_decorators(text: str) -> str:
    """Empty each line that is a decorator: a function, a class or another decorator follows it."""
    kept: list[str] = []
    decorated = False
    for line in reversed(text.split("\n")):
        decorator = decorated and _DECORATOR.fullmatch(line) is not None
        kept.append("" if decorator else line)
        decorated = decorator or _DECORATED.match(line) is not None
    return "\n".join(reversed(kept))
