"""Defaults of the magics: traits for ipython_config.py and %config, with environment variables as a fallback."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, TraitError, TraitType, Unicode, validate
from traitlets.config import Config, Configurable

from opencode_nb.kernel.cells.place import CARD, checked_place
from opencode_nb.magics.options import CODE_PLACES, LATE
from opencode_nb.session.permissions import option as permission_option
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.prompt.variants import EFFORTS, checked_effort
from opencode_nb.spending import budget
from opencode_nb.tools.privacy import LEVELS, PRIVACY, Level

__all__ = ["VARIABLES", "OpencodeMagics"]

VARIABLES = {
    "model": "OPENCODE_NB_MODEL",
    "agent": "OPENCODE_NB_AGENT",
    "variant": "OPENCODE_NB_VARIANT",
    "effort": "OPENCODE_NB_EFFORT",
    "permission": "OPENCODE_NB_PERMISSION",
    "timeout": "OPENCODE_NB_TIMEOUT",
    "max_cost": "OPENCODE_NB_MAX_COST",
    "max_steps": "OPENCODE_NB_MAX_STEPS",
    "directory": "OPENCODE_NB_DIRECTORY",
    "binary": "OPENCODE_NB_BINARY",
    "shared": "OPENCODE_NB_SHARED",
    "base_url": "OPENCODE_NB_URL",
    "privacy": PRIVACY,
    "kernel": "OPENCODE_NB_KERNEL",
    "cells": "OPENCODE_NB_CELLS",
    "record": "OPENCODE_NB_RECORD",
    "replay": "OPENCODE_NB_REPLAY",
}
"""Trait -> the environment variable to use if the trait is not set. `binary` is the exception: its variable takes
precedence, as everywhere else in the package, and find_binary reads it."""

_OF_CELLS = ("privacy", "kernel", "cells", "record")
"""Traits that are no options of `Opencode`: what cells and panels tell the agent of the kernel, where its code stands,
where turns of cells are recorded."""

_AN_AGENT = 'Give a name without spaces, and its program and arguments, as in {"qwen": ["qwen", "--acp"]}.'

_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _trait(kind: TraitType[Any, Any], name: str, text: str) -> Any:
    kind.help = f"{text}. Environment: {VARIABLES[name]}."
    return kind.tag(config=True)


def _text(name: str, text: str) -> Any:
    return _trait(Unicode(None, allow_none=True), name, text)


class OpencodeMagics(Configurable):
    """Defaults of %%prompt and %opencode: `c.OpencodeMagics.model = "..."`, or `%config OpencodeMagics.model = "..."`.

    None falls back to the environment, then to OpenCode's own configuration. Changes to model, agent, variant, effort,
    permission, timeout, max_cost and max_steps take effect with the next prompt; changes to the others with the next
    %opencode start.
    """

    model = _text("model", "default provider/model for prompts")
    agent = _text("agent", "default agent for prompts")
    variant = _text("variant", "default variant of the model for prompts, such as its reasoning effort")
    effort = _text("effort", f"how much the model thinks, if its variants allow it: {', '.join(EFFORTS)}")
    permission = _trait(
        AnyTrait(None, allow_none=True),
        "permission",
        "ask, edits, plan, allow, deny, or {permission or tool: ask, allow or deny}",
    )
    timeout = _trait(AnyTrait(None, allow_none=True), "timeout", "seconds after which a turn is stopped")
    max_cost = _trait(AnyTrait(None, allow_none=True), "max_cost", f"USD above which a turn is stopped, {LATE}")
    max_steps = _trait(AnyTrait(None, allow_none=True), "max_steps", "steps of the model after which a turn is stopped")
    directory = _text("directory", "the agent's working directory, instead of the kernel's")
    binary = _text("binary", "the opencode program: a path or an installed version; the variable takes precedence")
    shared = _trait(Bool(None, allow_none=True), "shared", "whether kernels share one server (default: yes)")
    base_url = _text("base_url", "a running server to connect to; its password is in OPENCODE_SERVER_PASSWORD")

    privacy = _text("privacy", f"what the agent may know of the kernel: {', '.join(LEVELS)} (default: full)")
    kernel = _trait(Bool(None, allow_none=True), "kernel", "whether the agent may use the kernel (default: yes)")
    cells = _text("cells", f"where the code that the agent runs stands: {CODE_PLACES} (default: card)")
    record = _text("record", "a file to which the turns of cells are recorded")
    replay = _text("replay", "a recording to play turns from, with no server; nothing is recorded then")

    agents = Dict(
        help='commands of agents of the Agent Client Protocol, by name, such as {"qwen": ["qwen", "--acp"]}: for '
        "%%prompt --with NAME and %opencode start --acp NAME"
    ).tag(config=True)

    @classmethod
    def of(cls, config: Config) -> OpencodeMagics:
        """Create the settings from `config`; report invalid values and ignore them."""
        settings = cls()
        for name, value in config.get(cls.__name__, {}).items():
            try:
                settings.update_config(Config({cls.__name__: {name: value}}))
            except TraitError as error:
                print(f"{error} Ignored.")  # noqa: T201  # where the extension is loaded
        return settings

    @validate(
        *("effort", "permission", "timeout", "max_cost", "max_steps", "directory", "base_url", "privacy"),
        *("cells", "record", "replay"),
    )
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            return _checked(name, value) if _given(value) else None
        except ValueError as error:
            raise TraitError(f"OpencodeMagics.{name}: {error}") from None

    @validate("agents")
    def _check_agents(self, proposal: Any) -> Any:
        for name, command in proposal["value"].items():
            words = [name, *command] if isinstance(command, list | tuple) and command else [None]
            if not all(isinstance(word, str) and word for word in words) or " " in name:
                raise TraitError(f"OpencodeMagics.agents: {name!r}: {command!r} is no command. {_AN_AGENT}")
        return proposal["value"]

    def options(self) -> dict[str, Any]:
        """Return the options of `Opencode` that are set, by name; reads the environment each time.

        Raises ValueError for an invalid variable.
        """
        return self._set([name for name in VARIABLES if name not in _OF_CELLS])

    def origin(self, name: str) -> str:
        """Return what sets this option, as the user wrote it; "" if nothing does."""
        if _given(getattr(self, name)):
            return f"%config {type(self).__name__}.{name}"
        return f"${VARIABLES[name]}" if os.environ.get(VARIABLES[name]) else ""

    @property
    def privacy_level(self) -> Level:
        """The privacy level of new sessions. Raises ValueError for an invalid variable."""
        return Level.of(self._set(["privacy"]).get("privacy", LEVELS[-1]))

    @property
    def uses_kernel(self) -> bool:
        """Whether the agent may use the kernel. Raises ValueError for an invalid variable."""
        return bool(self._set(["kernel"]).get("kernel", True))

    @property
    def place_of_code(self) -> str:
        """Where the code that the agent runs is to stand. Raises ValueError for an invalid variable."""
        return str(self._set(["cells"]).get("cells", CARD))

    @property
    def record_to(self) -> str | None:
        """The file to record the turns of cells to; None for no recording."""
        return self._set(["record"]).get("record")

    def _set(self, names: Collection[str]) -> dict[str, Any]:
        traits = [name for name in names if not (name == "binary" and os.environ.get(VARIABLES[name]))]
        return _environment(os.environ, names) | {
            name: value for name in traits if _given(value := getattr(self, name))
        }


def _environment(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    given = {name: environ.get(VARIABLES[name], "") for name in names if name != "binary"}
    return {name: _read(name, text) for name, text in given.items() if text}


def _read(name: str, text: str) -> Any:
    try:
        return _checked(name, _PARSED[name](text) if name in _PARSED else text)
    except ValueError as error:
        raise ValueError(f"${VARIABLES[name]}: {error}") from None


def _given(value: Any) -> bool:
    return value not in (None, "")


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text!r} is neither yes nor no: use 1 or 0.")
    return _BOOLEANS[text.lower()]


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that leaves what is no number to the check, which says what is allowed."""

    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return text

    return parse


_PARSED: dict[str, Callable[[str], Any]] = {
    "shared": _boolean,
    "kernel": _boolean,
    "permission": permission_option.parsed,
    "max_cost": _number(float),
    "max_steps": _number(int),
}


def _checked(name: str, value: Any) -> Any:
    """Return the value to use. Raises ValueError, which says what is allowed."""
    check = _CHECKS.get(name)
    return check(value) if check else value


def _permission(value: Any) -> Any:
    return Policy(value).option


def _timeout(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is not a number of seconds above 0.")
    return seconds


def _directory(value: Any) -> str:
    path = Path(str(value)).expanduser()
    if not path.is_dir():
        raise ValueError(f"directory {value} does not exist: create it, or name another.")
    return str(path)


def _base_url(value: Any) -> str:
    if not str(value).startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is not a URL: give one such as http://127.0.0.1:4096.")
    return str(value)


def _privacy(value: Any) -> str:
    return Level.of(str(value)).name.lower()


def _file(value: Any) -> str:
    return str(Path(str(value)).expanduser().resolve())


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "effort": checked_effort,
    "permission": _permission,
    "timeout": _timeout,
    "max_cost": partial(budget.checked, "max_cost"),
    "max_steps": partial(budget.checked, "max_steps"),
    "directory": _directory,
    "base_url": _base_url,
    "privacy": _privacy,
    "cells": checked_place,
    "record": _file,
    "replay": _file,
}
