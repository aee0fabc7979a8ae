"""Import an exported session with `opencode import`: the server has no route for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from opencode_nb.errors import OpencodeError
from opencode_nb.server import logs

IMPORT_SECONDS = 120.0  # usually 3; the program loads its configuration and plugins first
DONE = "Imported session: "


def exported_id(path: Path) -> str:
    """Return the id of the session in an exported file. Raises OSError, and OpencodeError if it has none."""
    try:
        session_id = json.loads(path.read_text(encoding="utf-8"))["info"]["id"]
    except (ValueError, LookupError, TypeError) as error:
        raise OpencodeError(f'{path} is no exported session: write one with export("json").') from error
    return str(session_id)


def run_import(program: str, path: Path, directory: Path, environ: Mapping[str, str]) -> None:
    """Have the program import the file into the directory. Raises OpencodeError with what it says."""
    try:
        ran = subprocess.run(
            [program, "import", os.fspath(path.absolute())],
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=IMPORT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise OpencodeError(f"{path} was not imported within {IMPORT_SECONDS:g} s. Try again.") from error
    except OSError as error:
        raise OpencodeError(f"{program} could not be run ({error}). Run `opencode-nb install`.") from error
    if ran.returncode or DONE.encode() not in ran.stdout:
        said = logs.plain(ran.stderr.decode(errors="replace")).strip()
        raise OpencodeError(f"{path} could not be imported. The program said: {said or 'nothing'}")
