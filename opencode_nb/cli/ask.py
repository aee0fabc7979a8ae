"""`opencode-nb ask`: parse its command line, read the prompt, and start the turn or the dialogue."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from opencode_nb.session.permissions import option as permission_option

DESCRIPTION = """\
Send a prompt to the agent in a directory, and print its answer.

The arguments form the prompt; piped text is appended to it. On a terminal, the whole turn is shown as it streams.
Otherwise stdout gets only the text of the answer; tool calls, refusals and errors go to stderr, one per line. With
--json, stdout gets one JSON object per line. Permission is asked for on the terminal, and denied if there is none."""

EPILOG = """\
lines of --json, each with a "type":
  start                 session, message (its id), directory, version
  text, reasoning       part, delta: text added to this part of the answer
  tool                  part, tool, status, title, input, output, error: once when it starts, once when it ends
  decision              permission or question, patterns, reply, by, message
  retry                 attempt, message: the request to the provider is retried
  end                   always the last line: status (completed, aborted, error), text, error ({type, message} or null),
                        session, message, model, agent, tokens, cost (USD), duration (s), diffs

exit codes:
  0  answered                             124  --timeout ran out; the partial answer is printed
  1  the turn or the server failed        130  interrupted (143 by SIGTERM, 129 by SIGHUP)
  2  wrong command line                   141  the reader of the output closed it
  3  a --max-... limit stopped the turn; the partial answer is printed

examples:
  opencode-nb ask "Why does the test of mean() fail?"
  git diff | opencode-nb ask -m anthropic/claude-sonnet-4-5 "Write a commit message" > message.txt
  opencode-nb ask --continue --permission allow "Now fix it" --json | jq -r 'select(.type == "end").cost'"""


_LIMITS = (
    ("--max-cost", float, "USD", "above this cost; a step's cost is known only when it has ended"),
    ("--max-tokens", int, "N", "above this number of tokens of all kinds"),
    ("--max-steps", int, "N", "after this many steps of the model"),
    ("--max-tools", int, "N", "after this many steps that called tools, and the answer to them"),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of `ask`."""
    parser = commands.add_parser(
        "ask",
        help="send a prompt to the agent, and print its answer",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what the agent should do")
    parser.add_argument(
        "-m",
        "--model",
        metavar="PROVIDER/MODEL",
        help="model to use (default: from OpenCode's configuration, or last used in its terminal UI)",
    )
    parser.add_argument("-a", "--agent", help="agent to use: build, plan, ...")
    parser.add_argument("--variant", help="variant of the model, such as its reasoning effort: low, high, ...")
    parser.add_argument("--effort", metavar="EFFORT", help="none, low, medium, high or max: the nearest variant")
    session = parser.add_mutually_exclusive_group()
    session.add_argument(
        "-s", "--session", metavar="SESSION", help="continue this session (id, start of an id, or title)"
    )
    session.add_argument(
        "-c", "--continue", action="store_true", dest="last", help="continue the latest session in this directory"
    )
    parser.add_argument("-f", "--file", action="append", default=[], metavar="PATH", help="attach a file; repeatable")
    parser.add_argument(
        "-d", "--directory", type=Path, metavar="DIR", help="the agent's working directory (default: the current one)"
    )
    parser.add_argument("--permission", **permission_option.ARGUMENT, help=f"{permission_option.HELP} (default: ask)")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop the turn after this many seconds")
    for name, kind, metavar, what in _LIMITS:
        parser.add_argument(name, type=kind, metavar=metavar, help=f"stop the turn {what}")
    server = parser.add_mutually_exclusive_group()
    server.add_argument(
        "--url",
        metavar="URL",
        help="connect to a running server; its password comes from $OPENCODE_SERVER_PASSWORD, or you are asked",
    )
    server.add_argument("--port", type=int, metavar="N", help="start a server of its own at this port; 0 is a free one")
    parser.add_argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON lines (described below)")
    output.add_argument(
        "-i", "--interactive", action="store_true", help="start a dialogue; type /help in it for its commands"
    )
    parser.set_defaults(command=partial(_ask, parser))


def seconds(text: str) -> float:
    """Parse an option that takes seconds. Raises ValueError."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0.")
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
    """Join the words, and append the piped text below them."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else _read(sys.stdin)
    return "\n\n".join(text for text in (" ".join(words).strip(), piped.strip("\n")) if text.strip())


def _read(stream: object) -> str:
    """Read everything, replacing bytes that are not UTF-8."""
    raw = getattr(stream, "buffer", None)
    return raw.read().decode("utf-8", errors="replace") if raw else str(stream.read())  # type: ignore[attr-defined]
