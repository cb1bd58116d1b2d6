"""Imports of what has another name today, or is gone; names of modules' parts that are gone; relative imports."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from .gone import GONE, MODULES


class Imports(ast.NodeTransformer):
    """Replaces them by what `__py2__` has for them."""

    def __init__(self, tree: ast.Module, folder: Path | None, translated: Counter[str]) -> None:
        """In `folder` stand the modules that may be imported without a dot."""
        self.translated, self.folder = translated, folder
        self.known: dict[str, str] = {}  # what a name in the file stands for: np for numpy
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.known[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    self.known[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            top, _, rest = alias.name.partition(".")
            if self._beside(top):
                self.translated["relative imports"] += 1
                made += _relative(alias, top, rest)
            elif alias.name in MODULES:
                self.translated[alias.name] += 1
                made.append(self._module(alias))
            else:
                made.append(ast.Import([alias]))
        return [ast.copy_location(part, node) for part in made]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        if node.level or node.module is None:
            return [node]
        if self._beside(node.module.partition(".")[0]):
            self.translated["relative imports"] += 1
            node.level = 1
            return [node]
        kept, made = list[ast.alias](), list[ast.stmt]()
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if whole in MODULES:
                value = _py2("module", whole)
            elif whole in GONE:
                value = _py2("gone", whole)
            elif node.module in MODULES and alias.name != "*":
                value = ast.Attribute(_py2("module", node.module), alias.name, ast.Load())
            else:
                kept.append(alias)
                continue
            self.translated[whole] += 1
            made.append(ast.Assign([ast.Name(alias.asname or alias.name, ast.Store())], value))
        if kept:
            made.append(ast.ImportFrom(node.module, kept, 0))
        return [ast.copy_location(part, node) for part in made]

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name = self._whole_name(node)
        if isinstance(node.ctx, ast.Load) and (name in GONE or name in MODULES):
            self.translated[name] += 1
            return ast.copy_location(_py2("gone" if name in GONE else "module", name), node)
        self.generic_visit(node)
        return node

    def _whole_name(self, node: ast.expr) -> str:
        """The name of a part of a module by its whole path; "" for anything else."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, "")
        if isinstance(node, ast.Attribute) and (above := self._whole_name(node.value)):
            return f"{above}.{node.attr}"
        return ""

    def _beside(self, name: str) -> bool:
        if self.folder is None:
            return False
        return (self.folder / f"{name}.py").is_file() or (self.folder / name / "__init__.py").is_file()

    def _module(self, alias: ast.alias) -> ast.stmt:
        """`import StringIO`; of `import scipy.misc` the name is scipy, which may not be there."""
        top, _, rest = alias.name.partition(".")
        value = _py2("module", alias.name) if alias.asname or not rest else _py2("there", top)
        return ast.Assign([ast.Name(alias.asname or top, ast.Store())], value)


def _relative(alias: ast.alias, top: str, rest: str) -> list[ast.stmt]:
    if not rest:
        return [ast.ImportFrom(None, [ast.alias(top, alias.asname)], 1)]
    if alias.asname:
        above, _, last = alias.name.rpartition(".")
        return [ast.ImportFrom(above, [ast.alias(last, alias.asname)], 1)]
    load = ast.Call(_attribute("load"), [ast.Name("__package__", ast.Load()), ast.Constant(alias.name)], [])
    return [ast.Expr(load), ast.ImportFrom(None, [ast.alias(top)], 1)]


def _attribute(name: str) -> ast.Attribute:
    return ast.Attribute(ast.Name("__py2__", ast.Load()), name, ast.Load())


def _py2(what: str, name: str) -> ast.expr:
    return ast.Call(_attribute(what), [ast.Constant(name)], [])
