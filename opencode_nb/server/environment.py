"""The environment that the server is started in: configuration merged, credentials set."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from opencode_nb.secret import Secret

CONFIG = "OPENCODE_CONFIG_CONTENT"
PASSWORD = "OPENCODE_SERVER_PASSWORD"  # noqa: S105  # a variable's name
USERNAME = "OPENCODE_SERVER_USERNAME"

Config = Mapping[str, Any]


def merged(base: Config, over: Config) -> dict[str, Any]:
    """`over` on top of `base`: objects are merged key by key, everything else (lists too) is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def inherited_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """The configuration already in the environment. Raises ValueError when it is not a JSON object."""
    text = environ.get(CONFIG, "").strip()
    try:
        config = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"{CONFIG} in the environment is not JSON ({error}): correct or unset it.") from None
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} in the environment is not a JSON object: correct or unset it.")
    return config


def server_environment(
    environ: Mapping[str, str], env: Mapping[str, str] | None, *configs: Config | None
) -> dict[str, str]:
    """What the server sees: `environ` with `env` on top, the configurations merged over an inherited one, a password.

    The last of `configs` wins. An inherited password or user name is replaced, so that nobody is locked out of, or let
    into, a server by chance; one given in `env` is meant, and kept. Raises ValueError for an unreadable inherited
    config.
    """
    explicit = dict(env or {})
    result = {**environ, USERNAME: "opencode", PASSWORD: secrets.token_urlsafe(32), **explicit}
    result[PASSWORD] = Secret(result[PASSWORD])
    given = [config for config in configs if config is not None]
    if given:
        config = inherited_config(result)
        for over in given:
            config = merged(config, over)
        result[CONFIG] = json.dumps(config)
    return result
