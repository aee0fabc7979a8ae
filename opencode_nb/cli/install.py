"""`opencode-nb install`: bring the opencode program."""

from __future__ import annotations

import argparse

from opencode_nb.cli.progress import Progress


def add(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the command's arguments."""
    from opencode_nb.server.binary import PINNED_VERSION

    parser.add_argument("version", nargs="?", default=PINNED_VERSION, help="which version (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="install it again if it is there already")
    parser.set_defaults(command=_install)


def _install(options: argparse.Namespace) -> int:
    from opencode_nb.server import install_binary

    with Progress() as progress:
        program = install_binary(options.version, progress=progress.tell, force=options.force)
    print(program)
    return 0


def require_program() -> None:
    """Install the `opencode` program where none is found."""
    from opencode_nb.errors import BinaryNotFoundError
    from opencode_nb.server import find_binary, install_binary

    try:
        find_binary()
    except BinaryNotFoundError:
        with Progress() as progress:
            print(install_binary(progress=progress.tell))
