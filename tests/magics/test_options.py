"""How the magics' lines are parsed, and the errors for wrong ones."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from opencode_nb import cli
from opencode_nb.magics.code import code_of, run_code
from opencode_nb.magics.options import MagicParser, parse_code, prompt_parser
from opencode_nb.magics.typed.words import plain, typed


def test_options_have_their_defaults() -> None:
    options = prompt_parser().parse_line("")
    assert vars(options) == {
        "model": None,
        "agent": None,
        "variant": None,
        "effort": None,
        "session": None,
        "new": False,
        "of_agent": None,
        "output": None,
        "file": [],
        "image": [],
        "privacy": None,
        "no_kernel": False,
        "cells": None,
        "permission": None,
        "timeout": None,
        "record": None,
        "replay": None,
        "max_cost": None,
        "max_steps": None,
        "background": False,
        "quiet": False,
        "retry": None,
        "verify": False,
        "schema": None,
    }


PYTHON, R, PLAIN = "```python\na = 1\n```\n", "```{r}\nb <- 1\n```\n", "```\nc = 1\n```\n"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(PYTHON + PLAIN, "a = 1"), (PLAIN + R, "c = 1"), (R, ""), (PLAIN + PLAIN, "c = 1\n\nc = 1"), ("```\nd = 1", "")],
)
def test_code_without_a_language_counts_where_none_is_labelled_python(answer: str, code: str) -> None:
    assert code_of(answer) == code


def test_an_opencode_cell_refuses_verify() -> None:
    options, instruction = parse_code("--verify Make it faster")
    nothing: Any = None
    with pytest.raises(UsageError, match=r"%opencode verify"):
        run_code(nothing, nothing, options, instruction, "a = 1")


def test_all_options_are_parsed() -> None:
    options = prompt_parser().parse_line(
        "-m demo/a/b -a plan --variant high --effort max --new -o turn -f a.py:3-9 --file 'two words.csv' "
        "--permission deny --timeout 2.5 -b -q -i fig -i 'plot.png' --privacy schema --no-kernel "
        '--schema Literal["a","b"]'
    )
    assert (options.model, options.agent, options.variant, options.new) == ("demo/a/b", "plan", "high", True)
    assert (options.output, options.file) == ("turn", ["a.py:3-9", "two words.csv"])
    assert (options.effort, options.schema) == ("max", 'Literal["a","b"]')
    assert prompt_parser().parse_line("--schema 'list[int | None]'").schema == "list[int | None]"
    assert (options.image, options.privacy, options.no_kernel) == (["fig", "plot.png"], "schema", True)
    assert (options.permission, options.timeout, options.background, options.quiet) == ("deny", 2.5, True, True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--modle demo/demo", "unrecognized arguments: --modle demo/demo. Did you mean --model?"),
        ("--mod demo/demo", "unrecognized arguments: --mod demo/demo. Did you mean --model?"),
        ("-new", "unrecognized arguments: -new. Did you mean --new?"),
        ("--fiel=a.py", "unrecognized arguments: --fiel=a.py. Did you mean --file?"),
        ("--colour", "unrecognized arguments: --colour. %%prompt?"),
        ("-d", "unrecognized arguments: -d. %%prompt?"),
        ("explain this", "unrecognized arguments: explain this. %%prompt?"),
        ("-m", "argument -m/--model: expected one argument"),
        ("-o 2x", "'2x' is not a variable name"),
        ("-o a.b", "'a.b' is not a variable name"),
        ("--timeout soon", "'soon' is not a number of seconds above 0"),
        ("--timeout 0", "'0' is not a number"),
        ("--timeout nan", "'nan' is not a number"),
        ("--max-cost 0", "'0' is not an amount in USD above 0"),
        ("--max-steps 1.5", "'1.5' is not a whole number above 0"),
        ("--permission maybe", "invalid choice: 'maybe' (choose from"),
        ("""--permission '{"bsh": "deny"}'""", "there is no 'bsh'. Did you mean 'bash'?"),
        ("""--permission '{"bash": "no"}'""", "a rule is one of ask, allow, deny"),
        ("""--permission '{"bash": "deny", "bash": "allow"}'""", "two rules for 'bash'"),
        ("--permission {bash:deny}", "is not JSON: use ask, edits, plan, allow, deny"),
        ("--new -s ses_1", "not allowed with argument"),
    ],
)
def test_a_wrong_line_gives_one_line_with_the_next_step(line: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        prompt_parser().parse_line(line)
    message = str(raised.value)
    assert message.startswith("%%prompt: ")
    assert says in message
    assert message.endswith("%%prompt? lists the options; -- ends them, before a prompt that starts with a dash.")
    assert "\n" not in message


def test_permission_rules_are_parsed() -> None:
    line = """--permission '{"write": "deny", "bash": {"git *": "allow", "*": "ask"}}'"""
    rules = {"write": "deny", "bash": {"git *": "allow", "*": "ask"}}
    assert prompt_parser().parse_line(line).permission == rules
    assert cli._parser().parse_args(["ask", *shlex.split(line), "go"]).permission == rules


def test_an_apostrophe_is_not_a_quote() -> None:
    assert prompt_parser().parse_line("-f it's.txt").file == ["it's.txt"]
    assert prompt_parser().parse_line('-f "it\'s here.txt"').file == ["it's here.txt"]
    assert prompt_parser().parse_line("-f Bob's -f Al's").file == ["Bob's", "Al's"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  one\ttwo ", ["one", "two"]),
        ("two\\ words.txt", ["two words.txt"]),
        ("'two words' \"three 'more' words\"", ["two words", "three 'more' words"]),
        (r'"a \"quoted\" word" \\', ['a "quoted" word', "\\"]),
        ('--file="two words.csv" x/"and more"', ["--file=two words.csv", "x/and more"]),
        ("""--permission='{"bash": "deny"}'""", ['--permission={"bash": "deny"}']),
        ("it's Bob's", ["it's", "Bob's"]),
        ('the 12" screen', ["the", '12"', "screen"]),
        ("'tis 5 o'clock", ["'tis", "5", "o'clock"]),
        ('never "closed', ["never", '"closed']),
        ('""', [""]),
        ("ends with \\", ["ends", "with", "\\"]),
    ],
)
def test_a_line_is_split_into_words(line: str, words: list[str]) -> None:
    assert [plain(word[0]) for word in typed(line)] == words


@pytest.mark.parametrize(
    ("line", "given", "text"),
    [
        ("", {}, ""),
        ("fix the bug", {}, "fix the bug"),
        ("  fix  the   bug ", {}, "fix  the   bug"),
        ("-m a/b fix the bug", {"model": "a/b"}, "fix the bug"),
        ("-m a/b -q --new", {"model": "a/b", "quiet": True, "new": True}, ""),
        ("--model=a/b -bq fix", {"model": "a/b", "background": True, "quiet": True}, "fix"),
        ("-f 'two words.txt' -f a\\ b.txt \"quoted\" text", {"file": ["two words.txt", "a b.txt"]}, '"quoted" text'),
        ("fix the -x flag", {}, "fix the -x flag"),
        ("fix it -q", {}, "fix it -q"),
        ("-q fix --new --model m", {"quiet": True}, "fix --new --model m"),
        ("don't panic", {}, "don't panic"),
        ("-q don't say \"yes", {"quiet": True}, "don't say \"yes"),
        ("what is \\alpha?", {}, "what is \\alpha?"),
        ("/review it", {}, "/review it"),
        ("!ls -a", {}, "!ls -a"),
        ("- one bullet", {}, "- one bullet"),
        ("-5 degrees", {}, "-5 degrees"),
        ("--- a rule", {}, "--- a rule"),
        ("-- -m is an option", {}, "-m is an option"),
        ("-q -- --new", {"quiet": True}, "--new"),
        ("fix a -- b", {}, "fix a -- b"),
        ("-m -- fix", {"model": None}, None),
    ],
)
def test_options_come_before_the_text(line: str, given: dict[str, Any], text: str | None) -> None:
    if text is None:
        with pytest.raises(UsageError, match="expected one argument"):
            prompt_parser().parse_with_text(line)
        return
    options, rest = prompt_parser().parse_with_text(line)
    assert rest == text
    assert vars(options) == vars(prompt_parser().parse_line("")) | given


@pytest.mark.parametrize(
    ("text", "late"),
    [
        ("fix it -q", "-q"),
        ("fix it --model a/b", "--model a/b"),
        ("-q", ""),
        ("-m a/b", ""),
        ("explain grep -f", ""),
        ("explain ls -a on Linux", ""),
        ("fix it -x", ""),
        ("", ""),
    ],
)
def test_an_option_after_the_text_is_noticed(text: str, late: str) -> None:
    assert prompt_parser().options_after(text) == late


@settings(deadline=None)
@given_any(st.text())
def test_any_text_after_the_options_is_sent_as_written(text: str) -> None:
    assert prompt_parser().parse_with_text(f"-q -- {text}")[1] == text.strip()
    assert all(isinstance(plain(word[0]), str) for word in typed(text))


def test_options_know_whether_they_take_a_value() -> None:
    parser = prompt_parser()
    taken = [parser.takes(option) for option in ("-m", "--file", "-s", "--permission", "-a")]
    assert [action and action.metavar for action in taken] == ["MODEL", "PATH", "SESSION", "RULE", "AGENT"]
    assert parser.takes("--new") is None
    assert parser.takes("--no-such") is None


def test_the_next_positional_argument_is_found() -> None:
    parser = MagicParser("%opencode test", "")
    parser.add_argument("--switch", action="store_true")
    parser.add_argument("-m", metavar="MODEL")
    parser.add_argument("first", metavar="FIRST")
    parser.add_argument("rest", nargs="*", metavar="REST")

    def after(*words: str) -> str:
        action = parser.positional(list(words))
        return str(action and action.metavar)

    assert [after(), after("--switch"), after("-m", "demo/demo")] == ["FIRST"] * 3
    assert [after("a"), after("-m", "demo/demo", "a"), after("a", "b", "c")] == ["REST"] * 3
    assert prompt_parser().positional([]) is None
