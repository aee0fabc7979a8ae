"""The `opencode-nb` command: parse, one call, say what came of it. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

DIRECTORY = Path("opencode-demo")
"""Where `demo` writes and `lab` opens, unless told otherwise."""

_MEGABYTE = 1_000_000
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (by default this process's); return the exit code."""
    from opencode_nb.errors import OpencodeError

    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except OpencodeError as error:
        print(f"opencode-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # what shells report for a command that was interrupted
    return 0


def _parser() -> argparse.ArgumentParser:
    from opencode_nb._version import __version__

    parser = argparse.ArgumentParser(
        prog="opencode-nb", description="OpenCode, the open-source coding agent, in Jupyter."
    )
    parser.add_argument("--version", action="version", version=f"opencode_nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_install(commands.add_parser("install", help="bring the opencode program, and print its path"))
    _add_demo(commands.add_parser("demo", help="run the quickstart notebook on the scripted demo model (not an AI)"))
    _add_lab(commands.add_parser("lab", help="open the quickstart notebook in JupyterLab"))
    return parser


def _add_install(parser: argparse.ArgumentParser) -> None:
    from opencode_nb.server.binary import PINNED_VERSION

    parser.add_argument("version", nargs="?", default=PINNED_VERSION, help="which version (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="install it again if it is there already")
    parser.set_defaults(command=_install)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    _add_directory(parser, "where to write the executed notebook and its HTML page (default: %(default)s)")
    parser.add_argument(
        "--lab-command", default="opencode-nb lab", help=argparse.SUPPRESS
    )  # make has a name of its own
    parser.set_defaults(command=_demo)


def _add_lab(parser: argparse.ArgumentParser) -> None:
    _add_directory(parser, "where the notebook is, or is put if it isn't there (default: %(default)s)")
    parser.add_argument("arguments", nargs="*", help="options for JupyterLab, behind --")
    parser.set_defaults(command=_lab)


def _add_directory(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--directory", type=Path, default=DIRECTORY, metavar="DIR", help=help_text)


# --- commands ---------------------------------------------------------------------------------------------------------


def _install(options: argparse.Namespace) -> None:
    from opencode_nb.server import install_binary

    progress = _Progress()
    try:
        program = install_binary(options.version, progress=progress.tell, force=options.force)
    finally:
        progress.end()
    print(program)


def _demo(options: argparse.Namespace) -> None:
    from opencode_nb import quickstart

    _require_lab_extra("nbclient", "nbconvert", "ipykernel")
    _require_program()
    executed, page = quickstart.run(quickstart.original(), options.directory.resolve(), _say)
    print(f"Executed notebook: {executed}\nAs a web page:     {page}\nTo open it in JupyterLab: {options.lab_command}")


def _lab(options: argparse.Namespace) -> None:
    from opencode_nb import quickstart

    _require_lab_extra("jupyterlab", "ipykernel")
    _require_program()
    notebook = quickstart.copy_to(options.directory.resolve())
    # JupyterLab takes this process's place: its terminal, its signals, its exit code.
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options.arguments, str(notebook)])  # noqa: S606


def _say(text: str) -> None:
    """Print at once; colours only where there is a terminal to show them."""
    print(text if sys.stdout.isatty() else _COLOURS.sub("", text), flush=True)


def _require_lab_extra(*modules: str) -> None:
    from opencode_nb.errors import OpencodeError

    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise OpencodeError(f"This needs {', '.join(missing)}: run `pip install 'opencode_nb[lab]'`.")


def _require_program() -> None:
    """Install the `opencode` program where none is found."""
    from opencode_nb.errors import BinaryNotFoundError
    from opencode_nb.server import find_binary

    try:
        find_binary()
    except BinaryNotFoundError:
        _install(_parser().parse_args(["install"]))


class _Progress:
    """Tells on stderr what an installation does: in one line that counts on a terminal, else a line for each step."""

    def __init__(self) -> None:
        self._step = ""

    def tell(self, step: str, written: int) -> None:
        """Show `step`, and how many bytes were `written` so far."""
        if sys.stderr.isatty():
            print(f"\r{step}: {written // _MEGABYTE} MB\x1b[K", end="", file=sys.stderr, flush=True)
        elif step != self._step:
            print(step, file=sys.stderr, flush=True)
        self._step = step

    def end(self) -> None:
        """Leave the line."""
        if self._step and sys.stderr.isatty():
            print(file=sys.stderr)
