"""The values of a function that is being written: whole numbers, truths, vectors of float32, and variables.

They are Python objects with operators; each operator writes an instruction (brew.native.writer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .writer import Writer

Number: TypeAlias = "Value | int"


class Value:
    """A value of the function that is being written: its name there, and who writes it."""

    __slots__ = ("_writer", "name")

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer, self.name = writer, name


class Int(Value):
    """A 64-bit whole number. Division is of what is not negative."""

    __slots__ = ()

    def _with(self, what: str, other: Int | int) -> Int:
        return Int(self._writer, self._writer.line(f"{what} i64 {self.name}, {name_of(other)}"))

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
        return Bool(self._writer, self._writer.line(f"icmp {how} i64 {self.name}, {name_of(other)}"))

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
        return Bool(self._writer, self._writer.line(f"and i1 {self.name}, {other.name}"))

    def negated(self) -> Bool:
        return Bool(self._writer, self._writer.line(f"xor i1 {self.name}, true"))

    def select(self, yes: Int | int, no: Int | int) -> Int:
        """`yes` where it is true, else `no`; both are known."""
        return Int(self._writer, self._writer.line(f"select i1 {self.name}, i64 {name_of(yes)}, i64 {name_of(no)}"))


class Vector(Value):
    """As many float32 as the processor's vectors hold. A plain number stands for a vector full of it."""

    __slots__ = ()

    def _with(self, what: str, other: Vector | float) -> Vector:
        kind = self._writer.vector
        return Vector(self._writer, self._writer.line(f"{what} {kind} {self.name}, {self._writer.operand(other)}"))

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
        w = self._writer
        arguments = ", ".join(f"{w.vector} {w.operand(v)}" for v in (self, factor, summand))
        return Vector(w, w.line(f"call {w.vector} @llvm.fma.v{w.width}f32({arguments})"))

    def root(self) -> Vector:
        """The square root."""
        w = self._writer
        return Vector(w, w.line(f"call {w.vector} @llvm.sqrt.v{w.width}f32({w.vector} {self.name})"))

    def where_above_zero(self, other: Vector) -> Vector:
        """Itself where `other` is above 0, else 0."""
        w = self._writer
        above = w.line(f"fcmp ogt {w.vector} {other.name}, zeroinitializer")
        choice = f"select <{w.width} x i1> {above}, {w.vector} {self.name}, {w.vector} zeroinitializer"
        return Vector(w, w.line(choice))

    def rectified(self, slope: Vector) -> Vector:
        """Itself where it is above 0, else itself times `slope`, as Caffe's ReLU has it."""
        w = self._writer
        low, above = self * slope, w.line(f"fcmp ogt {w.vector} {self.name}, zeroinitializer")
        choice = f"select <{w.width} x i1> {above}, {w.vector} {self.name}, {w.vector} {low.name}"
        return Vector(w, w.line(choice))


class Cell:
    """A variable: what it holds changes as the function runs."""

    __slots__ = ("_kind", "_make", "_writer", "name")

    def __init__(self, writer: Writer, start: Int | Vector | int) -> None:
        self._writer = writer
        self._make: type[Int] | type[Vector] = Vector if isinstance(start, Vector) else Int
        self._kind = writer.vector if isinstance(start, Vector) else "i64"
        self.name = writer.variable(self._kind)
        self.set(start)

    def set(self, value: Int | Vector | int) -> None:
        self._writer.line(f"store {self._kind} {name_of(value)}, ptr {self.name}", named=False)

    def get(self) -> Any:
        return self._make(self._writer, self._writer.line(f"load {self._kind}, ptr {self.name}"))


def name_of(value: Number) -> str:
    """How an instruction calls it."""
    return value.name if isinstance(value, Value) else str(value)
