"""Tell which names a cell reads, reads later from its functions, and sets, in the order of its execution. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opencode_nb.verify.source import may_define_anything, parsed

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Names:
    """The global names of a cell.

    `reads`: those it needs when it runs. `later`: those that its functions need when they are called. `sets`: those it
    defines. `hidden`: whether it may define others, too.
    """

    reads: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    hidden: bool = False


def names_of(source: str) -> Names:
    """Return the names of a cell; of one that is not Python nothing is known."""
    module = parsed(source)
    if module is None:
        return Names(hidden=True)
    scope = _Scope()
    try:
        scope.run(module.body)
    except RecursionError:
        return Names(hidden=True)
    later = frozenset(scope.later - scope.sets)
    return Names(frozenset(scope.reads), later, frozenset(scope.sets), may_define_anything(source))


class _Scope(ast.NodeVisitor):
    """Follows the statements of one scope. A branch counts as taken."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.sets: set[str] = set(known)
        self.reads: set[str] = set()
        self.later: set[str] = set()
        self.globals: set[str] = set()

    def run(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def read(self, names: Iterable[str]) -> None:
        self.reads |= set(names) - self.sets

    # -- names ---------------------------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.sets.add(node.id)
            return
        self.read([node.id])
        if isinstance(node.ctx, ast.Del):
            self.sets.discard(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        self.globals |= set(node.names)

    def visit_alias(self, node: ast.alias) -> None:
        self.sets.add(node.asname or node.name.partition(".")[0])

    def visit_TypeVar(self, node: Any) -> None:  # from Python 3.12 on
        self.sets.add(node.name)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.run([node.type])
        self.sets |= {node.name} if node.name else set()
        self.run(node.body)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.run([node.pattern])
        self.sets |= {node.name} if node.name else set()

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.sets |= {node.name} if node.name else set()

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.run([*node.keys, *node.patterns])
        self.sets |= {node.rest} if node.rest else set()

    # -- what runs in another order than it is written -----------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.run([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read([node.target.id])
        self.run([node.value, node.target])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.run([node.annotation, node.value])
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.run([node.iter, node.target, *node.body, *node.orelse])

    visit_AsyncFor = visit_For

    # -- scopes inside -------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.run([*node.decorator_list, *getattr(node, "type_params", ()), node.returns])
        self._function(node, node.body)
        self.sets.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [node.body])

    def _function(self, node: _Function, body: Iterable[ast.AST]) -> None:
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        self.run([*given.defaults, *given.kw_defaults, *(one.annotation for one in every if one)])
        inside = _Scope()
        inside.run(body)
        own = (inside.sets | {one.arg for one in every if one}) - inside.globals
        self.later |= (inside.reads | inside.later) - own
        self.sets |= inside.sets & inside.globals

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.run([*node.decorator_list, *getattr(node, "type_params", ()), *node.bases, *node.keywords])
        inside = _Scope()
        inside.run(node.body)
        self.read(inside.reads)
        self.later |= inside.later
        self.sets.add(node.name)

    def _comprehension(self, node: _Comprehension) -> None:
        inside = _Scope(self.sets)
        inside.run(node.generators)
        inside.run([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.reads |= inside.reads
        self.later |= inside.later - inside.sets
        self.sets |= {one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr)}

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.run([node.iter, node.target, *node.ifs])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.run([node.value, node.target])
