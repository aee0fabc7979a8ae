# ruff: noqa: E501  (documents, one to a line)
"""Markdown documents that are hard to stream, and ways to split them into deltas."""

from __future__ import annotations

import random

DOCUMENTS = {
    "prose": "Hello *world*, this is **bold\nand** `code`.\n\nSecond paragraph with ~~strike~~ and a [link](https://example.org).\n",
    "setext": "Title\n=====\n\nSub\n---\ntext\nmore text\n---\n\nnot a title\n\n---\n- - -\n* * *\n",
    "headings": "# One\ntext\n## Two ##\n#hash\n#\n### Three\n",
    "tight": "- a\n- b\n  continued\n- c `x`\n- d\n\nafter\n",
    "loose": "- a\n\n- b\n- c\n\nafter\n",
    "late_loose": "- a\n- b\n- c\n- d\n\n- e\n- f\n",
    "loose_inside": "1. a\n2. b\n\n   second paragraph\n3. c\n4. d\n",
    "nested": "- a\n  - b\n    - c\n      1. d\n      2. e\n  - f\n\n    para\n- g\n* other\n* list\n\n7. seven\n8. eight\n",
    "lazy": "- a\nlazy\n- b\n> quote\nlazy\n\n> > nested\n> - list\n> - two\n",
    "blank_items": "-\n- a\n-\n\n- b\n-\n\n  text\n",
    "tasks": "- [ ] open\n- [x] done\n- [X] too\n- [] no\n- [ ]no\n",
    "fences": "```python\ndef f(x):\n    return x  # comment\n```\nafter\n~~~\nplain <b>\n```\nstill\n~~~\n````md\n```\ninner\n```\n````\n",
    "fence_open": "text\n```js\nconst a = 1;\n  // open\n``",
    "fence_indented": "  ```py\n  def f():\n      pass\n   x\n ```\nend\n",
    "fence_in_list": "1. first\n   ```python\n   x = 1\n\n   y = 2\n   ```\n2. second\n\n   ~~~\n   a\n   ~~~\n   tail\n- ```sh\n  ls\n",
    "fence_unclosed_list": "- ```\n  in\nout\n",
    "fence_empty": "```\n```\n\n```py\n\n\n```\n",
    "fence_tilde_marks": "~~~ruby\n``` not the end\n~~\n~~~~  \nafter\n",
    "table": "| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | `x|y` |\n| 4 |\nlast row\n\nafter\n",
    "table_then_list": "intro\na | b\n--|--\n1 | 2\n3 | 4\n- item\n- item 2\n",
    "table_only_head": "| a |\n|---|\n\ntext\n\n| b |\n|---|\n",
    "table_with_refs": "| a |\n|---|\n| [x] |\n| [y] |\n\n[x]: /x\n[y]: /y\n",
    "refs_before": "[foo]: https://example.org 'title'\n\nSee [foo] and [foo][] and [bar][foo].\n",
    "refs_after": "See [foo] and ![pic][foo].\n\nAnother [foo].\n\n- [foo]\n- b\n\n[foo]: https://example.org\n",
    "refs_split": 'a [b]\n\n[b]:\n/url\n"title\nmore"\n\n[c]: <x y>\n[d]: /d\n[e]: /e\n\n[b] [c] [d] [e]\n',
    "html": "<script>alert(1)</script>\n\n<div onclick='x'>\n*a* <b>b</b> <!-- c --> &amp; &copy; &#0; &lt;\n</div>\n",
    "crlf": "para\r\nsecond\r\n\r\n- a\r\n- b\r\n\r\n```py\r\nx = 1\r\n```\r\n| a |\r\n|---|\r\n| 1 |\r\nend\r",
    "cr_only": "a\rb\r\r# c\r- d\r- e\r\r",
    "unicode": "𝒜stral 😀 *é*\u0301 𐍈\n\n- 😀 one\n- 🏳️‍🌈 two\n\n```\n😀 = 1\n```\n\n| 😀 |\n|--|\n| 𝒜 |\n\nטקסט عربي \u202eevil\u202c \u2067x\n",
    "controls": "a\x1b[31mred\x1b[0m \x00 nul \x07 \x7f \x9b bell\ttab\x0b\x0c\n\n`\x1b]8;;http://x\x07` \ud800 lone\n",
    "escapes": "\\*not\\* \\[a](b) \\\\ a\\\nb  \nc `` ` `` *a **b* c** _x_y_ ***z***\n",
    "images": "![alt](https://evil.example/?x) ![p](data:image/png;base64,AAAA) [![in](a.png)](/b) ![s](data:image/svg+xml;base64,AAAA)\n",
    "links": "[a](javascript:alert(1)) <javascript:x> <https://ok.example> [b](vbscript:x) [c](DATA:text/html,x) [d](#f) [e](../p) <m@x.org>\n",
    "code_indented": "para\n\n    code <b>\n\n    more\n\ntext\n\tcont\n\n\ttab code\n",
    "long_paragraph": "word *emphasis* and `code` with [a link](http://x) " * 80 + "\n\nend\n",
    "long_quote": "".join(f"> line {i} of a *long* quotation\n" for i in range(120)),
    "long_nested": "- top\n" + "".join(f"  - item {i} `x`\n" for i in range(150)) + "- second\n",
    "long_list": "".join(f"{i}. item *{i}*\n" for i in range(1, 120)) + "\ntext\n",
    "long_table": "| n | s |\n|--:|---|\n" + "".join(f"| {i} | `r{i}` |\n" for i in range(120)),
    "math": "Let $x_1*y*z_2$ and \\(a_b*c*d\\) be\n$$\ny = x^2\n- 1\n$$\nand $$z$$ too, \\[ q \\] there.\n\n\\[\na\n\n= b\n+ c\n\\]\nend\n",
    "math_in_blocks": "- item $a$\n- $$\n  b\n  $$\n- c\n\n> \\[\n> d\n> \\]\n> $e$\n\n| $f$ | g |\n|---|---|\n| \\(h\\) | $$i$$ |\n\n# Title $j$\n",
    "math_open": "text\n\n$$\na_1 *b* _c_\nd\n",
    "math_open_in_list": "- a\n  $$\n  b *c*\n- d\n  \\[\n  e\n\nf\n",
    "math_none": "It costs $5 and $10, US$3 or $5-$6. $HOME/$USER, $$ a\n$$ b\n\n$$\n\n\\[a\\](b) $x`y$z` $ a $ $5 or 10$. \\(\n\n\\) $unclosed *a* \\( b\n",
    "math_bad": "$\\frac$ and $$\\nosuch{x}$$\n\n$$\n\\begin{matrix}\n$$\n",
    "long_math": "".join(f"$x_{{{i}}}$ is *{i}* and " for i in range(40)) + "\n\n$$\n" + "x + " * 60 + "y\n$$\n\nend\n",
    "trailing": "text   \n\n\n\n  \n",
    "empty": "",
    "blank": "\n\n  \n",
    "definitions_only": "[a]: /b\n[c]: /d",
}


def chunks(text: str, rng: random.Random, longest: int) -> list[str]:
    """Split the text at random places."""
    pieces = []
    while text:
        size = rng.randint(1, longest)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def long_document(size: int, seed: int = 1) -> str:
    """Return an answer with prose, code, tables and long lists, of about `size` characters."""
    rng = random.Random(seed)
    words = [
        "the",
        "model",
        "writes",
        "a",
        "long",
        "answer",
        "about",
        "arrays,",
        "frames",
        "*and*",
        "**plots**",
        "with",
        "`code()`",
        "[links](https://e.org)",
        "é",
        "😀",
    ]
    sentence = lambda n: " ".join(rng.choice(words) for _ in range(n))  # noqa: E731
    makers = [
        lambda: sentence(70) + "\n\n",
        lambda: f"## {sentence(5)}\n\n",
        lambda: "".join(f"- {sentence(9)}\n" for _ in range(40)) + "\n",
        lambda: "".join(f"{i}. {sentence(9)}\n" for i in range(1, 40)) + "\n",
        lambda: (
            "| a | b | c |\n|---|--:|---|\n" + "".join(f"| {i} | {sentence(2)} | `v{i}` |\n" for i in range(40)) + "\n"
        ),
        lambda: (
            "```python\n"
            + "".join(f"def function_{i}(x: int) -> str:\n    return f'{{x}}' + str({i})  # note\n" for i in range(25))
            + "```\n\n"
        ),
        lambda: "> " + sentence(30) + "\n\n",
    ]
    text = ""
    while len(text) < size:
        text += makers[rng.randrange(len(makers))]()
    return text[:size]
