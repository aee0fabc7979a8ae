"""`opencode-nb demo` and `lab`: run the quickstart notebook, or open it in JupyterLab."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from pathlib import Path

from opencode_nb.cli.install import require_program

DIRECTORY = Path("opencode-demo")
"""The default directory of `demo` and `lab`."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo` to `parser`."""
    _add_directory(parser, "directory for the executed notebook and its HTML page (default: %(default)s)")
    parser.add_argument(
        "--lab-command", default="opencode-nb lab", help=argparse.SUPPRESS
    )  # `make demo` passes `make lab`
    parser.set_defaults(command=_demo)


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab` to `parser`."""
    _add_directory(parser, "directory of the notebook, which is copied there if missing (default: %(default)s)")
    parser.add_argument("arguments", nargs="*", help="options for JupyterLab, after --")
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
    # JupyterLab replaces this process and inherits its terminal, signals and exit code.
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options.arguments, str(notebook)])  # noqa: S606


def _say(text: str) -> None:
    """Print and flush; drop colours if stdout is not a terminal."""
    print(text if sys.stdout.isatty() else _COLOURS.sub("", text), flush=True)


def _require_lab_extra(*modules: str) -> None:
    from opencode_nb.errors import OpencodeError

    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise OpencodeError(f"This needs {', '.join(missing)}: run `pip install 'opencode_nb[lab]'`.")
