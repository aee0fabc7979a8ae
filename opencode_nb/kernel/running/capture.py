"""Routes everything that code prints, shows or raises on IPython's ways into an `Output`, and puts all back afterwards.

Other threads of the user's that ran before keep their own ways out. Errors reach no front end: `showtraceback` would
publish them into the user's cell, which papermill then takes for failed.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import IPython
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.kernel.running import images, tables
from opencode_nb.kernel.running.descriptors import redirected
from opencode_nb.kernel.running.output import TABLE, Json, Output, page_text
from opencode_nb.kernel.running.refusals import replaced

SHOWN = {"text/plain", "image/png", "image/jpeg"}
"""The only forms of a value that are asked for: never HTML, SVG or JavaScript."""

_INTERNAL = (Path(IPython.__file__).parent, Path(__file__).parents[2])
"""The directories of code whose frames no traceback needs."""


@contextlib.contextmanager
def captured(shell: InteractiveShell, output: Output) -> Iterator[None]:
    """In the body, send the output of this thread, and of those that it starts, to `output`."""
    ours = _Ours()
    show = _Tracebacks(output)
    display_formatter: Any = shell.display_formatter
    hook = _DisplayHook(shell, output, sys.displayhook, ours)
    with contextlib.ExitStack() as stack:
        methods: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
            (shell, "showtraceback", show.traceback),
            (shell, "showsyntaxerror", show.syntax_error),
            (shell, "showindentationerror", show.syntax_error),
            (shell, "set_next_input", lambda text, replace=False: output.write("stdout", f"{text}\n")),
            (shell.events, "trigger", _triggering(shell.events.trigger)),
            (display_formatter, "format", _formatting(display_formatter.format, ours)),
        )
        for owner, name, method in methods:
            stack.enter_context(replaced(owner, name, method))
        objects: tuple[tuple[Any, str, Any], ...] = (
            (shell.hooks, "show_in_pager", lambda data, *_args, **_kwargs: output.write("stdout", page_text(data))),
            (shell, "display_pub", _Publisher(output, shell.display_pub, ours)),
            (shell, "custom_exceptions", ()),
            (shell.display_trap, "hook", hook),
            (sys, "displayhook", hook),
            (sys, "stdout", _Stream("stdout", output, sys.stdout, ours)),
            (sys, "stderr", _Stream("stderr", output, sys.stderr, ours)),
        )
        for owner, name, value in objects:
            stack.enter_context(_swapped(owner, name, value))
        if hasattr(shell, "kernel"):  # in a terminal, the turn is being drawn there
            stack.enter_context(redirected(output.write))
        yield


@contextlib.contextmanager
def _swapped(owner: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class _Ours:
    """Tells the threads of the captured code from those that ran before."""

    def __init__(self) -> None:
        self._others = {thread for thread in threading.enumerate() if thread is not threading.current_thread()}

    def __call__(self) -> bool:
        return threading.current_thread() not in self._others


class _Stream(io.TextIOBase):
    """A standard stream that keeps what our threads write, and passes on what others do."""

    encoding = "utf-8"

    def __init__(self, kind: str, output: Output, original: TextIO, ours: Callable[[], bool]) -> None:
        self._kind, self._output, self._original, self._ours = kind, output, original, ours

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not self._ours():
            return self._original.write(text)
        self._output.write(self._kind, text)
        return len(text)

    def fileno(self) -> int:
        """Return the process's own descriptor, for programs that are given this stream."""
        return 1 if self._kind == "stdout" else 2

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if not self._ours():
            self._original.flush()


class _Publisher(DisplayPublisher):
    """Takes what `display()` publishes."""

    def __init__(self, output: Output, original: Any, ours: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._output, self._original, self._is_ours = output, original, ours

    def publish(self, data: Json, metadata: Json | None = None, source: Any = None, **kwargs: Any) -> None:
        if not self._is_ours():
            self._original.publish(data, metadata, **kwargs)
            return
        display_id = str((kwargs.get("transient") or {}).get("display_id", ""))
        self._output.bundle(_readable(data), display_id=display_id, is_update=bool(kwargs.get("update")))

    def clear_output(self, wait: bool = False) -> None:
        if self._is_ours():
            self._output.clear()
        else:
            self._original.clear_output(wait)


class _DisplayHook:
    """Takes the value of an expression; `_` and `Out` stay the user's."""

    def __init__(self, shell: InteractiveShell, output: Output, original: Any, ours: Callable[[], bool]) -> None:
        self._shell, self._output, self._original, self._ours = shell, output, original, ours

    def __call__(self, value: object = None) -> None:
        if not self._ours():
            self._original(value)
        elif value is not None:
            formatter: Any = self._shell.display_formatter
            data, _metadata = formatter.format(value)
            self._output.bundle(_readable(data))


def _triggering(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `EventManager.trigger` without `post_run_cell`: whoever waits for it means the user's own cell."""

    def trigger(event: str, *args: Any, **kwargs: Any) -> None:
        if event != "post_run_cell":
            original(event, *args, **kwargs)

    return trigger


def _formatting(original: Callable[..., Any], ours: Callable[[], bool]) -> Callable[..., Any]:
    """Return `DisplayFormatter.format` for our threads: frames become tables, figures PNG files."""

    def format_value(value: object, include: Any = None, exclude: Any = None) -> tuple[Json, Json]:
        if not ours():
            return original(value, include=include, exclude=exclude)  # type: ignore[no-any-return]
        if images.is_figure(value):
            return {"image/png": images.of_figure(value)}, {}
        if (table := tables.of(value)) is not None:
            return {TABLE: table}, {}
        return original(value, include=SHOWN, exclude=exclude)  # type: ignore[no-any-return]

    return format_value


def _readable(data: Json) -> Json:
    """Return a MIME bundle with its image as a PNG file of ours, if it has one that can be read."""
    kept = {key: value for key, value in data.items() if key in (TABLE, "text/plain")}
    image = data.get("image/png") or data.get("image/jpeg")
    png = images.of_data(image) if image is not None else None
    return {**kept, "image/png": png} if png is not None else kept


class _Tracebacks:
    """Takes what the shell would show of an exception."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def traceback(self, exc_tuple: Any = None, *_args: object, **_kwargs: object) -> None:
        error = (exc_tuple or sys.exc_info())[1]
        if error is not None:
            self._output.error(traceback_text(error))

    def syntax_error(self, *_args: object, **_kwargs: object) -> None:
        self.traceback()


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an exception, without colours and without the frames of what ran the code."""
    try:
        told = traceback.TracebackException.from_exception(error)
        _trim(told)
        return "".join(told.format()).rstrip()
    except Exception as failure:  # the exception's own code, such as its __str__
        return f"{type(error).__name__} (its message cannot be shown: {type(failure).__name__})"


def _trim(told: traceback.TracebackException) -> None:
    while told.stack and is_internal(told.stack[0].filename):
        told.stack.pop(0)
    if isinstance(told.exc_type, type) and issubclass(told.exc_type, SyntaxError):
        told.stack.clear()


def is_internal(filename: str) -> bool:
    """Whether a frame's file is IPython's or this package's."""
    return any(Path(filename).is_relative_to(directory) for directory in _INTERNAL)
