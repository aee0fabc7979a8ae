"""Write an error's traceback as plain text, with the frames of the user's code only. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from traceback import FrameSummary, TracebackException

_SHELL = ("/IPython/core/", "/ipykernel/")
"""Parts of the paths of the code that runs a cell."""


def error_text(error: BaseException, name_of_file: Callable[[str], str]) -> str:
    """Return the traceback of an error and of those that led to it."""
    report = TracebackException.from_exception(error)
    for one in _chain(report):
        one.stack[:] = [_renamed(frame, name_of_file) for frame in one.stack if not _is_of_shell(frame)]
    return "".join(report.format()).rstrip()


def _chain(report: TracebackException | None) -> Iterator[TracebackException]:
    while report is not None:
        yield report
        report = report.__cause__ or report.__context__


def _is_of_shell(frame: FrameSummary) -> bool:
    path = frame.filename.replace("\\", "/")
    return any(part in path for part in _SHELL)


def _renamed(frame: FrameSummary, name_of_file: Callable[[str], str]) -> FrameSummary:
    return FrameSummary(name_of_file(frame.filename), frame.lineno, frame.name, line=frame.line)
