"""Files and texts of Python 2 as code."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from pathlib import Path
from types import CodeType

from .meaning import translate
from .syntax import rewrite

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


def source_of(path: str | Path) -> str:
    """The text of a file in the encoding that its first two lines declare; else UTF-8, else Latin-1."""
    data = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf")
    named = next((m[1].decode() for line in data.split(b"\n", 2)[:2] if (m := _COOKIE.match(line))), "utf-8")
    try:
        text = data.decode(named)
    except (UnicodeDecodeError, LookupError):
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def code_of(path: str | Path, *, in_package: bool = False) -> tuple[CodeType, str]:
    """The code of a file of Python 2, and what was translated in words; "" for nothing. SyntaxError for other files.

    In a package, modules that stand beside it may be imported without a dot.
    """
    text, file = source_of(path), Path(path)
    tree, translated = _tree(text, file, file.parent if in_package else None)
    return _code(tree, str(path)), ", ".join(f"{what} x {n}" if n > 1 else what for what, n in translated.most_common())


def compiled(text: str, mode: str = "exec") -> CodeType:
    """The code of a text; with the mode "eval", of an expression."""
    if mode == "exec":
        return _code(_tree(text)[0], "<string>")
    [line] = _tree(text)[0].body
    if not isinstance(line, ast.Expr):
        raise SyntaxError(f"no expression: {text}")
    return compile(ast.Expression(line.value), "<string>", "eval", dont_inherit=True)


def _tree(text: str, path: Path = Path("<string>"), package: Path | None = None) -> tuple[ast.Module, Counter[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # escapes such as "\d" were none, and are told of now
        program = rewrite(text)
        try:
            return translate(program, path, package), program.translated
        except SyntaxError as error:
            try:
                return ast.parse(text, str(path)), Counter()  # it is Python 3 already
            except SyntaxError:
                lines = text.splitlines()
                error.text = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else None
                error.offset = None  # it counts in what was made of the line
            raise


def _code(tree: ast.Module, name: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(tree, name, "exec", dont_inherit=True)
