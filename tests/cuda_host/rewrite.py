"""TEST EQUIPMENT. CUDA C++ text -> host C++ over checked arrays, line for line.

Only what Brew's kernels use is understood (device.h says what each form becomes); the rest is refused by name or
left for the compiler to refuse, never run unchecked in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BUILT_IN = (
    "unsigned long long|unsigned int|unsigned char|long long|signed char|unsigned|float|double|bool|char|int|"
    "size_t|u?int(?:8|16|32|64)_t"
)
_REFUSED = {
    r"\bextern\s+__shared__": "dynamic shared memory",
    r"\*\s*(?:const\s*)?\*\s*\w": "a pointer to a pointer",
    r"\basm\b": "inline assembly",
}


class RewriteError(Exception):
    """A kernel uses a form of CUDA C++ that this equipment does not understand."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the text: where its body lies (braces included) and its parameters' names."""

    name: str
    parameters: tuple[str, ...]
    is_kernel: bool
    body: tuple[int, int]


def without_comments(text: str) -> str:
    """The text with its comments blanked, every line where it was."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0]) if match[0].startswith("/") else match[0]

    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', blank, text, flags=re.S)


def functions(text: str) -> list[Function]:
    """The functions defined at the outermost level of comment-free text."""
    found = []
    for head in re.finditer(r"\b(__global__|__device__)\b[^;{}()]*?(?:__launch_bounds__\s*\([^)]*\)[^;{}()]*?)?"
                            r"\b(\w+)\s*\(", text):  # fmt: skip
        close = _partner(text, head.end() - 1)
        opened = re.compile(r"\s*\{").match(text, close + 1)
        if opened is None:  # declared only
            continue
        listed = text[head.end() : close].strip()
        names = tuple(re.findall(r"\w+", p)[-1] for p in listed.split(",")) if listed else ()
        start = opened.end() - 1
        found.append(Function(head[2], names, head[1] == "__global__", (start, _partner(text, start))))
    return found


def meeting_functions(text: str) -> frozenset[str]:
    """Names of the functions whose threads meet, in shared memory, at barriers or in warps, themselves or in a call."""
    defined = functions(text)
    words = {f.name: set(re.findall(r"\w+", text[f.body[0] : f.body[1]])) for f in defined}
    meeting = {n for n, w in words.items() if any(re.fullmatch(r"__shared__|__sync\w+|__\w+_sync", x) for x in w)}
    while more := {n for n, w in words.items() if n not in meeting and w & meeting}:
        meeting |= more
    return frozenset(meeting)


def rewrite(text: str) -> str:
    """Host C++ for comment-free CUDA text; pointers, shared and local arrays are checked ones."""
    for pattern, what in _REFUSED.items():
        if hit := re.search(pattern, text):
            raise RewriteError(f"line {text.count(chr(10), 0, hit.start()) + 1}: {what} is not supported")
    types = "|".join([_BUILT_IN, *_named_types(text)])
    bodies = functions(text)
    for function in reversed(bodies):  # from the end, so that earlier places stay true
        start, end = function.body
        body = _shared(text[start:end], types)
        text = text[:start] + _mark_stores(_local(body, types)) + text[end:]
    return _pointers(text, types)


def _named_types(text: str) -> list[str]:
    names = re.findall(r"\b(?:typename|class|struct|using)\s+(\w+)", text)
    names += re.findall(r"\btypedef\s[^;]*?(\w+)\s*;", text)
    return sorted(set(names))


def _pointers(text: str, types: str) -> str:
    """`const T* __restrict__ x` -> `Checked<const T> x`, wherever it stands."""
    pattern = rf"\b(const\s+|volatile\s+)*({types})(\s+const)?\s*\*(?:\s*(?:const|__restrict__|__restrict)\b)*"

    def checked(match: re.Match[str]) -> str:
        constant = "const " if re.search(r"\bconst\b", match[0].split("*")[0]) else ""
        return f"Checked<{constant}{match[2]}>" + "\n" * match[0].count("\n")

    text = re.sub(pattern, checked, text)
    if several := re.search(r"Checked<[^<>]*> \w+(?: = [^,;(){}]*)?,\s*\*", text):
        raise RewriteError(f"one pointer to a declaration, please: {several[0]!r}")
    return text.replace("reinterpret_cast<Checked", "brew_host::reinterpret<Checked")


def _shared(body: str, types: str) -> str:
    """`__shared__ T a[N], b[R][C], c;` in a function's body."""
    declaration = re.compile(rf"__shared__\s+(?:volatile\s+)?({types})\s+([^;=]+);")
    while match := declaration.search(body):
        parts = []
        for item in re.split(r",(?![^\[]*\])", match[2]):
            named = re.fullmatch(r"\s*(\w+)\s*((?:\[[^\]]+\]\s*)*)", item)
            if named is None:
                raise RewriteError(f"a shared declaration that is not understood: {match[0]!r}")
            name, sizes = named[1], re.findall(r"\[([^\]]+)\]", named[2])
            if not sizes:  # one variable: an array of one, under another name, until the scope ends
                body = _within_scope(body, match.end(), name, f"{name}_cell[0]")
                name, sizes = f"{name}_cell", ["1"]
            place = f'brew_host::shared<{match[1]}>(&{name}_site, "{name}", {_product(sizes)})'
            parts.append(f"static const char {name}_site = 0; {_array_type(match[1], sizes)} {name}({place}, 0);")
        body = body[: match.start()] + " ".join(parts) + body[match.end() :]
    if "__shared__" in body:
        raise RewriteError("a shared declaration that is not understood: " + body[body.index("__shared__") :][:60])
    return body


def _local(body: str, types: str) -> str:
    """`T a[N] = {...};` in a function's body: a thread's own array."""
    declaration = re.compile(
        rf"(?<=[;{{}}\s)])(const\s+)?({types})\s+(\w+)\s*((?:\[[^\]]+\]\s*)+)(=\s*\{{[^;]*\}}\s*)?;"
    )

    def checked(match: re.Match[str]) -> str:
        name, sizes = match[3], re.findall(r"\[([^\]]+)\]", match[4])
        kind = _array_type((match[1] or "") + match[2], sizes)
        return (
            f"brew_host::Local<{match[2]}, {_product(sizes)}> {name}_own {match[5] or ''}; "
            f'Array {name}_array = {name}_own.describe("{name}"); {kind} {name}(&{name}_array, 0);'
        )

    return declaration.sub(checked, body)


def _array_type(kind: str, sizes: list[str]) -> str:
    return f"Checked<{kind}>" if len(sizes) == 1 else f"brew_host::Grid<{kind}, {', '.join(sizes)}>"


def _product(sizes: list[str]) -> str:
    return "*".join(f"({s})" for s in sizes)


def _within_scope(body: str, start: int, name: str, other: str) -> str:
    depth, end = 0, start
    while end < len(body) and depth >= 0:
        depth += {"{": 1, "}": -1}.get(body[end], 0)
        end += 1
    return body[:start] + re.sub(rf"\b{name}\b", other, body[start:end]) + body[end:]


_STORE_BEHIND = re.compile(r"\s*(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)")
_STORE_BEFORE = re.compile(r"(?:\+\+|--|(?:^|[(,=?:;{}]|\breturn|&&|\|\||\*\s*\))\s*&)\s*$")
_DEREFERENCE = re.compile(r"(?<=[;{}\s)])\*\s*(\w+)(?=\s*(?:[-+*/]?=(?!=)))")


def _mark_stores(body: str) -> str:
    """Wrap the last index of what is stored to, or has its address taken, in Store(...)."""
    body = _DEREFERENCE.sub(lambda m: m[0] if _is_product(body, m.start()) else f"{m[1]}[0]", body)
    marks: dict[int, str] = {}
    for match in re.finditer(r"\b[A-Za-z_]\w*\s*(?=\[)", body):
        opened = match.end()
        closed = _partner(body, opened)
        while follow := re.compile(r"\s*\[").match(body, closed + 1):
            opened = follow.end() - 1
            closed = _partner(body, opened)
        if _STORE_BEHIND.match(body, closed + 1) or _STORE_BEFORE.search(body[: match.start()]):
            marks[opened], marks[closed] = "[brew_host::Store(", ")]"
    return "".join(marks.get(i, c) for i, c in enumerate(body))


def _is_product(body: str, star: int) -> bool:
    before = body[:star].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in "_])")


def _partner(text: str, opened: int) -> int:
    """The place of the bracket that closes the one at `opened`."""
    left, depth = text[opened], 0
    right = {"(": ")", "[": "]", "{": "}"}[left]
    for i in range(opened, len(text)):
        depth += (text[i] == left) - (text[i] == right)
        if depth == 0:
            return i
    raise RewriteError(f"an unclosed {left!r} at line {text.count(chr(10), 0, opened) + 1}")
