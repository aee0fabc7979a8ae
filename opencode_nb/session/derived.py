"""Derive blocking members from an async class, each with the original's name, types and docstring.

    class Session:
        title = Forwarded[str](AsyncSession.title)
        rename = blocking(AsyncSession.rename)

A blocking object keeps its async original in `_async`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from opencode_nb.portal import run

P = ParamSpec("P")
T = TypeVar("T")
A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
S = TypeVar("S")


if TYPE_CHECKING:

    class _Property:  # a plain descriptor for type checkers: they would read a property as Any
        def __init__(self, *accessors: Callable[..., object]) -> None: ...

else:
    _Property = property


class Face(Protocol[A_co]):
    """A blocking object that wraps its async original."""

    @property
    def _async(self) -> A_co: ...


def blocking(method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Face[A], P], T]:
    """Return a method that runs this one on the package's loop thread and waits. An interrupt cancels it."""
    name = method.__name__

    @wraps(method)
    def call(self: Face[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        original: Callable[P, Coroutine[Any, Any, T]] = getattr(self._async, name)
        return run(original, *args, **kwargs)

    return call


def forwarded(method: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[Face[A], P], T]:
    """Return a method that calls this one directly, on the calling thread: it does not wait."""
    name = method.__name__

    @wraps(method)
    def call(self: Face[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        original: Callable[P, T] = getattr(self._async, name)
        return original(*args, **kwargs)

    return call


def with_options_of(
    original: Callable[P, object],
) -> Callable[[Callable[Concatenate[S, ...], None]], Callable[Concatenate[S, P], None]]:
    """Return a decorator that gives an `__init__(self, **options)` the signature of another class's."""

    def decorate(init: Callable[Concatenate[S, ...], None]) -> Callable[Concatenate[S, P], None]:
        decorated = wraps(original.__init__)(init)
        decorated.__doc__ = None
        return decorated

    return decorate


class Forwarded(_Property, Generic[T]):
    """Read-only access to the original: `Forwarded[str](AsyncSession.title)`, or an attribute's name and docstring."""

    def __init__(self, original: object, doc: str | None = None) -> None:
        self._name = original if isinstance(original, str) else original.fget.__name__  # type: ignore[attr-defined]
        super().__init__(self._read, *self._writers())
        self.__doc__ = doc or original.__doc__

    def _read(self, face: Face[object]) -> object:
        return getattr(face._async, self._name)

    def _writers(self) -> tuple[Callable[[Face[object], T], None], ...]:
        return ()

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> T: ...
        def __get__(self, instance: object, owner: type) -> Any: ...


class Writable(Forwarded[T]):
    """Like `Forwarded`, but writable."""

    def _writers(self) -> tuple[Callable[[Face[object], T], None], ...]:
        return (self._write,)

    def _write(self, face: Face[object], value: T) -> None:
        setattr(face._async, self._name, value)

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: T) -> None: ...


class Derived:
    """Base class that lists derived members in `help()` under its own name, not the original's."""

    def __init_subclass__(cls) -> None:
        for name, member in vars(cls).items():
            if hasattr(member, "__wrapped__"):
                member.__qualname__, member.__module__ = f"{cls.__qualname__}.{name}", cls.__module__
