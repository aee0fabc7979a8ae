r"""Formulas: what is one and what is a price, what a page gets of it, and what hostile ones do."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time

import pytest
from rich.console import Console

from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markdown.formula import formula_html
from opencode_nb.render.markdown.math_rules import MAX_TEX
from opencode_nb.render.markdown.stream import MarkdownStream
from opencode_nb.render.turn.page import turn_markdown, turn_text
from opencode_nb.render.turn.terminal import turn_terminal
from tests.render.page_model import Node, Page, parse
from tests.render.turns import turn


def formulas(text: str) -> list[tuple[str, str]]:
    """Return the TeX of each formula, and how it is displayed."""
    found = [node for node in parse(to_html(text)).walk() if node.tag == "math"]
    return [(str(node.attrs["alttext"]), str(node.attrs.get("display") or "inline")) for node in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Let $x$ be", [("x", "inline")]),
        (r"Let \(x_1\) be", [("x_1", "inline")]),
        ("$$x$$", [("x", "block")]),
        ("$$\nx\n= 1\n$$", [("x\n= 1", "block")]),
        ("\\[\nx\n\n- y\n\\]", [("x\n\n- y", "block")]),
        ("so\n$$\na\n+ b\n$$\nfollows", [("a\n+ b", "block")]),
        ("so $$a$$ follows", [("a", "block")]),
        (r"so \[ a \] follows", [("a", "block")]),
        ("- $a$\n- b\n  $$\n  c\n  $$", [("a", "inline"), ("c", "block")]),
        ("> \\[\n> d\n> \\]", [("d", "block")]),
        ("| $a$ |\n|---|\n| $b$ |", [("a", "inline"), ("b", "inline")]),
        ("($n$-th, $2$, $x=10$)", [("n", "inline"), ("2", "inline"), ("x=10", "inline")]),
        (r"$a \$ b$", [(r"a \$ b", "inline")]),
        (r"\(a \sim (b)\)", [(r"a \sim (b)", "inline")]),
    ],
)
def test_formulas_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert formulas(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "US$3, AU$4",
        "from $5-$10 or $5/$6",
        "I have $5. You have 10$.",
        "echo $HOME/$USER:$PATH",
        "$a, $b, and $c",
        "a $ b $ c",
        "5$ and 6$",
        r"\$x\$",
        "`$x$`",
        "    $x$",
        "```\n$x$\n```",
        "$a `b$ c`",
        "[$5](a) or [6$](b)",
        r"\[1\] and \[2\]",
        "$$\n\nx",
        "$",
        "$$",
        r"\(",
        r"\( \)",
        "$x" + "y" * MAX_TEX + "$",
    ],
)
def test_prices_variables_and_code_are_not_formulas(text: str) -> None:
    assert formulas(text) == []
    assert "<annotation" not in to_html(text)


def test_prices_are_shown_as_they_are_written() -> None:
    text = "It costs $5 and $10, US$3; in $HOME/$USER."
    assert parse(to_html(text)).text == text


def test_a_formula_is_mathml_with_its_tex() -> None:
    html = to_html(r"$\frac{a}{b} < c$")
    (math,) = [node for node in parse(html).walk() if node.tag == "math"]
    assert {"mfrac", "mi", "mo"} <= {node.tag for node in math.walk()}
    (tex,) = [node for node in math.walk() if node.tag == "annotation"]
    assert (tex.attrs["encoding"], tex.text) == ("application/x-tex", r"\frac{a}{b} < c")
    assert math.attrs["alttext"] == r"\frac{a}{b} < c"


def _without_mathml(html: str) -> Node:
    """Return what JupyterLab leaves in a notebook that is not trusted: no MathML, no var(), no such size."""
    kept = re.sub(r"</?(?:math|semantics|annotation|m[a-z]+)\b[^>]*>", "", html)
    return parse(re.sub(r"(?:[a-z-]+:var\([^)]*\)|(?:inline|block)-size:0|overflow:clip);?", "", kept))


def test_the_tex_is_readable_without_mathml() -> None:
    """And not the letters that were in the MathML."""
    tree = _without_mathml(to_html("Let $x^2$ be"))
    hidden = [node for node in tree.walk() if "display:none" in str(node.attrs.get("style") or "")]
    assert [node.text for node in hidden] == ["x2x^2"]
    (shown,) = [node for node in tree.walk() if "mathjax_process" in str(node.attrs.get("class") or "")]
    assert shown.text == "$x^2$"
    assert shown.attrs["style"] == "display:inline-block;white-space:nowrap;line-height:1.5"


@pytest.mark.parametrize(
    "source", [r"$\frac$", r"\(\nosuch{x}\)", r"$\href{javascript:alert(1)}{x}$", "$x}$", r"$\cancel{x}$"]
)
def test_invalid_inline_math_shows_its_source(source: str) -> None:
    (code,) = [node for node in parse(to_html(f"so {source} there")).walk() if node.tag == "code"]
    assert code.text == source


def test_an_invalid_math_block_shows_its_source() -> None:
    (block,) = [node for node in parse(to_html("$$\n\\nosuch\n$$")).walk() if node.tag == "pre"]
    assert block.text == "$$\n\\nosuch\n$$"


DEEP = r"""
import threading
from opencode_nb.render.markdown.formula import formula_html
WORST = ["{" * 50 + "x" + "}" * 50, r"\color{red}{" * 50 + "x" + "}" * 50, r"\sqrt" * 790 + "x", r"\hat" * 990 + "x",
         r"\frac1" * 660 + "x", r"a\left(" * 300 + r"\right)" * 200, r"\begin{matrix}" * 150 + r"\end{matrix}" * 150,
         r"\sqrt[" * 600, (r"{" + r"\hat\sqrt" * 8) * 50 + "x" + "}" * 50]
threading.stack_size(2 << 20)
thread = threading.Thread(target=lambda: [formula_html(tex[:4000], display=True) for tex in WORST])
thread.start()
thread.join()
print("alive")
"""


@pytest.mark.not_quick
def test_no_formula_overflows_the_stack() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, check=False)
    assert done.stdout == "alive\n", done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "$" + "x" * 100_000 + "$",
        "$x " * 30_000,
        "$$ a\n" * 20_000,
        "\\[ a\n" * 16_000,
        r"\( a " * 20_000,
        "$x$" * 30_000,
        "\\" * 100_000 + "$",
        "$$" * 50_000,
        "$" + "'" * (MAX_TEX - 1) + "$",
    ],
    ids=["one", "dollars", "blocks", "squares", "rounds", "pairs", "backslashes", "doubles", "primes"],
)
@pytest.mark.not_quick
def test_many_or_long_formulas_convert_in_linear_time(text: str) -> None:
    start = time.process_time()
    to_html(text)
    assert time.process_time() - start < 5


@pytest.mark.not_quick
def test_the_converter_is_imported_with_the_first_formula() -> None:
    code = "import sys; from opencode_nb.render.markdown.convert import to_html; to_html('a *b* $5 and $6'); "
    code += "print('math_core' in sys.modules); to_html('$x$'); print('math_core' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    "text", ["Let $x_1*y*z_2$ be", r"Let \(x_1*y*z_2\) be", "Let $$x_1*y*z_2$$ be", "$$\nx_1\n- *y*\n+ z\n$$"]
)
def test_an_unfinished_formula_is_shown_as_it_is_written(text: str) -> None:
    """Read as Markdown it would turn into emphasis and lists, and back."""
    page, growing = Page('<div data-key="k"></div>'), MarkdownStream("k")
    closing = len(text.rstrip(" be")) - 2
    for end in range(1, closing):
        page.apply(growing.update(text[:end]))
        shown = page.html("k")
        assert not re.search("<(em|ul|math)", shown)
        if end > text.index("_"):
            assert parse(shown).text.replace("&#42;", "*").strip().endswith(text[:end].split("\n")[-1].strip())
    page.apply(growing.update(text, final=True))
    assert page.html("k").count("<math") == 1


def test_the_other_forms_keep_the_tex() -> None:
    text = "Let $x_1*y*z$ be \\(a_b\\):\n\n$$\n\\frac{a}{b} \\\\\n*c*\n$$"
    state = turn({"type": "text", "text": text})
    assert text in turn_markdown(state)
    assert text in turn_text(state)
    printed = io.StringIO()
    Console(file=printed, width=80, color_system=None).print(turn_terminal(state))
    for piece in ("$x_1*y*z$", r"\(a_b\)", "\\frac{a}{b} \\\\", "*c*"):
        assert piece in printed.getvalue()


def test_equations_are_not_numbered_but_by_their_tags() -> None:
    numbered = parse(formula_html(r"\begin{align} a &= b \end{align}", display=True))
    assert "(1)" not in numbered.text
    tagged = [node.text for node in parse(formula_html(r"a = b \tag{7}", display=True)).walk() if node.tag == "mtext"]
    assert tagged == ["(7)"]
