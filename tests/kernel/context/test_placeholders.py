"""Values in the text of a prompt: `{{expr}}` is replaced, and nothing else is."""

from __future__ import annotations

import re
import sys

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context.expressions import LONGEST, evaluate, in_text
from opencode_nb.kernel.context.placeholders import BROUGHT, acted_on, fill
from opencode_nb.secret import MASK, Secret


def shown(expression: str) -> str:
    return f"<{expression}>"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Mean {{x.mean()}}, {{ n }}.", "Mean <x.mean()>, <n>."),
        ("{{a}}{{b}}", "<a><b>"),
        ("{{ {'a': {'b': 1}}['a'] }}", "<{'a': {'b': 1}}['a']>"),
        ("{{{1: {2: 3}}}}", "<{1: {2: 3}}>"),
        ('{{f"{a}{{b}}"}}', '<f"{a}{{b}}">'),
        ("{{{{", "{{"),
        ("{{{{x}} stays", "{{x}} stays"),
        ("{{{{x}}}} stays", "{{x}} stays"),
        ("{{{{a}}}} {{{{b}} {{c}}", "{{a}} {{b}} <c>"),
        ("`{{x}}` and\n```jinja\n{{ y }} {{{{\n```\n{{z}}", "`{{x}}` and\n```jinja\n{{ y }} {{{{\n```\n<z>"),
        ("{{}} {{ }} {{ open", "{{}} {{ }} {{ open"),
        ("{{ over\nlines }}", "{{ over\nlines }}"),
        ('{"a": {"b": {}}} {% if x %} ${x} {x}', '{"a": {"b": {}}} {% if x %} ${x} {x}'),
        ("{{ user | }} and {{ x }}", "<user |> and <x>"),
    ],
)
def test_expressions_in_prose_are_replaced(text: str, filled: str) -> None:
    assert fill(text, shown).text == filled


def test_what_a_value_brings_is_taken_for_nothing_else() -> None:
    filled = fill("See {{a}}, @df and {{b}}.", {"a": "{{b}} @secret", "b": "`"}.__getitem__)
    assert filled.text == "See {{b}} @secret, @df and `."
    assert filled.typed == f"See {BROUGHT * 13}, @df and {BROUGHT}."


@given(st.text(alphabet=st.characters() | st.sampled_from("{}` \n")).filter(lambda text: "{{" not in text))
def test_a_text_without_a_placeholder_is_not_altered(text: str) -> None:
    assert fill(text, shown) == (text, text)


@given(st.text(alphabet="{}ab`\n \"'1:"), st.text(alphabet="{}@`x\n"))
def test_what_was_typed_and_what_is_sent_have_the_same_places(text: str, value: str) -> None:
    filled = fill(text, lambda _expression: value)
    assert len(filled.text) == len(filled.typed)
    for sent, typed in zip(filled.text, filled.typed, strict=True):
        assert typed in (sent, BROUGHT)


FRAME = pandas.DataFrame({"city": ["Oslo"], "rain": [763]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        (3, "3"),
        (1.5, "1.5"),
        (numpy.float64(2.5), "2.5"),
        (numpy.int8(2), "2"),
        (True, "True"),
        (None, "None"),
        (["Oslo", 1], "['Oslo', 1]"),
        ({"a": (1, 2)}, "{'a': (1, 2)}"),
    ],
)
def test_short_values_read_as_part_of_the_sentence(value: object, text: str) -> None:
    (piece,) = in_text("x", value).pieces
    assert piece.text == text


def test_other_values_are_described() -> None:
    (piece,) = in_text("frame", FRAME).pieces
    assert "`frame` in the notebook's kernel is a `pandas.DataFrame`, 1 rows, 2 columns" in piece.text
    assert "Oslo" in piece.text


@pytest.mark.parametrize(
    ("expression", "value"),
    [("api_key", "hunter2"), ("config.password", "hunter2"), ("env['TOKEN']", "hunter2"), ("it", Secret("hunter2"))],
)
def test_a_secret_is_masked_by_its_name(expression: str, value: object) -> None:
    (piece,) = in_text(expression, value).pieces
    assert piece.text == MASK


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(OpencodeError, match=r"{{x}} has 1,000,001 characters.* -f"):
        in_text("x", "a" * (LONGEST + 1))


@pytest.mark.parametrize(
    ("expression", "says"),
    [("nothing", "NameError"), ("1 +", "SyntaxError"), ("1 / 0", "division by zero"), ("stop(3)", "SystemExit")],
)
def test_what_cannot_be_evaluated_is_named(expression: str, says: str) -> None:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}), user_ns={"stop": sys.exit})
    with pytest.raises(OpencodeError, match=f"^{re.escape('{{' + expression + '}}')}: .*{says}.*Nothing was sent"):
        evaluate(shell, expression, f"{{{{{expression}}}}}")


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("{{x}} and !`ls` @a.py", "12 of 3@4.de", ""),
        ("{{x}}", "see !`rm -r .` there", "!`rm -r .`"),
        ("!{{x}} y`", "`rm -r", "!`rm -r y`"),
        ("!{{x}}", "`rm -r .`", "!`rm -r .`"),
        ("{{x}}", "of @secrets.txt", "@secrets.txt"),
        ("@{{x}}", "secrets.txt", "@secrets.txt"),
        ("@a{{x}}", "/../b", "@a/../b"),
        ("`{{x}}`", "!`ls`", ""),
    ],
)
def test_a_command_does_not_act_on_what_a_value_brought(text: str, value: str, found: str) -> None:
    assert acted_on(fill(text, lambda _expression: value)) == found
