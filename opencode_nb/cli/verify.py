"""`opencode-nb verify`: run a notebook from the top in a fresh kernel, and report what it does otherwise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from opencode_nb.cli.ask import seconds

DESCRIPTION = """\
Run a copy of a notebook from the top in a fresh kernel, in the notebook's directory, and report by cell what raises,
what differs from its saved outputs, and what depends on hidden state or on the order of the cells. Prompts to the agent
are not run again. Cells may change files or call services: you are asked first, unless --yes is given.

The exit code is 0 if the notebook is sound, else 1."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of `verify`."""
    parser = commands.add_parser(
        "verify",
        help="run a notebook from the top in a fresh kernel, and report what it does otherwise",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the notebook's file")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop a cell after this many seconds")
    parser.add_argument("--total", type=seconds, metavar="SECONDS", help="run no more cells after this many seconds")
    parser.add_argument("--yes", action="store_true", help="run the cells without asking")
    parser.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from opencode_nb.cli.ending import ending_signals
    from opencode_nb.verify.limits import CELL_TIMEOUT, TOTAL_TIMEOUT, Limits
    from opencode_nb.verify.verify import verify

    if not options.yes:
        _ask(options.path)
    limits = Limits(options.timeout or CELL_TIMEOUT, options.total or TOTAL_TIMEOUT)
    with ending_signals():
        report = verify(options.path, limits, _say)
    if sys.stdout.isatty():
        Console().print(report)
    else:
        print(report)
    return 0 if report.ok else 1


def _ask(path: Path) -> None:
    from opencode_nb.errors import OpencodeError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise OpencodeError(f"Nobody can be asked here whether to run the cells of {path}: pass --yes to run them.")
    print(f"Run the cells of {path} in a fresh kernel, without its prompts? They may change files or call services.")
    if input("[y]es / [n]o: ").strip().lower() not in ("y", "yes"):
        raise OpencodeError("The notebook was not run.")


def _say(step: str) -> None:
    print(f"{step}…", file=sys.stderr, flush=True)
