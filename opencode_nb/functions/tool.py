"""FunctionTool: a function of the user's as a tool, and `tool`, which makes one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import re
import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, overload

from opencode_nb.errors import OpencodeError
from opencode_nb.functions import docstrings, registry
from opencode_nb.functions.parameters import Function, Parameters, check, parameters
from opencode_nb.functions.running import UserLoop
from opencode_nb.session.permissions.rules import is_builtin, misspelt
from opencode_nb.tools.names import KERNEL_TOOLS, RESULT

if TYPE_CHECKING:
    from opencode_nb.functions.schema import Arguments

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
"""Providers take 64 characters: the prefix of the session has 11."""


class FunctionTool:
    """A function as a tool for the agent. Calling it calls the function. Made by `tool`.

    `name` can be set, which renames the tool from the next prompt on. `read_only`, `destructive`, `idempotent` and
    `open_world` are the annotations that MCP has; None says nothing.
    """

    def __init__(
        self,
        function: Function,
        *,
        name: str | None = None,
        description: str | None = None,
        read_only: bool = False,
        destructive: bool | None = None,
        idempotent: bool | None = None,
        open_world: bool | None = None,
    ) -> None:
        named = str(name or getattr(function, "__name__", ""))
        check(function, named or repr(function))
        functools.update_wrapper(self, function)
        self.function = function
        self.read_only, self.destructive = read_only, destructive
        self.idempotent, self.open_world = idempotent, open_world
        self._description = description
        self._name = _checked(named)
        self._loop, self._thread = _running_loop(), threading.get_ident()
        self._known: tuple[Parameters, Arguments] | None = None

    @property
    def name(self) -> str:
        """The name by which the agent calls it. Raises ValueError when set to one that it cannot have."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        registry.rename(self, _checked(name))
        self._name = name

    @property
    def description(self) -> str:
        """What the agent reads of it: as given, else the docstring without its parameters."""
        return self._description or self._docstring.text or self._call

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments. Raises ValueError for a type that has none, or is not defined."""
        schema: dict[str, Any] = self.arguments.schema
        return schema

    @property
    def annotations(self) -> dict[str, bool]:
        """The annotations that are set, by MCP's names."""
        hints = {
            "read_only_hint": self.read_only,
            "destructive_hint": self.destructive,
            "idempotent_hint": self.idempotent,
            "open_world_hint": self.open_world,
        }
        return {name: hint for name, hint in hints.items() if hint is not None}

    def remove(self) -> None:
        """Stop offering it as a decorated tool, from the next prompt of each session on."""
        registry.remove(self)

    @property
    def is_async(self) -> bool:
        """Whether the function is awaited."""
        callables: tuple[Any, ...] = (self.function, type(self.function).__call__)
        return any(map(inspect.iscoroutinefunction, callables))

    @property
    def is_unbound(self) -> bool:
        """Whether it is a method in the body of its class: a tool is what an object, or the class, has of it."""
        owner = getattr(self.function, "__qualname__", "").rpartition(".")[0]
        first = next(iter(inspect.signature(self.function).parameters), "")
        in_class = bool(owner) and not owner.endswith("<locals>")
        return in_class and first in ("self", "cls") and not isinstance(self.function, MethodType)

    @property
    def parameters(self) -> Parameters:
        """What the function takes. Raises ValueError as `schema` does."""
        return self._read()[0]

    @property
    def arguments(self) -> Arguments:
        """The arguments that the agent gives. Raises ValueError as `schema` does."""
        return self._read()[1]

    @property
    def loop(self) -> UserLoop | None:
        """The event loop of the user's code in which this was made; None without one."""
        loop = self._loop() if self._loop is not None else None
        return None if loop is None else UserLoop(loop, self._thread)

    @property
    def _call(self) -> str:
        """How it is called. Defaults are left out, as they may hold data."""
        return f"{self._name}({', '.join(inspect.signature(self.function).parameters)})"

    @functools.cached_property
    def _docstring(self) -> docstrings.Docstring:
        return docstrings.read(inspect.getdoc(self.function))

    def _read(self) -> tuple[Parameters, Arguments]:
        if self._known is None:
            try:
                self._known = self._read_now()
            except NameError as error:
                raise ValueError(f"{self._name}: an annotation is not defined: {error}.") from error
        return self._known

    def _read_now(self) -> tuple[Parameters, Arguments]:
        from opencode_nb.functions.schema import Arguments  # imports pydantic

        try:
            read = parameters(self.function)
            return read, Arguments(read, self._docstring.parameters)
        except (OpencodeError, ValueError) as error:
            raise ValueError(f"{self._name}: {error}") from None

    def check(self) -> FunctionTool:
        """Raise ValueError for a type without a schema, but for annotations whose classes may come in a later cell."""
        with contextlib.suppress(NameError):
            self._known = self._known or self._read_now()
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> FunctionTool:
        """Return the tool of an object's own method."""
        return self if instance is None else self.bound_to(instance)

    def bound_to(self, instance: object) -> FunctionTool:
        """Return the tool whose function is the method of this object, or of this class."""
        return FunctionTool(
            MethodType(self.function, instance),
            name=self._name,
            description=self._description,
            read_only=self.read_only,
            destructive=self.destructive,
            idempotent=self.idempotent,
            open_world=self.open_world,
        )

    def __repr__(self) -> str:
        return f"<tool {self._name}{', read-only' if self.read_only else ''}>"


def as_tool(function: Function) -> FunctionTool:
    """Return the tool of a function, a method or a tool. Raises ValueError for what cannot be one."""
    if isinstance(function, MethodType) and isinstance(function.__func__, FunctionTool):
        function = function.__func__.bound_to(function.__self__)  # a classmethod, from Python 3.13 on
    if isinstance(function, type) or not callable(function):
        raise ValueError(f"{function!r:.80} is no function: give functions, methods, or what oc.tool made of them.")
    made = function if isinstance(function, FunctionTool) else FunctionTool(function)
    if made.is_unbound:
        raise ValueError(f"{made.name} is a method: give that of an object, such as `tools=[object.{made.name}]`.")
    return made.check()


@overload
def tool(function: Function, /) -> FunctionTool: ...
@overload
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool | None = None,
    idempotent: bool | None = None,
    open_world: bool | None = None,
) -> Any: ...
def tool(function: Function | None = None, /, **options: Any) -> Any:
    """Make a function a tool for the agents of this kernel's, or script's, sessions, from the next prompt on.

    A decorator, `@oc.tool` or `@oc.tool(read_only=True)`, or a call, `oc.tool(object.method, name="lookup")`. Sync or
    async; again for a function of the same name, it replaces the tool. The agent reads the docstring and the types: a
    parameter may have any type that pydantic has a schema for. One annotated `oc.Session` (of an `AsyncOpencode`:
    `oc.AsyncSession`) gets the session that calls. Without `read_only=True`, each call asks first.

    In the body of a class it makes the method of each object a tool: offer it with `oc.tool(object.method)` or
    `tools=[object.method]`. Raises ValueError for a function that cannot be a tool, or a name that is taken.
    """
    if function is None:
        return functools.partial(tool, **options)
    if isinstance(function, classmethod | staticmethod):
        raise ValueError("Write @oc.tool below @classmethod or @staticmethod.")
    made = made_of(function, options)
    if not made.is_unbound:
        registry.add(made.check())
    return made


def made_of(function: Function, options: dict[str, Any]) -> FunctionTool:
    """Return the tool of what was decorated, with these options in place of those that it had."""
    if isinstance(function, MethodType | FunctionTool) and not options:
        return as_tool(function)
    if isinstance(function, FunctionTool):
        function = function.function
    if isinstance(function, type) or not callable(function):
        return as_tool(function)
    return FunctionTool(function, **options)


def _checked(name: str) -> str:
    """Return a name. Raises ValueError for one that a tool cannot have."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.80} cannot be a tool's name: give `name=`, of a letter and then letters, digits, - and _, "
            "at most 50."
        )
    taken = name if is_builtin(name) or name in (*KERNEL_TOOLS, RESULT) else misspelt(name)
    if taken:
        raise ValueError(f"The agent has a tool, or a permission, {taken!r}: give another name than {name!r}.")
    return name


def _running_loop() -> Callable[[], asyncio.AbstractEventLoop | None] | None:
    try:
        return weakref.ref(asyncio.get_running_loop())
    except RuntimeError:
        return None
