"""Which versions of OpenCode are supported, and the version of a program, without starting a server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import platformdirs

from opencode_nb.errors import ServerStartError

__all__ = [
    "PINNED_VERSION",
    "SUPPORTED",
    "SUPPORTED_VERSIONS",
    "VERSION",
    "binary_version",
    "check_version",
    "is_accepted",
    "is_native",
    "is_supported",
    "known_version",
    "unanswered",
    "unsupported",
    "version_tuple",
]

SUPPORTED_VERSIONS = ("1.17.0", "2.0")
"""The range of supported versions: from the first, up to but excluding the second."""

PINNED_VERSION = "1.18.33"  # installed by `install_binary()`, and used by the tests
SUPPORTED = f"{SUPPORTED_VERSIONS[0]} or newer is needed, and older than {SUPPORTED_VERSIONS[1]}"
SKIP = "OPENCODE_NB_SKIP_VERSION_CHECK"
VERSION = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?")
VERSION_SECONDS = 20.0  # `opencode --version` takes about 0.5 s, several on a cold disk
DRAIN_SECONDS = 1.0  # for the rest of the output of a program that has ended
OUTPUT_BYTES = 64 * 1024  # kept of a program's output
REMEMBERED = 50  # programs
PACKAGES = ("opencode-ai", "@opencode/cli", "opencode-", "@opencode/")  # prefixes of its npm package names

_NATIVE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")  # Linux, macOS (thin, universal), Windows
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_NUMBER = r"v?(\d+\.\d+\.\d+(?:-[\w.-]+)?)(?![\w.])"
_PRINTED = (
    re.compile(rf"^\s*{_NUMBER}\s*$", re.MULTILINE),
    re.compile(rf"opencode(?:/cli)?(?:[ \t]+version)?[ \t/@:]+{_NUMBER}", re.IGNORECASE),
    re.compile(rf"(?<![\w./])(?<!\w ){_NUMBER}"),
)
"""Forms of a version in the output of `--version`, the most reliable first. "Python 3.12.1" is none of them."""


def is_supported(version: str) -> bool:
    """Return whether a version is supported; also True for one that can't be compared ("", "local")."""
    numbers, (oldest, below) = version_tuple(version), map(version_tuple, SUPPORTED_VERSIONS)
    return not numbers or oldest <= numbers < below


def is_accepted(version: str) -> bool:
    """Return whether a program of this version may be used: any, if $OPENCODE_NB_SKIP_VERSION_CHECK is 1."""
    return is_supported(version) or os.environ.get(SKIP, "") not in ("", "0")


def unsupported(version: str) -> str:
    """Return the end of a sentence that names a version: why it is not used, and what to do."""
    if version_tuple(version) < version_tuple(SUPPORTED_VERSIONS[0]):
        return (
            f"; {SUPPORTED_VERSIONS[0]} or newer is needed. Run `opencode upgrade`, or {_OTHER} "
            f"({SKIP}=1 tries the old one anyway)."
        )
    return f", which opencode_nb does not support yet: {SUPPORTED}. You can keep yours: {_OTHER}."


def unanswered(url: str) -> str:
    """Return the end of a sentence about a server without the routes of every supported version, and what to do."""
    return (
        f" at {url} that has none of the routes of OpenCode 1: it is OpenCode 2, which opencode_nb does not support "
        f"yet, or not OpenCode at all ({SUPPORTED}). To start a server from here, {_OTHER}."
    )


_OTHER = f"run `opencode-nb install` and set OPENCODE_NB_BINARY={PINNED_VERSION}"


def check_version(version: str, program: str | os.PathLike[str], advice: str = "") -> None:
    """Raise ServerStartError for a version that is not accepted; `advice` ends its message."""
    if not is_accepted(version):
        raise ServerStartError(f"{os.fspath(program)} is OpenCode {version}{unsupported(version)}{advice}")


def version_tuple(version: str) -> tuple[int, ...]:
    """Return (1, 18, 33) for "1.18.33"; () for a build from source ("local", "0.0.0-dev...")."""
    match = re.match(r"v?(\d+(?:\.\d+)+)", version)
    if not match or version.startswith("0.0.0"):
        return ()
    return tuple(int(number) for number in match.group(1).split("."))


# --- of a program -----------------------------------------------------------------------------------------------------


def known_version(path: Path, seconds: float = VERSION_SECONDS) -> str:
    """Return a program's version, from its npm package or the program itself; "" if neither reports it in time."""
    if version := _packaged(path) or _remembered(path):
        return version
    with contextlib.suppress(ServerStartError):
        version = binary_version(path, seconds)
        _remember(path, version)
        return version
    return ""


def binary_version(path: Path, seconds: float = VERSION_SECONDS) -> str:
    """Return what `opencode --version` prints. Raises ServerStartError if it does not run."""
    try:
        code, printed = _printed([path, "--version"], seconds)
    except OSError as error:
        raise ServerStartError(f"{path} does not run ({error}). Run `opencode-nb install`.") from error
    version = version_in(printed) or printed.strip()[:100]
    if code is None and not version_in(printed):
        raise ServerStartError(f"`{path} --version` did not end within {seconds:g} s. Run `opencode-nb install`.")
    if code or not version:
        raise ServerStartError(
            f"`{path} --version` ended with exit code {code}. Run `opencode-nb install`.",
            exit_code=code,
            tail=printed[-2000:],
        )
    return version


def version_in(printed: str) -> str:
    """Find the version in a program's output: alone on a line, else after its name, else the first one; or ""."""
    plain = _STYLE.sub("", printed)
    found = (pattern.search(plain) for pattern in _PRINTED)
    return next((match[1] for match in found if match), "")


def _printed(command: list[str | Path], seconds: float) -> tuple[int | None, str]:
    """Return the exit code, None if the program had to be killed, and the start of its output. Raises OSError.

    Does not block on a program that prints for ever or leaves a child behind.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )
    printed = bytearray()
    reader = threading.Thread(target=_read, args=(process, printed), daemon=True)
    try:
        reader.start()
        code = process.wait(seconds)
        reader.join(DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(process)
    return code, bytes(printed).decode(errors="replace")


def _read(process: subprocess.Popen[bytes], printed: bytearray) -> None:
    assert process.stdout
    with process.stdout as output:
        while len(printed) < OUTPUT_BYTES and (data := output.read(OUTPUT_BYTES)):
            printed += data


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# --- from its package, and from the cache -----------------------------------------------------------------------------


def _packaged(path: Path) -> str:
    """Return the version of the npm package that contains the program, "" if none does."""
    try:
        package = json.loads((path.resolve().parents[1] / "package.json").read_bytes())
        name, version = package["name"], package["version"]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return version if str(name).startswith(PACKAGES) and VERSION.fullmatch(str(version)) else ""


def is_native(path: Path) -> bool:
    """Return whether the file is a native executable, not a script."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_NATIVE)
    except OSError:
        return False


def _identity(path: Path) -> str:
    """Return a cache key that changes with the program; "" if the file does not determine the version.

    A launcher, such as a version manager's, stays the same file when the version changes.
    """
    with contextlib.suppress(OSError):
        real = path.resolve(strict=True)
        file = real.stat()
        if is_native(real) and real.stem == "opencode":
            return json.dumps([os.fspath(real), file.st_dev, file.st_ino, file.st_size, file.st_ctime_ns])
    return ""


def _memory() -> Path:
    return Path(platformdirs.user_cache_dir("opencode-nb", appauthor=False)) / "program-versions.json"


def _all_remembered() -> dict[str, str]:
    try:
        return dict(json.loads(_memory().read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _remembered(path: Path) -> str:
    """Read the version from the cache, which saves half a second per start."""
    return str(_all_remembered().get(_identity(path), ""))


def _remember(path: Path, version: str) -> None:
    if not (identity := _identity(path)):
        return
    known = {**_all_remembered(), identity: version}
    new = _memory().with_name(f".{os.getpid()}-{_memory().name}")
    with contextlib.suppress(OSError):  # not cached: the program is asked again next time
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_text(json.dumps(dict(list(known.items())[-REMEMBERED:])))
            new.replace(_memory())
        finally:
            new.unlink(missing_ok=True)
