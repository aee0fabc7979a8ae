"""Keeps a test run to itself: its own home, its own settings of `opencode`, and an end to all that it started."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import MutableMapping
from pathlib import Path

import psutil

MARK = "OPENCODE_NB_TEST_RUN"
"""Environment variable, unique to a run, that every process started by it inherits."""

PROGRAM = "OPENCODE_NB_BINARY"
"""Environment variable that names the `opencode` program to use."""

END_TIMEOUT = 45
"""Seconds that processes get to end by themselves after the last test: a keeper waits, and ends its server first."""

GRACE = "1"
"""Seconds that a shared server goes on without a holder: soon over at the end."""

LONG_GRACE = "20"
"""The same for kernels one after the other: longer than the next one, and its page, take to start."""

OFFLINE = ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "SHARE")

NPM_OFFLINE = "npm_config_offline"
"""Environment variable of npm. The server installs a package beside each configuration that it finds, in the
background: a core is busy with it for 5 to 20 seconds. Offline it gives up at once; tests of npm take this away."""

CATALOG = Path(__file__).with_name("models.json")
"""A catalog of one model, in the shape of models.dev. The server reads its own, of some thousands, for each directory
anew: 2 to 4 seconds of a core."""

GIT_IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "A Tester"), ("EMAIL", "tester@example.org"))
}


def find_program() -> Path | None:
    """Return the `opencode` program that is found in the environment as it is, None if there is none."""
    from opencode_nb.errors import BinaryNotFoundError
    from opencode_nb.server import find_binary

    try:
        return find_binary()
    except BinaryNotFoundError:
        return None


def isolate(environment: MutableMapping[str, str], home: Path, program: Path | None) -> None:
    """Point everything that has a home at `home`, and take away what would let a test reach out.

    `program` stays known, by its path. Keys of model providers go: no provider but the tests' own is ever there.
    """
    run = environment.get(MARK) or str(uuid.uuid4())  # a worker of a distributed run belongs to its controller's run
    for name in [name for name in environment if _reaches_out(name)]:
        del environment[name]
    directories = {name: home / name.lower() for name in _xdg_names()}
    for directory in directories.values():
        directory.mkdir(parents=True)
    environment.update({name: str(directory) for name, directory in directories.items()})
    environment.update({f"OPENCODE_DISABLE_{name}": "1" for name in OFFLINE})
    environment.update({NPM_OFFLINE: "true", "OPENCODE_MODELS_PATH": str(CATALOG)})
    environment.update(XDG_RUNTIME_DIR=str(home), OPENCODE_NB_GRACE=GRACE)
    environment.update(GIT_IDENTITY, GIT_CONFIG_NOSYSTEM="1", HOME=str(home), IPYTHONDIR=str(home / "ipython"))
    environment[MARK] = run
    if program:
        environment[PROGRAM] = str(program)


def without_slow_imports() -> None:
    """Hide a library that jsonschema, and so nbformat, would import for a check that no notebook needs.

    It builds 38 parsers then: two seconds of a core, in every worker.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]


def _reaches_out(name: str) -> bool:
    return name.startswith(("OPENCODE", "JUPYTER", "JPY_")) or name.endswith(("_API_KEY", "_AUTH_TOKEN"))


def _xdg_names() -> list[str]:
    return [f"XDG_{kind}_HOME" for kind in ("DATA", "CONFIG", "CACHE", "STATE")]


def end_survivors() -> list[str]:
    """Wait a bounded time for all that this run started to end; kill the rest and return one line for each."""
    _, alive = psutil.wait_procs(_of_this_run(), timeout=END_TIMEOUT)
    lines = [_describe(process) for process in alive]
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=END_TIMEOUT)
    return lines


def _of_this_run() -> list[psutil.Process]:
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in own and _marked(process)]


def _marked(process: psutil.Process) -> bool:
    try:
        return process.environ().get(MARK) == os.environ[MARK]
    except (psutil.Error, OSError):  # ended meanwhile, a zombie, or another user's
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid} (ended meanwhile)"
