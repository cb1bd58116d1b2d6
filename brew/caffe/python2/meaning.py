"""What Python 3 parses and means otherwise: in the syntax tree, calls of `__py2__` (.running) take its place.

What a thing is shows only at run time (a division of ints, keys of a dict), so the calls look there.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from .imports import Imports
from .old_builtins import BUILTINS
from .syntax import Rewritten

_LISTED = ("keys", "values", "items")
_LAZY = {f"{how}{what}": what for how in ("iter", "view") for what in ("keys", "values", "items")}
_METHODS = {"has_key": "has_key", "sort": "sort", "decode": "decode", "encode": "encode", "format": "format_",
            "tostring": "to_string"}  # fmt: skip
_RENAMED = {"next": "__next__", "__nonzero__": "__bool__", "__div__": "__truediv__", "__rdiv__": "__rtruediv__",
            "__idiv__": "__itruediv__"}  # fmt: skip
_OF_NUMBERS = ("int", "float", "long", "round")
_NUMBERS = re.compile(r"([^%]|%%|%[-+ #0]*[\d.*]*[diouxXeEfFgG])*", re.DOTALL)  # a format without texts and names

_OF_FUNCTIONS = {
    "func_name": "__name__", "func_code": "__code__", "func_defaults": "__defaults__", "func_globals": "__globals__",
    "func_doc": "__doc__", "im_func": "__func__", "im_self": "__self__",
}  # fmt: skip
_SCOPES = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)
T = TypeVar("T", bound=ast.AST)


def translate(program: Rewritten, path: Path, package: Path | None) -> ast.Module:
    """The syntax tree of a program, with Python 2's meaning. SyntaxError where it is no Python 2 either.

    `path` is its file, for errors; in the folder `package` stand the modules that it may import without a dot.
    """
    tree = ast.parse(program.text, str(path))
    imports = Imports(tree, None if "absolute_import" in program.future else package, program.translated)
    imports.visit(tree)
    meaning = _Meaning(program.unpacked, program.translated, division="division" not in program.future)
    meaning.visit(tree)
    return ast.fix_missing_locations(tree)


def helper(name: str, *arguments: ast.expr, at: ast.AST) -> ast.Call:
    """A call of `__py2__.name` in place of the node `at`."""
    attribute = ast.Attribute(ast.Name("__py2__", ast.Load()), name, ast.Load())
    return ast.copy_location(ast.Call(attribute, list(arguments), []), at)


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float | complex)


class _Meaning(ast.NodeTransformer):
    def __init__(self, unpacked: Mapping[str, str], translated: Counter[str], *, division: bool) -> None:
        self.unpacked, self.translated, self.division = unpacked, translated, division
        self.caught: list[str] = []  # names of exceptions, in the handlers around

    # --- division ------------------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if (
            isinstance(node.op, ast.Mod)
            and isinstance(node.left, ast.Constant)
            and _NUMBERS.fullmatch(str(node.left.value))
        ):
            node.right = helper("numbers", node.right, at=node.right)
        if not self.division or not isinstance(node.op, ast.Div) or _is_float(node.left) or _is_float(node.right):
            return node
        self.translated["/"] += 1
        return helper("divide", node.left, node.right, at=node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign:
        self.generic_visit(node)
        if self.division and isinstance(node.op, ast.Div) and not _is_float(node.value):
            self.translated["/"] += 1
            node.value = helper("Divisor", node.value, at=node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """`a[i] = v` of one index, which may be an array of fewer elements than `v`."""
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) > 1 or not isinstance(target, ast.Subscript):
            return node
        if isinstance(target.slice, ast.Slice | ast.Tuple | ast.Constant):
            return node
        return ast.copy_location(ast.Expr(helper("put", target.value, target.slice, node.value, at=node)), node)

    # --- names and calls -----------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if isinstance(node.ctx, ast.Load) and node.id in BUILTINS:
            self.translated[node.id] += 1
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr in _OF_FUNCTIONS and isinstance(node.ctx, ast.Load):
            self.translated[node.attr] += 1
            node.attr = _OF_FUNCTIONS[node.attr]
        caught = isinstance(node.value, ast.Name) and node.value.id in self.caught
        if caught and node.attr == "message" and isinstance(node.ctx, ast.Load):
            self.translated["e.message"] += 1
            return helper("message", node.value, at=node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "eval" and node.args:
            node.args[0] = helper("expression", node.args[0], at=node.args[0])
        if isinstance(node.func, ast.Name) and node.func.id == "execfile" and node.args:
            self.translated["execfile"] += 1
            node.func.id = "exec"
            node.args[0] = helper("in_file", node.args[0], at=node.args[0])
        if isinstance(node.func, ast.Name) and node.func.id == "str" and len(node.args) == 1 and not node.keywords:
            return helper("text", *node.args, at=node)
        if (
            isinstance(node.func, ast.Name)
            and node.func.id in _OF_NUMBERS
            and len(node.args) == 1
            and not node.keywords
        ):
            node.args[0] = helper("scalar", *node.args, at=node.args[0])
        if not isinstance(node.func, ast.Attribute):
            return node
        name, on = node.func.attr, node.func.value
        bare = not node.args and not node.keywords
        if bare and name in _LISTED:
            return helper("listed", node, at=node)
        if bare and name in _LAZY:
            self.translated[f"{name}()"] += 1
            return helper("lazy", on, ast.Constant(name), ast.Constant(_LAZY[name]), at=node)
        if bare and name == "next":
            self.translated["x.next()"] += 1
            return helper("advance", on, at=node)
        if name in _METHODS and not (name == "sort" and not node.args and "cmp" not in _keywords(node)):
            self.translated[f"{name}()"] += 1
            made = helper(_METHODS[name], on, *node.args, at=node)
            made.keywords = node.keywords
            return made
        return node

    def visit_Slice(self, node: ast.Slice) -> ast.Slice:
        """Bounds of slices may be floats."""
        self.generic_visit(node)
        node.lower, node.upper = (
            end if end is None or ast.unparse(end).lstrip("-").isdigit() else helper("bound", end, at=end)
            for end in (node.lower, node.upper)
        )
        return node

    # --- functions, classes, handlers ----------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        for argument in reversed(node.args.args):
            if argument.arg in self.unpacked:
                text = f"{self.unpacked[argument.arg].strip()} = {argument.arg}"
                node.body.insert(0, _moved(ast.parse(text).body[0], node.body[0]))
        if any(_yields(part) for part in node.body):
            node.body = _ending_quietly(node.body)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """`lambda (k, v): v` is `lambda t: [v for (k, v) in (t,)][0]`."""
        self.generic_visit(node)
        for argument in reversed(node.args.args):
            if argument.arg in self.unpacked:
                text = f"[0 for {self.unpacked[argument.arg]} in ({argument.arg},)][0]"
                found = ast.parse(text, mode="eval").body
                assert isinstance(found, ast.Subscript)
                assert isinstance(found.value, ast.ListComp)
                found.value.elt = node.body
                node.body = _moved(found, node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        defined = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        for old, new in _RENAMED.items():
            if old in defined and new not in defined and (old != "next" or "__iter__" in defined):
                self.translated[old] += 1
                node.body.append(_moved(ast.parse(f"{new} = {old}").body[0], node.body[-1]))
        if "__cmp__" in defined:
            self.translated["__cmp__"] += 1
            node.decorator_list.append(helper("compared", at=node).func)
        for part in node.body:
            if isinstance(part, ast.Assign) and [ast.unparse(t) for t in part.targets] == ["__metaclass__"]:
                self.translated["__metaclass__"] += 1
                node.keywords.append(ast.keyword("metaclass", part.value))
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        """The name of what was caught stays after the handler."""
        if node.name is not None:
            self.caught.append(node.name)
            text = f"{node.name} = {node.name}__caught"
            node.body.insert(0, _moved(ast.parse(text).body[0], node.body[0]))
        self.generic_visit(node)
        if node.name is not None:
            self.caught.pop()
            node.name = f"{node.name}__caught"
        return node


def _yields(node: ast.AST) -> bool:
    """Whether the function that this is part of is a generator for it."""
    if isinstance(node, ast.Yield):
        return True
    return not isinstance(node, _SCOPES) and any(_yields(part) for part in ast.iter_child_nodes(node))


def _ending_quietly(body: list[ast.stmt]) -> list[ast.stmt]:
    """A generator's body in which StopIteration, also of an inner `next()`, ends it."""
    attempt = ast.parse("try: pass\nexcept StopIteration: return").body[0]
    assert isinstance(attempt, ast.Try)
    _moved(attempt, body[-1]).body = body
    return [attempt]


def _keywords(node: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in node.keywords}


def _moved(node: T, at: ast.AST) -> T:
    """A new node, and all in it that has no place, at the line of `at`."""
    for part in ast.walk(node):
        if isinstance(part, ast.stmt | ast.expr) and part.lineno == 1:
            ast.copy_location(part, at)
    return node
