"""The names of the server's types, at run time."""

from __future__ import annotations

import pytest

import opencode_nb as oc
from opencode_nb import types


def test_every_type_of_the_stubs_exists_at_run_time() -> None:
    assert types is oc.types
    assert types.Session is types.Path is oc.Record
    assert {"Session", "AssistantMessage", "TextPart", "Part"} <= set(dir(types))
    assert [name for name in dir(types) if getattr(types, name) is None] == []


def test_a_type_that_the_server_does_not_have_raises() -> None:
    with pytest.raises(AttributeError, match="no such schema"):
        types.Nonsense  # noqa: B018
