"""OpenAPI document -> the stub files in api/types, for type checkers and editors. Pure: no I/O.

results.py and params.py render schemas as types, sharing schemas.py; operations.py renders the methods; naming.py
chooses the names. The layout is fixed here, so that no formatter's version changes a generated file.
"""

from __future__ import annotations

from opencode_nb.api.typegen.operations import stubs

__all__ = ["stubs"]
