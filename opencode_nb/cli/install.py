"""`opencode-nb install`: install the opencode program, list or remove installed versions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from opencode_nb.cli.progress import progress


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `install` to `parser`."""
    from opencode_nb.server.version import PINNED_VERSION

    parser.add_argument(
        "version",
        nargs="?",
        default=PINNED_VERSION,
        help="version to install, such as %(default)s (the default), latest or next",
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--force", action="store_true", help="reinstall an installed version")
    other.add_argument("--list", action="store_true", help="list the installed versions, and which one is used")
    other.add_argument("--remove", metavar="VERSION", help="remove an installed version")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from opencode_nb.server.installed import MEGABYTE, installed_lines, login_hint, remove_version, unused_hint

    if options.list:
        print("\n".join(installed_lines()))
    elif options.remove:
        print(f"Removed OpenCode {options.remove}: {remove_version(options.remove) // MEGABYTE} MB freed.")
    else:
        program = _install(options.version, force=options.force)
        print(program)
        print(unused_hint(program) or login_hint(program), file=sys.stderr)
    return 0


def _install(version: str | None = None, *, force: bool = False) -> Path:
    from opencode_nb.server.install import install_binary
    from opencode_nb.server.version import PINNED_VERSION

    with progress() as tell:
        return install_binary(version or PINNED_VERSION, progress=tell, force=force)


def require_program() -> None:
    """Install the `opencode` program if none is found."""
    from opencode_nb.errors import BinaryNotFoundError
    from opencode_nb.server import find_binary

    try:
        find_binary()
    except BinaryNotFoundError:
        print(_install())
