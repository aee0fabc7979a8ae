from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Iterator

import pytest

import opencode_nb as oc
from opencode_nb import errors


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, errors.BadRequestError, False),
        (401, errors.AuthenticationError, False),
        (403, errors.PermissionDeniedError, False),
        (404, errors.NotFoundError, False),
        (408, errors.APIStatusError, True),
        (409, errors.ConflictError, True),
        (418, errors.APIStatusError, False),
        (422, errors.UnprocessableEntityError, False),
        (429, errors.RateLimitError, True),
        (500, errors.InternalServerError, True),
        (501, errors.InternalServerError, False),
        (503, errors.InternalServerError, True),
    ],
)
def test_the_status_determines_class_and_retryable(status: int, kind: type[Exception], retryable: bool) -> None:
    error = errors.status_error(status, None, method="GET", path="/session")
    assert type(error) is kind
    assert error.retryable is retryable
    assert str(error).startswith(f"GET /session answered {status}. ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"name": "NotFoundError", "data": {"message": "Session not found: ses_x"}},
            "NotFoundError: Session not found",
        ),
        ({"_tag": "SessionBusyError", "message": "It is busy"}, "SessionBusyError: It is busy"),
        ({"_tag": "BadRequest"}, "BadRequest"),
        ({"error": "no such thing"}, "no such thing"),
        ({"error": {"name": "X", "message": "inner"}}, "X: inner"),
        ("plain words", "plain words"),
        ("<!doctype html><html>...", "an HTML page"),
        ([1, 2], "[1, 2]"),
        ({"data": None, "error": None, "message": 7}, "7"),
    ],
)
def test_every_body_shape_reaches_the_message(body: object, said: str) -> None:
    error = errors.status_error(404, body, method="GET", path="/x")
    assert said in str(error)
    assert error.body is body


def test_the_reference_of_a_bare_500_is_kept() -> None:
    body = {"name": "UnknownError", "data": {"message": "Unexpected server error", "ref": "err_1"}}
    error = errors.status_error(500, body, method="POST", path="/session/x/message")
    assert error.ref == "err_1"
    assert error.name == "UnknownError"
    assert "err_1" in str(error)


def test_a_long_message_is_cut_and_stays_one_line() -> None:
    text = str(errors.status_error(500, {"error": "line\n" * 10_000}, method="GET", path="/x"))
    assert len(text) < 1000
    assert "\n" not in text


def test_errors_survive_pickling() -> None:
    error = errors.status_error(429, {"error": "slow down"}, method="GET", path="/x", retry_after=2.5)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.status, again.retry_after) == (type(error), str(error), 429, 2.5)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    kinds = [value for name in oc.__all__ if inspect.isclass(value := getattr(oc, name))]
    errors_only = [kind for kind in kinds if issubclass(kind, oc.OpencodeError)]
    actual = {(base.__name__, kind.__name__) for kind in errors_only for base in kind.__bases__} - {
        ("Exception", "OpencodeError")
    }
    assert set(drawn(errors.__doc__ or "")) == actual


def drawn(text: str) -> Iterator[tuple[str, str]]:
    """Return each branch of the drawing: the upper name and the lower one."""
    above: dict[int, str] = {}
    for line in text.splitlines():
        if found := re.match(r"    ([│├└─ ]*)(\w+Error)", line) or re.match(r"    ()(\w+)$", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            if depth:
                yield above[depth - 1], found[2]
