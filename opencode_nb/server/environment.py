"""Build the server's environment: merge the configuration, set the credentials."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from opencode_nb.secret import Secret
from opencode_nb.tools.names import HIDDEN

PROTOCOL = 3  # of keepers and holders; raise it when jobs, messages or states change, so that old and new never meet
CONFIG = "OPENCODE_CONFIG_CONTENT"
PERMISSION = "OPENCODE_PERMISSION"  # rules in JSON
PASSWORD = "OPENCODE_SERVER_PASSWORD"  # noqa: S105  # a variable's name
USERNAME = "OPENCODE_SERVER_USERNAME"

NOT_SHARED = (
    *("_", "PWD", "OLDPWD", "SHLVL", "PYTEST_CURRENT_TEST"),
    *("JPY_*", "MPLBACKEND", "PYDEVD_*"),  # of one kernel
    *("TERM", "TERM_*", "COLORTERM", "COLUMNS", "LINES", "WINDOWID", "GPG_TTY", "TMUX", "TMUX_PANE", "STY"),
    *("CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "PAGER", "GIT_PAGER"),  # a kernel sets them, a terminal does not
    *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "XDG_SESSION_ID", "INVOCATION_ID", "JOURNAL_STREAM"),
    *("KMP_*", "TF2_BEHAVIOR", "TPU_ML_PLATFORM", "QT_QPA_*"),  # imports set them: sklearn, TensorFlow, OpenCV
    *("OPENCODE_NB_BINARY", "OPENCODE_NB_GRACE", "OPENCODE_NB_SKIP_VERSION_CHECK"),
)
"""Variables (patterns) that differ between a user's processes and do not matter to the server.

A shared server is started without them, and ignores them in its key. Every other variable counts: a different
OPENAI_API_KEY, PATH or HOME means a different server.
"""

Config = Mapping[str, Any]


def merged(base: Config, over: Config) -> dict[str, Any]:
    """Merge `over` into `base`: objects key by key; anything else, lists included, is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def hiding_tools(inherited: str) -> str:
    """Add the rule that hides the tools of kernels from every session; a session that has some shows its own again.

    The server merges these rules over all others; it ignores inherited ones that are not JSON.
    """
    try:
        given = json.loads(inherited or "{}")
    except ValueError:
        given = {}
    rules = {"*": given} if isinstance(given, str) else given
    return json.dumps({**rules, HIDDEN: "deny"})


def inherited_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration in the environment. Raises ValueError if it is not a JSON object."""
    text = environ.get(CONFIG, "").strip()
    try:
        config = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"{CONFIG} in the environment is not JSON ({error}): correct or unset it.") from None
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} in the environment is not a JSON object: correct or unset it.")
    return config


def shared_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a shared server gets."""
    return {name: value for name, value in environ.items() if not any(fnmatchcase(name, of) for of in NOT_SHARED)}


def server_key(
    program: Path, environment: Mapping[str, str], env: Mapping[str, str] | None, flags: Sequence[str] = ()
) -> str:
    """Return the hexadecimal key of a shared server: a hash of the program file, its flags and its environment with
    configuration.

    `environment` comes from `server_environment`; its credentials count only if given in `env`. Raises OSError if the
    program is gone.
    """
    real = program.resolve(strict=True)
    file = real.stat()
    given = env or {}
    counted = {name: text for name, text in environment.items() if name not in (PASSWORD, USERNAME) or name in given}
    identity = [PROTOCOL, os.fspath(real), file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns]
    told = json.dumps([identity, sorted(counted.items()), *flags])
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()


LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def loopback_direct(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add if a proxy is set: exclude loopback, besides what the user excludes.

    Sets both `no_proxy` and `NO_PROXY`, as programs differ in which they read first.
    """
    if not any(environ.get(form) for name in _PROXIES for form in (name, name.upper())):
        return {}
    given = ",".join(environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    excepted = dict.fromkeys([*filter(None, map(str.strip, given.split(","))), *LOOPBACK])
    return dict.fromkeys(("no_proxy", "NO_PROXY"), "*" if "*" in excepted else ",".join(excepted))


def server_environment(
    environ: Mapping[str, str], env: Mapping[str, str] | None, *configs: Config | None
) -> dict[str, str]:
    """Return the server's environment: `environ`, `env`, a password, and `configs` merged over an inherited one.

    The last of `configs` wins. Hides the tools of kernels. Replaces an inherited password or user name, so that nobody
    is locked out of or let into a server by accident, but keeps those given in `env`. Excludes loopback from proxies:
    the demo model and the kernel's tools are there. Raises ValueError for an unreadable inherited configuration.
    """
    explicit = dict(env or {})
    result = {**environ, USERNAME: "opencode", PASSWORD: secrets.token_urlsafe(32), **explicit}
    result[PASSWORD] = Secret(result[PASSWORD])
    result |= loopback_direct(result)
    result[PERMISSION] = hiding_tools(result.get(PERMISSION, ""))
    given = [config for config in configs if config is not None]
    if given:
        config = inherited_config(result)
        for over in given:
            config = merged(config, over)
        result[CONFIG] = json.dumps(config)
    return result
