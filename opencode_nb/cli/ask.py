"""`opencode-nb ask`: a prompt on the command line. What to send, and where the answer goes."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from opencode_nb.session.permissions import option as permission_option

DESCRIPTION = """\
Send a prompt to the agent in a directory, and print its answer.

The prompt is the arguments; text that is piped in is put below it. On a terminal the whole turn is shown as it comes.
Elsewhere stdout gets the text of the answer and nothing else; tool calls, refusals and errors are lines on stderr.
With --json stdout gets one JSON object a line. Permission is asked on the terminal; without one the answer is no."""

EPILOG = """\
lines of --json, each with a "type":
  start                 session, message (its id), directory, version
  text, reasoning       part, delta: what was added to this part of the answer
  tool                  part, tool, status, title, input, output, error: when it starts, and when it has ended
  decision              permission or question, patterns, reply, by, message
  retry                 attempt, message: the provider is asked again
  end                   always the last line: status (completed, aborted, error), text, error ({type, message} or null),
                        session, message, model, agent, tokens, cost (USD), duration (s), diffs

exit codes:
  0  answered                             124  --timeout ran out; what came is printed
  1  the turn or the server failed        130  interrupted (143 by SIGTERM, 129 by SIGHUP)
  2  wrong command line                   141  nobody reads the output any more

examples:
  opencode-nb ask "Why does the test of mean() fail?"
  git diff | opencode-nb ask -m anthropic/claude-sonnet-4-5 "Write a commit message" > message.txt
  opencode-nb ask --continue --permission allow "Now fix it" --json | jq -r 'select(.type == "end").cost'"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "ask",
        help="send a prompt to the agent, and print its answer",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what the agent should do")
    parser.add_argument("-m", "--model", metavar="PROVIDER/MODEL", help="which model (default: OpenCode's own choice)")
    parser.add_argument("-a", "--agent", help="which agent: build, plan, ...")
    parser.add_argument("--variant", help="the model's variant, such as its effort: low, high, ...")
    session = parser.add_mutually_exclusive_group()
    session.add_argument(
        "-s", "--session", metavar="SESSION", help="go on in this session: id, beginning of it, or title"
    )
    session.add_argument("-c", "--continue", action="store_true", dest="last", help="go on in the latest session here")
    parser.add_argument("-f", "--file", action="append", default=[], metavar="PATH", help="attach a file; repeatable")
    parser.add_argument("-d", "--directory", type=Path, metavar="DIR", help="where the agent works (default: here)")
    parser.add_argument("--permission", **permission_option.ARGUMENT, help=f"{permission_option.HELP} (default: ask)")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="stop the turn after so long")
    parser.add_argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON lines: see below")
    output.add_argument("-i", "--interactive", action="store_true", help="a dialogue: /help in it tells more")
    parser.set_defaults(command=partial(_ask, parser))


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds: give one above 0.")
    return seconds


def _ask(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from opencode_nb.cli.asking import Asking

    if options.interactive and not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
        parser.error("a dialogue (-i) needs a terminal: leave -i out to pipe text through it")
    prompt = _prompt(options.prompt)
    if not (prompt or options.interactive):
        parser.error('the prompt is empty: opencode-nb ask "What is in this directory?"')
    try:
        asking = Asking(options)
    except ValueError as error:
        parser.error(str(error))
    return asking.dialogue(prompt) if options.interactive else asking.once(prompt)


def _is_terminal(stream: object) -> bool:
    return stream is not None and bool(getattr(stream, "isatty", lambda: False)())


def _prompt(words: list[str]) -> str:
    """The words, and below them what is piped in."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else _read(sys.stdin)
    return "\n\n".join(text for text in (" ".join(words).strip(), piped.strip("\n")) if text.strip())


def _read(stream: object) -> str:
    """All of it, whatever bytes it holds."""
    raw = getattr(stream, "buffer", None)
    return raw.read().decode("utf-8", errors="replace") if raw else str(stream.read())  # type: ignore[attr-defined]
