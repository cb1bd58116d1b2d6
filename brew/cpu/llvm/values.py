"""The values of a function that is being written: whole numbers, truths, vectors of float32, and variables.

They are Python objects with operators; each operator writes an instruction into the function's text (cpu.llvm.text).
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

from .text import Text

Number: TypeAlias = "Value | int"


class Value:
    """A value of the function that is being written: its name there, and the text."""

    __slots__ = ("_text", "name")

    def __init__(self, text: Text, name: str) -> None:
        self._text, self.name = text, name


class Int(Value):
    """A 64-bit whole number. Division is of what is not negative."""

    __slots__ = ()

    def _with(self, what: str, other: Int | int) -> Int:
        return Int(self._text, self._text.line(f"{what} i64 {self.name}, {name_of(other)}"))

    def __add__(self, other: Int | int) -> Int:
        return self if isinstance(other, int) and other == 0 else self._with("add nsw", other)

    def __sub__(self, other: Int | int) -> Int:
        return self._with("sub nsw", other)

    def __mul__(self, other: Int | int) -> Int:
        return self if isinstance(other, int) and other == 1 else self._with("mul nsw", other)

    def __floordiv__(self, other: Int | int) -> Int:
        return self._with("udiv", other)

    def __mod__(self, other: Int | int) -> Int:
        return self._with("urem", other)

    def _compare(self, how: str, other: Int | int) -> Bool:
        return Bool(self._text, self._text.line(f"icmp {how} i64 {self.name}, {name_of(other)}"))

    def __lt__(self, other: Int | int) -> Bool:
        return self._compare("slt", other)

    def __ge__(self, other: Int | int) -> Bool:
        return self._compare("sge", other)

    def inside(self, end: Int | int) -> Bool:
        """Whether it is from 0 on and below `end`."""
        return (self >= 0) & (self < end)

    def equals(self, other: Int | int) -> Bool:
        return self._compare("eq", other)

    def least(self, other: Int | int) -> Int:
        """The smaller of the two."""
        return (self < other).select(self, other)


class Bool(Value):
    """True or false."""

    __slots__ = ()

    def __and__(self, other: Bool) -> Bool:
        return Bool(self._text, self._text.line(f"and i1 {self.name}, {other.name}"))

    def negated(self) -> Bool:
        return Bool(self._text, self._text.line(f"xor i1 {self.name}, true"))

    def select(self, yes: Int | int, no: Int | int) -> Int:
        """`yes` where it is true, else `no`; both are known."""
        return Int(self._text, self._text.line(f"select i1 {self.name}, i64 {name_of(yes)}, i64 {name_of(no)}"))


class Mask(Value):
    """Which lanes of a vector are meant."""

    __slots__ = ()


class Bytes(Value):
    """Some bytes, each a whole number from 0 to 255."""

    __slots__ = ("_count",)

    def __init__(self, text: Text, name: str, count: int) -> None:
        super().__init__(text, name)
        self._count = count

    def floats(self, first: int, step: int) -> Vector:
        """Every `step`th of them from number `first` on, as many as a vector has lanes, as float32."""
        t, kind = self._text, f"<{self._count} x i8>"
        lanes = ", ".join(f"i32 {first + step * i}" for i in range(t.width))
        chosen = t.line(f"shufflevector {kind} {self.name}, {kind} poison, <{t.width} x i32> <{lanes}>")
        return Vector(t, t.line(f"uitofp <{t.width} x i8> {chosen} to {t.vector}"))


class Vector(Value):
    """As many float32 as the processor's vectors hold. A plain number stands for a vector full of it."""

    __slots__ = ()

    def _with(self, what: str, other: Vector | float) -> Vector:
        kind = self._text.vector
        return Vector(self._text, self._text.line(f"{what} {kind} {self.name}, {operand(self._text, other)}"))

    def __add__(self, other: Vector | float) -> Vector:
        return self._with("fadd", other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._with("fsub", other)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._with("fmul", other)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._with("fdiv", other)

    def times_plus(self, factor: Vector | float, summand: Vector) -> Vector:
        """self * factor + summand, rounded once."""
        t = self._text
        arguments = ", ".join(f"{t.vector} {operand(t, v)}" for v in (self, factor, summand))
        return Vector(t, t.line(f"call {t.vector} @llvm.fma.v{t.width}f32({arguments})"))

    def reversed(self) -> Vector:
        """Its lanes in the opposite order."""
        t = self._text
        lanes = ", ".join(f"i32 {i}" for i in reversed(range(t.width)))
        return Vector(
            t, t.line(f"shufflevector {t.vector} {self.name}, {t.vector} poison, <{t.width} x i32> <{lanes}>")
        )

    def root(self) -> Vector:
        """The square root."""
        t = self._text
        return Vector(t, t.line(f"call {t.vector} @llvm.sqrt.v{t.width}f32({t.vector} {self.name})"))

    def where_above_zero(self, other: Vector) -> Vector:
        """Itself where `other` is above 0, else 0."""
        t = self._text
        above = t.line(f"fcmp ogt {t.vector} {other.name}, zeroinitializer")
        choice = f"select <{t.width} x i1> {above}, {t.vector} {self.name}, {t.vector} zeroinitializer"
        return Vector(t, t.line(choice))

    def rectified(self, slope: Vector) -> Vector:
        """Itself where it is above 0, else itself times `slope`, as Caffe's ReLU has it."""
        t = self._text
        low, above = self * slope, t.line(f"fcmp ogt {t.vector} {self.name}, zeroinitializer")
        choice = f"select <{t.width} x i1> {above}, {t.vector} {self.name}, {t.vector} {low.name}"
        return Vector(t, t.line(choice))


class Cell:
    """A variable: what it holds changes as the function runs."""

    __slots__ = ("_kind", "_make", "_text", "name")

    def __init__(self, text: Text, start: Int | Vector | int) -> None:
        self._text = text
        self._make: type[Int] | type[Vector] = Vector if isinstance(start, Vector) else Int
        self._kind = text.vector if isinstance(start, Vector) else "i64"
        self.name = text.variable(self._kind)
        self.set(start)

    def set(self, value: Int | Vector | int) -> None:
        self._text.line(f"store {self._kind} {name_of(value)}, ptr {self.name}", named=False)

    def get(self) -> Any:
        return self._make(self._text, self._text.line(f"load {self._kind}, ptr {self.name}"))


def name_of(value: Number) -> str:
    """How an instruction calls it."""
    return value.name if isinstance(value, Value) else str(value)


def operand(text: Text, value: Vector | float) -> str:
    """How an instruction calls a vector; a plain number is written out, once for each lane."""
    if isinstance(value, Vector):
        return value.name
    number = f"0x{_bits(value):016X}"
    return f"<{', '.join([f'float {number}'] * text.width)}>"


def _bits(value: float) -> int:
    """A float32's value as LLVM writes it: the bits of the same number in 64."""
    rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    bits: int = struct.unpack("<Q", struct.pack("<d", rounded))[0]
    return bits
