"""Doctor: checks everything opencode_nb depends on, and says what is wrong and how to fix it.

`examine()` yields each Finding as soon as it is known. Findings name environment variables, never their values. Changes
nothing: a server that it starts as a check is stopped again.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from opencode_nb._version import __version__
from opencode_nb.errors import BinaryNotFoundError, ModelError, OpencodeError, ServerStartError

if TYPE_CHECKING:
    from opencode_nb.server.binary import Found
    from opencode_nb.session.blocking import Opencode

Status = Literal["ok", "warning", "problem"]

_MARKS: dict[Status, str] = {"ok": "✓", "warning": "!", "problem": "✗"}
_ROOM = 1_000_000_000
"""Bytes that should be free: the program takes 200 MB, and its sessions and snapshots grow."""
_INSTALL = "Run `opencode-nb install` in a terminal, or `%opencode install` in a notebook."


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking `name`; `next_step` says what to do, "" if nothing."""

    name: str
    status: Status
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        step = f"\n    → {self.next_step}" if self.next_step else ""
        return f"{_MARKS[self.status]} {self.name}: {self.text}{step}"


def examine(
    directory: str | Path | None = None, *, ai: Opencode | None = None, binary: str | None = None
) -> Iterator[Finding]:
    """Check everything, the program first, for the agent in `directory` (default: the current one).

    `ai`: the agent in use; it is checked instead of one started by the doctor. `binary`: the program it is started
    with.
    """
    where = ai.directory if ai is not None else Path(directory or Path.cwd()).expanduser().absolute()
    found = list(_program(binary))
    yield from found
    if all(finding.status != "problem" for finding in found):
        yield from _server(where, ai, binary)
    yield from _tools(where)
    yield from _python()
    yield from _jupyter()
    yield _frontend()
    yield from _directories()
    yield from _environment()


def summary(findings: list[Finding]) -> str:
    """Return the number of problems and warnings, in one line."""
    problems = sum(finding.status == "problem" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    if not problems and not warnings:
        return "No problems found."
    return f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}."


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


# --- the program ------------------------------------------------------------------------------------------------------


def _program(binary: str | None) -> Iterator[Finding]:
    from opencode_nb.server.binary import locate_binary
    from opencode_nb.server.version import SUPPORTED

    try:
        found = locate_binary(binary)
    except BinaryNotFoundError as error:
        looked, step = str(error).rsplit("\n", 1)
        yield Finding("Program", "problem", looked, step)
        return
    yield Finding("Program", "ok", f"{found.path} ({found.place})")
    yield _version(found)
    for other in found.passed_over:
        yield Finding("Passed over", "ok", f"{other}: {SUPPORTED}")


def _version(found: Found) -> Finding:
    from opencode_nb.server.version import PINNED_VERSION, SUPPORTED, binary_version, is_supported

    try:
        version = found.version or binary_version(found.path)
    except ServerStartError as error:
        return Finding("Version", "problem", str(error).rsplit(" Run ", 1)[0], found.if_wrong.strip() or _INSTALL)
    about = f"OpenCode {version} ({SUPPORTED}; {PINNED_VERSION} is the tested one)"
    if is_supported(version):
        return Finding("Version", "ok", about)
    if found.accepted:
        return Finding("Version", "warning", f"{about}, accepted because of OPENCODE_NB_SKIP_VERSION_CHECK", _INSTALL)
    return Finding("Version", "problem", about, f"{_INSTALL} Then set OPENCODE_NB_BINARY={PINNED_VERSION}.")


# --- the server and its model -----------------------------------------------------------------------------------------


def _server(directory: Path, ai: Opencode | None, binary: str | None) -> Iterator[Finding]:
    from opencode_nb.session.blocking import Opencode

    if ai is not None and ai.started:
        yield Finding("Server", "ok", f"running, version {ai.version}")
        yield _model(ai)
        return
    began = time.perf_counter()
    own = Opencode(directory=directory, binary=binary)
    try:
        own.start()
        seconds = time.perf_counter() - began
        log = f", log: {own.managed.log_path}" if own.managed else ""
        yield Finding("Server", "ok", f"started and answered in {seconds:.1f} s{log}")
        yield _model(own)
    except (OpencodeError, ValueError) as error:  # ValueError: OPENCODE_CONFIG_CONTENT cannot be read
        step = "Fix what it reports; `opencode serve` in a terminal shows it, too."
        yield Finding("Server", "problem", str(error), step)
    finally:
        own.close()


def _model(ai: Opencode) -> Finding:
    from opencode_nb.session.models import NO_MODEL, NoModelError, announcement

    try:
        return Finding("Model", "ok", announcement(ai.model_choice()).removeprefix("Model: "))
    except NoModelError as error:
        step = f"Log in with `{error.login}` in a terminal, or name a model in OpenCode's configuration."
        return Finding("Model", "problem", NO_MODEL, step)
    except ModelError as error:
        step = "Correct the model in OpenCode's configuration, or log in to its provider with `opencode auth login`."
        return Finding("Model", "problem", str(error), step)


# --- the tools beside it ----------------------------------------------------------------------------------------------


def _tools(directory: Path) -> Iterator[Finding]:
    own = _opencode_data() / "bin" / ("rg.exe" if os.name == "nt" else "rg")
    if found := shutil.which("rg") or (own.exists() and str(own)):
        yield Finding("ripgrep", "ok", str(found))
    else:
        yield Finding(
            "ripgrep",
            "warning",
            "not on PATH: the agent's grep and glob download it on first use, and fail offline",
            "Install ripgrep (apt install ripgrep, brew install ripgrep, conda install ripgrep).",
        )
    git = shutil.which("git")
    if git is None:
        yield Finding("git", "warning", "not on PATH: turns have no diffs and cannot be undone", "Install git.")
    elif not any((place / ".git").exists() for place in (directory, *directory.parents)):
        yield Finding(
            "git",
            "warning",
            f"{directory} is not in a repository: turns have no diffs there and cannot be undone",
            "Run `git init` there (no commit needed).",
        )
    else:
        yield Finding("git", "ok", git)


def _python() -> Iterator[Finding]:
    yield Finding(
        "Python", "ok", f"{platform.python_version()} at {sys.executable}, opencode_nb {__version__}, {sys.platform}"
    )
    if sys.platform == "win32":
        yield Finding(
            "Platform",
            "problem",
            "the managed server needs Linux or macOS",
            "Run `opencode serve` yourself and connect with base_url= and password=, or use WSL.",
        )


_PACKAGES = ("ipython", "ipykernel", "jupyterlab", "notebook", "ipywidgets", "jupyterlab_widgets", "anywidget")


def _jupyter() -> Iterator[Finding]:
    return jupyter_findings({name: version for name in _PACKAGES if (version := _version_of(name))})


def jupyter_findings(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Check package versions, and report combinations known not to work well (each measured)."""
    yield Finding("Jupyter", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))
    for name, oldest, why in _NEEDED:
        if name in versions and _numbers(versions[name]) < oldest:
            needed = ".".join(map(str, oldest))
            yield Finding(name, "problem", f"{versions[name]}: {why}", f"Run `pip install '{name}>={needed}'`.")
    yield from _kernel(versions.get("ipykernel"))
    if "jupyterlab" in versions and "jupyterlab_widgets" not in versions:
        yield Finding(
            "jupyterlab_widgets",
            "problem",
            "missing: JupyterLab cannot show widgets, so no live view and no chat panel",
            "Run `pip install jupyterlab_widgets` in JupyterLab's environment, and reload the page.",
        )


def _kernel(version: str | None) -> Iterator[Finding]:
    if version is None:
        yield Finding(
            "ipykernel",
            "warning",
            "not installed for this Python: notebooks cannot use opencode_nb from here",
            "Run `pip install 'opencode_nb[lab]'`; the terminal and plain Python do not need it.",
        )
    elif _NEEDED_KERNEL <= _numbers(version) < (7,):
        yield Finding(
            "ipykernel",
            "warning",
            f"{version} delivers no clicks while a cell runs: questions come as an input line instead",
            "Run `pip install 'ipykernel>=7'` for buttons.",
        )


_NEEDED_KERNEL = (6, 29)
_NEEDED: tuple[tuple[str, tuple[int, ...], str], ...] = (
    ("ipython", (8, 18), "too old for the magics"),
    ("ipykernel", _NEEDED_KERNEL, "too old for widgets updated from a thread"),
    ("jupyterlab", (4, 2), "too old for the live view and its colours"),
    ("notebook", (7, 2), "too old for the live view and its colours"),
    ("ipywidgets", (8, 1), "too old for anywidget"),
    ("anywidget", (0, 9, 18), "too old for the live view"),
)


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in match[0].split(".")) if match else ()


def _frontend() -> Finding:
    """Report the front end, as far as the environment shows it."""
    if "ipykernel" not in sys.modules:
        return Finding("Front end", "ok", "a terminal" if sys.stdout and sys.stdout.isatty() else "none: no terminal")
    if any(name.startswith("VSCODE_") for name in os.environ):
        return Finding(
            "Front end",
            "warning",
            "VS Code delivers no clicks while a cell runs: questions come as an input line instead",
            "Answer there; `--permission allow` or a rule in OpenCode's configuration asks less.",
        )
    notebook = os.environ.get("JPY_SESSION_NAME")
    return Finding("Front end", "ok", f"a Jupyter page, notebook {notebook}" if notebook else "a Jupyter kernel")


# --- directories and environment variables ----------------------------------------------------------------------------


def _directories() -> Iterator[Finding]:
    import platformdirs

    ours = {"appname": "opencode-nb", "appauthor": False}
    places = {
        "OpenCode's data": _opencode_data(),
        "Programs": Path(platformdirs.user_data_dir(**ours)),  # type: ignore[arg-type]  # as its signature has them
        "Logs": Path(platformdirs.user_log_dir(**ours)),  # type: ignore[arg-type]
        "State": Path(platformdirs.user_state_dir(**ours)),  # type: ignore[arg-type]
        "Temporary files": Path(tempfile.gettempdir()),
    }
    for name, path in places.items():
        yield _directory(name, path)


def _opencode_data() -> Path:
    from opencode_nb.server.files import data_directory

    return data_directory(os.environ)


def _directory(name: str, path: Path) -> Finding:
    existing = next(place for place in (path, *path.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        step = f"Make {existing} a writable directory."
        return Finding(name, "problem", f"{path} is not writable ({error.strerror or error})", step)
    if free < _ROOM:
        return Finding(name, "warning", f"{path} has {free // 1_000_000} MB left", "Free some space on that disk.")
    return Finding(name, "ok", f"{path} is writable")


_SETTINGS = re.compile(r"OPENCODE\w*|XDG_\w+_HOME|(?i:(https?|all|no)_proxy)")
_KEYS = re.compile(r"\w+_(API_KEY|AUTH_TOKEN)|AWS_(PROFILE|ACCESS_KEY_ID|BEARER_TOKEN_BEDROCK)")


def _environment() -> Iterator[Finding]:
    from opencode_nb.server.environment import CONFIG, PASSWORD, inherited_config

    settings = sorted(name for name in os.environ if _SETTINGS.fullmatch(name))
    keys = sorted(name for name in os.environ if _KEYS.fullmatch(name))
    yield Finding("Settings", "ok", f"set in the environment: {', '.join(settings) or 'none'}")
    yield Finding("Keys", "ok", f"set in the environment: {', '.join(keys) or 'none'} (values are not shown)")
    try:
        inherited_config(os.environ)
    except ValueError as error:
        yield Finding(CONFIG, "problem", str(error), f"Correct or unset {CONFIG}.")
    if PASSWORD in os.environ:
        yield Finding(
            PASSWORD,
            "warning",
            "set, but a server started here gets a random password",
            "Unset it; use password= only to connect to a server that you started yourself.",
        )
