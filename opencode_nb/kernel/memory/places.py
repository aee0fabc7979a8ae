"""Places with named values that code can set: variables, environment, working directory, random state, rcParams."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Protocol

MISSING = object()
"""The value of a name that is not there."""


class Place(Protocol):
    """One place. `title` names it to people, followed by the name of a value, if it has several."""

    title: str

    def read(self) -> dict[str, Any]:
        """Return all values by name."""

    def write(self, name: str, value: Any) -> None:
        """Set a value, or delete it if it is MISSING. Raises any exception if it cannot be done."""


_OF_IPYTHON = re.compile(r"_i{0,3}|__|___|_i?\d+|_[iod]h|In|Out|_exit_code|__\w+__|get_ipython|exit|quit")


class Variables:
    """The user's namespace, without the names that IPython sets by itself."""

    title = "variable"

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self._namespace = namespace

    def read(self) -> dict[str, Any]:
        """Return the variables."""
        items = list(self._namespace.items())
        return {name: value for name, value in items if type(name) is str and not _OF_IPYTHON.fullmatch(name)}

    def write(self, name: str, value: Any) -> None:
        """Bind or delete a variable."""
        if value is MISSING:
            self._namespace.pop(name, None)
        else:
            self._namespace[name] = value


class Environment:
    """The environment variables."""

    title = "environment variable"

    def read(self) -> dict[str, Any]:
        """Return all variables."""
        return dict(os.environ)

    def write(self, name: str, value: Any) -> None:
        """Set or delete a variable."""
        if value is MISSING:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class Directory:
    """The working directory."""

    title = "working directory"

    def read(self) -> dict[str, Any]:
        """Return it; nothing if it was deleted."""
        with contextlib.suppress(FileNotFoundError):
            return {"": os.getcwd()}  # noqa: PTH109
        return {}

    def write(self, name: str, value: Any) -> None:
        """Change to it. Raises OSError if it is not there any more."""
        if value is not MISSING:
            os.chdir(value)


class RandomState:
    """The state of the module `random`."""

    title = "random state"

    def read(self) -> dict[str, Any]:
        """Return it."""
        return {"": random.getstate()}

    def write(self, name: str, value: Any) -> None:
        """Set it."""
        random.setstate(value)


class NumpyRandomState:
    """The global state of `numpy.random`, if it is loaded."""

    title = "numpy random state"

    def read(self) -> dict[str, Any]:
        """Return it."""
        numpy = sys.modules.get("numpy.random")
        if numpy is None:
            return {}
        name, keys, *rest = numpy.get_state()
        return {"": (name, tuple(keys.tolist()), *rest)}

    def write(self, name: str, value: Any) -> None:
        """Set it. Nothing is set if numpy was not loaded yet: its state is random then."""
        numpy = sys.modules.get("numpy.random")
        if numpy is not None and value is not MISSING:
            numpy.set_state(value)


class RcParams:
    """matplotlib's settings, if it is loaded, but for those that go with the backend.

    That cannot be changed back at will; and when a kernel loads pyplot, it sets "interactive", without which no figure
    would be shown.
    """

    title = "rcParams"

    def read(self) -> dict[str, Any]:
        """Return the settings; lists as tuples, since they may be changed in place."""
        matplotlib = sys.modules.get("matplotlib")
        params = getattr(matplotlib, "rcParams", None)
        return {name: _frozen(value) for name, value in _raw(params) if not _OF_BACKEND.match(name)}

    def write(self, name: str, value: Any) -> None:
        """Set one, without validating what was valid before."""
        params = sys.modules["matplotlib"].rcParams
        if value is not MISSING:
            dict.__setitem__(params, name, _thawed(value))


_OF_BACKEND = re.compile("backend|interactive$")


def _raw(params: Any) -> Iterable[tuple[str, Any]]:
    """Return the items without resolving or warning, as rcParams itself does."""
    return list(dict.items(params)) if isinstance(params, dict) else []


def _frozen(value: Any) -> Any:
    return (_LIST, *map(_frozen, value)) if type(value) is list else value


def _thawed(value: Any) -> Any:
    is_list = type(value) is tuple and value[:1] == (_LIST,)
    return [*map(_thawed, value[1:])] if is_list else value


_LIST = "list"


def all_places(namespace: MutableMapping[str, Any]) -> Mapping[str, Place]:
    """Return all places by their titles; the variables are the first."""
    places: tuple[Place, ...] = (
        *(Variables(namespace), Environment(), Directory(), RandomState(), NumpyRandomState(), RcParams()),
    )
    return {place.title: place for place in places}
