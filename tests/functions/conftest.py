"""No test leaves a decorated tool to the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from opencode_nb.functions import registry


@pytest.fixture(autouse=True)
def decorated_in_this_test_only() -> Iterator[None]:
    yield
    for tool in registry.decorated():
        tool.remove()
