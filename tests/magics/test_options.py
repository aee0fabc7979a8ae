"""How the magics' lines are parsed, and the errors for wrong ones."""

from __future__ import annotations

import shlex

import pytest
from IPython.core.error import UsageError

from opencode_nb import cli
from opencode_nb.magics.options import MagicParser, prompt_parser


def test_options_have_their_defaults() -> None:
    options = prompt_parser().parse_line("")
    assert vars(options) == {
        "model": None,
        "agent": None,
        "variant": None,
        "session": None,
        "new": False,
        "output": None,
        "file": [],
        "permission": None,
        "timeout": None,
        "background": False,
        "quiet": False,
    }


def test_all_options_are_parsed() -> None:
    options = prompt_parser().parse_line(
        "-m demo/a/b -a plan --variant high --new -o turn -f a.py:3-9 --file 'two words.csv' --permission deny "
        "--timeout 2.5 -b -q"
    )
    assert (options.model, options.agent, options.variant, options.new) == ("demo/a/b", "plan", "high", True)
    assert (options.output, options.file) == ("turn", ["a.py:3-9", "two words.csv"])
    assert (options.permission, options.timeout, options.background, options.quiet) == ("deny", 2.5, True, True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--modle demo/demo", "unrecognized arguments: --modle demo/demo"),
        ("--mod demo/demo", "unrecognized arguments: --mod"),
        ("explain this", "unrecognized arguments: explain this"),
        ("-m", "argument -m/--model: expected one argument"),
        ("-o 2x", "'2x' is not a variable name"),
        ("-o a.b", "'a.b' is not a variable name"),
        ("--timeout soon", "'soon' is not a number of seconds above 0"),
        ("--timeout 0", "'0' is not a number"),
        ("--timeout nan", "'nan' is not a number"),
        ("--permission maybe", "invalid choice: 'maybe' (choose from"),
        ("""--permission '{"bsh": "deny"}'""", "there is no 'bsh'. Did you mean 'bash'?"),
        ("""--permission '{"bash": "no"}'""", "a rule is one of ask, allow, deny"),
        ("""--permission '{"bash": "deny", "bash": "allow"}'""", "two rules for 'bash'"),
        ("--permission {bash:deny}", "is not JSON: use ask, allow, deny"),
        ("--new -s ses_1", "not allowed with argument"),
    ],
)
def test_a_wrong_line_gives_one_line_with_the_next_step(line: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        prompt_parser().parse_line(line)
    message = str(raised.value)
    assert message.startswith("%%prompt: ")
    assert says in message
    assert message.endswith("%%prompt? lists the options; write the prompt itself below this line.")
    assert "\n" not in message


def test_permission_rules_are_parsed() -> None:
    line = """--permission '{"write": "deny", "bash": {"git *": "allow", "*": "ask"}}'"""
    rules = {"write": "deny", "bash": {"git *": "allow", "*": "ask"}}
    assert prompt_parser().parse_line(line).permission == rules
    assert cli._parser().parse_args(["ask", *shlex.split(line), "go"]).permission == rules


def test_an_apostrophe_is_not_a_quote() -> None:
    assert prompt_parser().parse_line("-f it's.txt").file == ["it's.txt"]
    assert prompt_parser().parse_line('-f "it\'s here.txt"').file == ["it's here.txt"]


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
