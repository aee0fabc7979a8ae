"""Write operations.json, the pinned table, and the stubs in types/: `python -m opencode_nb.api.generate`.

`opencode generate` prints the OpenAPI document without starting a server; `--program PATH` or `--spec FILE` choose it.
The table has one operation per line, so that a newer server's table can be compared line by line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from opencode_nb.api.spec import Row, compile_table
from opencode_nb.api.typegen import stubs

TABLE = Path(__file__).with_name("operations.json")
_PROGRAM_TIMEOUT = 60.0  # seconds; the program takes about one


def main(arguments: list[str] | None = None) -> int:
    """Generate table and stubs; return exit code 0, or 1 if the program cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m opencode_nb.api.generate", description=__doc__)
    parser.add_argument(
        "--program", default="opencode", help="opencode program that prints the document (default: %(default)s)"
    )
    parser.add_argument("--spec", type=Path, help="file with an OpenAPI document, instead of running a program")
    parser.add_argument("--version", help="version of the server, with --spec (default: that of the current table)")
    parser.add_argument("--output", type=Path, default=TABLE.parent, help="output directory for the table and types/")
    options = parser.parse_args(arguments)
    try:
        document, version = _document(options.spec, options.program, options.version)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(f"cannot get the OpenAPI document: {error}\n")
        return 1
    for name, content in files(document, version).items():
        (options.output / name).parent.mkdir(parents=True, exist_ok=True)
        (options.output / name).write_text(content, encoding="utf-8")
    return 0


def files(document: Any, version: str) -> dict[str, str]:
    """Return all generated files, by name below the package's `api` directory."""
    rows = compile_table(document)
    return {TABLE.name: dump(rows, version)} | {f"types/{name}": text for name, text in stubs(document, rows).items()}


def dump(rows: list[Row], version: str) -> str:
    """Return the text of operations.json: `{"version", "operations"}`, one operation per line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return f'{{"version":{json.dumps(version)},"operations":[\n{lines}\n]}}\n'


def _document(spec: Path | None, program: str, version: str | None) -> tuple[Any, str]:
    """Return the OpenAPI document and the version of its server, which the document does not contain."""
    if spec is not None:
        pinned = json.loads(TABLE.read_text(encoding="utf-8"))["version"] if version is None else version
        return json.loads(spec.read_text(encoding="utf-8")), pinned
    return json.loads(_run(program, "generate")), version or _run(program, "--version").strip()


def _run(program: str, argument: str) -> str:
    """Run the program in an empty home, so that no user configuration interferes, and return its output."""
    with tempfile.TemporaryDirectory() as home:
        names = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
        env = {**os.environ, **dict.fromkeys(names, home)}
        done = subprocess.run(
            [program, argument], cwd=home, env=env, check=True, capture_output=True, timeout=_PROGRAM_TIMEOUT
        )
    return done.stdout.decode()


if __name__ == "__main__":
    sys.exit(main())
