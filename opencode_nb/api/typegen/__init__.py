"""OpenAPI document -> the stub files in api/types, for type checkers and editors. Pure: no I/O.

results.py and params.py write schemas down as types, schemas.py has what they share; operations.py writes the methods;
naming.py finds the names. The layout is our own, so that no formatter's version changes a generated file.
"""

from __future__ import annotations

from opencode_nb.api.typegen.operations import stubs

__all__ = ["stubs"]
