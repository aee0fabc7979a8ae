"""The `opencode-nb` command: parse, make one call, report the result.

Each command has its own file, which adds its parser (`add`) and imports what the command needs only when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from opencode_nb.cli import ask, doctor, install, quickstart, verify
from opencode_nb.cli.ending import INTERRUPTED, Ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: this process's) and return the exit code.

    0: done; 1: failed, with the reason on stderr; 2: wrong command line; 130: interrupted. `ask` has more codes.
    """
    from opencode_nb.errors import OpencodeError

    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except OpencodeError as error:
        from opencode_nb.session.models import SHELL, told_in

        print(f"opencode-nb: {told_in(error, SHELL)}", file=sys.stderr)
        return 1
    except Ended as ended:
        if ended.reason:
            print(f"opencode-nb: {ended.reason}", file=sys.stderr)
        return ended.code
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    """Build the parser with all subcommands."""
    from opencode_nb._version import __version__

    program = argparse.ArgumentParser(
        prog="opencode-nb", description="OpenCode, the open-source coding agent, in Jupyter."
    )
    program.add_argument("--version", action="version", version=f"opencode_nb {__version__}")
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    ask.add(commands)
    doctor.add(commands)
    verify.add(commands)
    install.add(commands.add_parser("install", help="install the opencode program, and print its path"))
    quickstart.add_demo(
        commands.add_parser("demo", help="run the quickstart notebook on the scripted demo model (not an AI)")
    )
    quickstart.add_lab(commands.add_parser("lab", help="open the quickstart notebook in JupyterLab"))
    return program
