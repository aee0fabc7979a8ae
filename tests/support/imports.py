"""What modules import, read from their sources: at once, lazily inside a function, or for types only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

When = Literal["at once", "lazily", "for types"]


@dataclass(frozen=True)
class Import:
    """One imported module, by its full dotted name, and when it is imported."""

    module: str
    line: int
    when: When


def imports(file: Path, package: str) -> list[Import]:
    """Return what `file`, a module of the dotted `package`, imports, with what stands under `if TYPE_CHECKING:`."""
    return list(_imports(ast.parse(file.read_text(encoding="utf-8")).body, package, "at once"))


def import_graph(package: Path) -> dict[str, set[str]]:
    """Return every module below a package's folder with those of its modules that it imports, at whatever time."""
    files = {module_name(file, package.parent): file for file in package.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, file in files.items():
        found = imports(file, ".".join(file.relative_to(package.parent).parent.parts))
        targets = {item.module if item.module in files else item.module.rpartition(".")[0] for item in found}
        graph[name] = (targets & files.keys()) - {name}
    return graph


def module_name(file: Path, root: Path) -> str:
    """Return the dotted name of a module below the folder `root`."""
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imports(nodes: list[ast.stmt], package: str, when: When) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, package, when)
        else:
            yield from _imports_below(node, package, when)


def _imported_from(node: ast.ImportFrom, package: str, when: When) -> Iterator[Import]:
    """`from a import b` may import the module a.b: give the longer name, of which every wall looks at the beginning."""
    parents = package.split(".")
    above = parents[: len(parents) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    yield from (Import(f"{base}.{alias.name}", node.lineno, when) for alias in node.names)


def _imports_below(node: ast.AST, package: str, when: When) -> Iterator[Import]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        yield from _imports(node.body, package, "for types")
        yield from _imports(node.orelse, package, when)
        return
    if when == "at once" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        when = "lazily"
    for _, children in ast.iter_fields(node):
        if isinstance(children, list):
            for child in children:
                if isinstance(child, ast.stmt):
                    yield from _imports([child], package, when)
                elif isinstance(child, ast.AST):  # an except handler or a match case holds statements
                    yield from _imports_below(child, package, when)
