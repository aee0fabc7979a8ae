"""`opencode-nb demo` and `lab`: the quickstart notebook, run here or opened in JupyterLab."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from pathlib import Path

from opencode_nb.cli.install import require_program

DIRECTORY = Path("opencode-demo")
"""Where `demo` writes and `lab` opens, unless told otherwise."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `demo`."""
    _add_directory(parser, "where to write the executed notebook and its HTML page (default: %(default)s)")
    parser.add_argument(
        "--lab-command", default="opencode-nb lab", help=argparse.SUPPRESS
    )  # make has a name of its own
    parser.set_defaults(command=_demo)


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of `lab`."""
    _add_directory(parser, "where the notebook is, or is put if it isn't there (default: %(default)s)")
    parser.add_argument("arguments", nargs="*", help="options for JupyterLab, behind --")
    parser.set_defaults(command=_lab)


def _add_directory(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--directory", type=Path, default=DIRECTORY, metavar="DIR", help=help_text)


def _demo(options: argparse.Namespace) -> int:
    from opencode_nb import quickstart

    _require_lab_extra("nbclient", "nbconvert", "ipykernel")
    require_program()
    executed, page = quickstart.run(quickstart.original(), options.directory.resolve(), _say)
    print(f"Executed notebook: {executed}\nAs a web page:     {page}\nTo open it in JupyterLab: {options.lab_command}")
    return 0


def _lab(options: argparse.Namespace) -> int:
    from opencode_nb import quickstart

    _require_lab_extra("jupyterlab", "ipykernel")
    require_program()
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
