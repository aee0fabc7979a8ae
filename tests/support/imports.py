"""What a module imports, read from its source: at once, or lazily inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One imported module, by its full dotted name. `lazy`: only when some function is called."""

    module: str
    line: int
    lazy: bool


def imports(file: Path, package: str) -> list[Import]:
    """Return what `file`, a module of the dotted `package`, imports at run time; `if TYPE_CHECKING:` is left out."""
    return list(_imports(ast.parse(file.read_text(encoding="utf-8")).body, package, lazy=False))


def _imports(nodes: list[ast.stmt], package: str, *, lazy: bool) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, package, lazy)
        else:
            yield from _imports_below(node, package, lazy)


def _imported_from(node: ast.ImportFrom, package: str, lazy: bool) -> Iterator[Import]:
    """`from a import b` may import the module a.b: give the longer name, of which every wall looks at the beginning."""
    parents = package.split(".")
    above = parents[: len(parents) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    yield from (Import(f"{base}.{alias.name}", node.lineno, lazy) for alias in node.names)


def _imports_below(node: ast.AST, package: str, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        yield from _imports(node.orelse, package, lazy=lazy)
        return
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for _, children in ast.iter_fields(node):
        if isinstance(children, list):
            for child in children:
                if isinstance(child, ast.stmt):
                    yield from _imports([child], package, lazy=lazy)
                elif isinstance(child, ast.AST):  # an except handler or a match case holds statements
                    yield from _imports_below(child, package, lazy)
