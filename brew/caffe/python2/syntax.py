"""What Python 3 does not parse, written so that it does. Every line stays where it is, so that errors name it.

Where the meaning has to be Python 2's too, the new text calls `__py2__` (.running).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .tokens import CLOSING, OPENING, Token, statements, tokens_of

_NEW_KEYWORDS = frozenset(("async", "await", "nonlocal"))
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Rewritten:
    """A program that Python 3 parses.

    future      what it has imported from __future__
    unpacked    by the name of a parameter that stands for several, the tuple that they were
    translated  what was translated, and how often
    """

    text: str = ""
    future: set[str] = field(default_factory=set)
    unpacked: dict[str, str] = field(default_factory=dict)
    translated: Counter[str] = field(default_factory=Counter)


def rewrite(text: str) -> Rewritten:
    """`text`, which is Python 2, in Python 3's syntax."""
    result = Rewritten()
    tokens = tokens_of(text)
    parts = list(statements(tokens))
    for statement in parts:
        words = [t.text for t in statement]
        if words[:3] == ["from", "__future__", "import"]:
            result.future.update(words[3:])
    for token in tokens:
        _word(token, result.translated)
    _backticks([t for t in tokens if t.text == "`" and t.kind == "op"], result.translated)
    for statement in parts:
        _statement(statement, result)
    result.text = "".join(t.text for t in tokens)
    return result


def _word(token: Token, translated: Counter[str]) -> None:
    """One token, wherever it stands."""
    before = token.text
    if token.kind == "indent":
        token.text = before.expandtabs(8)
        return
    if token.kind == "number":
        token.text = before.rstrip("lL")
        if re.fullmatch("0[0-7]+", token.text) and token.text.strip("0"):
            token.text = f"0o{token.text[1:]}"
    elif token.kind == "string":
        token.text = _string(before)
    elif token.kind == "op" and before == "<>":
        token.text = "!="
    elif token.kind == "name" and before in _NEW_KEYWORDS:
        token.text = f"{before}_"
    if token.text != before:
        kinds = {"number": "numbers (0777, 1L)", "string": "strings", "op": "<>", "name": f"the name {before}"}
        translated[kinds[token.kind]] += 1


def _string(text: str) -> str:
    prefix = text[: min(text.find(q) for q in "'\"" if q in text)].lower()
    if prefix == "ur":
        return text[1:]
    if prefix == "" and "\\" in text:  # in bytes, which Python 2's strings were, \u and \N are no escapes
        return _ESCAPE.sub(lambda m: f"\\{m[0]}" if m[1] in "uUN" else m[0], text)
    return text


def _backticks(found: Sequence[Token], translated: Counter[str]) -> None:
    for number, token in enumerate(found):
        token.text = ")" if number % 2 else "repr("
        translated["`x`"] += 1 - number % 2


def _statement(statement: list[Token], result: Rewritten) -> None:
    first = statement[0].text if statement[0].kind == "name" else ""
    if first == "print" and "print_function" not in result.future:
        _print(statement)
        result.translated["print"] += 1
    elif first == "exec":
        _exec(statement)
        result.translated["exec"] += 1
    elif first == "raise" and (commas := _commas(statement[1:])):
        result.translated["raise E, x"] += len(commas) > 0
        _wrap(statement[1:], "__py2__.raised(", ")")
    elif first == "except":
        for comma in _commas(statement)[:1]:
            comma.text = " as "
            result.translated["except E, e"] += 1
    _tuple_parameters(statement, result)


def _commas(tokens: Sequence[Token], depth: int = 0) -> list[Token]:
    return [t for t in tokens if t.text == "," and t.kind == "op" and t.depth == depth]


def _wrap(tokens: Sequence[Token], before: str, after: str) -> None:
    tokens[0].text = before + tokens[0].text
    tokens[-1].text += after


def _print(statement: list[Token]) -> None:
    """`print >>f, a, b,` is `__py2__.say(False, f, a, b)`."""
    items = statement[1:]
    ends = not (items and items[-1].text == "," and items[-1].kind == "op")
    if not ends:
        items.pop().text = ""
    to_file = bool(items) and items[0].text == ">>"
    if to_file:
        items[0].text = ""
    statement[0].text = f"__py2__.say({ends}, {'' if to_file else 'None, '}"
    statement[-1].text += ")"


def _exec(statement: list[Token]) -> None:
    """`exec code in globals, locals`, and `exec(code, globals, locals)`, which is a tuple to the grammar."""
    for inside in [t for t in statement if t.text == "in" and t.kind == "name" and not t.depth][:1]:
        inside.text = " , "
    statement[0].text = "exec(*__py2__.to_run(("
    statement[-1].text += ")))"


def _tuple_parameters(statement: list[Token], result: Rewritten) -> None:
    """Parameters that are tuples, of def and lambda, get a name; .meaning unpacks them."""
    for number, token in enumerate(statement):
        if token.kind != "name" or token.text not in ("def", "lambda"):
            continue
        if token.text == "def":
            parameters = statement[number + 3 :]
            depth = token.depth + 1
        else:
            parameters, depth = statement[number + 1 :], token.depth
        for group in _tuples(parameters, depth):
            name = f"_tuple_{len(result.unpacked)}"
            result.unpacked[name] = "".join(f" {t.text}" for t in group)
            result.translated["tuple parameters"] += 1
            group[0].text = name
            for other in group[1:]:
                other.text = ""


def _tuples(parameters: Sequence[Token], depth: int) -> Iterator[list[Token]]:
    """The bracketed parameters of a list that ends where its bracket does, or with a lambda's colon."""
    begins, group = True, list[Token]()
    for token in parameters:
        if token.kind == "op" and token.depth == depth and token.text == ":" and not group:
            return
        if token.depth < depth:
            return
        if group or (begins and token.text in OPENING and token.depth == depth):
            group.append(token)
            if token.text in CLOSING and token.depth == depth:
                yield group
                group = []
        begins = token.text == "," and token.depth == depth
