"""Writes functions over pixels: vectors of bytes, read as float32 or 32-bit whole numbers, rounded, stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from brew.cpu.llvm import compiler
from brew.cpu.llvm.values import Int, Mask, Value, Vector, operand
from brew.cpu.llvm.writer import Writer


class Ints(Value):
    """As many 32-bit whole numbers as the processor's vectors hold float32."""

    __slots__ = ()

    def _with(self, what: str, other: Ints | int) -> Ints:
        width = self._text.width
        name = other.name if isinstance(other, Ints) else f"<{', '.join([f'i32 {other}'] * width)}>"
        return Ints(self._text, self._text.line(f"{what} <{width} x i32> {self.name}, {name}"))

    def __add__(self, other: Ints | int) -> Ints:
        return self._with("add", other)

    def __mul__(self, other: Ints | int) -> Ints:
        return self._with("mul", other)

    def __and__(self, other: Ints | int) -> Ints:
        return self._with("and", other)

    def shifted(self, bits: Ints | int) -> Ints:
        """Down by so many bits, with its sign."""
        return self._with("ashr", bits)

    def within(self, low: int, high: int) -> Ints:
        """Itself, but at least `low` and at most `high`."""
        return self._chosen("slt", low)._chosen("sgt", high)

    def _chosen(self, how: str, limit: int) -> Ints:
        width, kind = self._text.width, f"<{self._text.width} x i32>"
        limits = f"<{', '.join([f'i32 {limit}'] * width)}>"
        beyond = self._text.line(f"icmp {how} {kind} {self.name}, {limits}")
        return Ints(self._text, self._text.line(f"select <{width} x i1> {beyond}, {kind} {limits}, {kind} {self.name}"))

    def floats(self) -> Vector:
        width = self._text.width
        return Vector(self._text, self._text.line(f"sitofp <{width} x i32> {self.name} to {self._text.vector}"))


class PixelWriter(Writer):
    """A `Writer` that knows bytes. A `Mask` of every access says which of a vector's pixels are meant."""

    # --- floats -----------------------------------------------------------------------------------------------------

    def least(self, a: Vector, b: Vector | float) -> Vector:
        """The smaller of two, lane by lane."""
        return self.where("olt", a, b, a, b)

    def most(self, a: Vector, b: Vector | float) -> Vector:
        return self.where("ogt", a, b, a, b)

    def where(self, how: str, a: Vector, b: Vector | float, yes: Vector | float, no: Vector | float) -> Vector:
        """`yes` where a compares so with b ("olt", "oge", "oeq", ...), else `no`."""
        kind = self.vector
        test = self.line(f"fcmp {how} {kind} {a.name}, {operand(self, b)}")
        choice = f"select <{self.width} x i1> {test}, {kind} {operand(self, yes)}, {kind} {operand(self, no)}"
        return Vector(self, self.line(choice))

    def floor(self, value: Vector) -> Vector:
        return Vector(self, self.line(f"call {self.vector} @llvm.floor.v{self.width}f32({self.vector} {value.name})"))

    def rounded(self, value: Vector) -> Vector:
        """To the nearest whole number, halves to the even one."""
        return Vector(self, self.line(f"call {self.vector} @llvm.rint.v{self.width}f32({self.vector} {value.name})"))

    def whole(self, value: Vector) -> Ints:
        """Of floats that are whole numbers."""
        return Ints(self, self.line(f"fptosi {self.vector} {value.name} to <{self.width} x i32>"))

    def as_floats(self, value: Ints) -> Vector:
        """The same bits, called float32."""
        return Vector(self, self.line(f"bitcast <{self.width} x i32> {value.name} to {self.vector}"))

    def as_ints(self, value: Vector) -> Ints:
        """The same bits, called whole numbers."""
        return Ints(self, self.line(f"bitcast {self.vector} {value.name} to <{self.width} x i32>"))

    def ramp(self) -> Vector:
        """0, 1, 2, ..."""
        return Vector(self, f"<{', '.join(f'float {float(i)}' for i in range(self.width))}>")

    def spread(self, number: Int) -> Vector:
        """A vector full of a whole number, as float32."""
        return Vector(self, self._full("float", self.line(f"sitofp i64 {number.name} to float")))

    # --- bytes ------------------------------------------------------------------------------------------------------

    def load_pixels(self, address: Int, mask: Mask) -> Vector:
        w, bytes_ = self.width, f"<{self.width} x i8>"
        call = (
            f"call {bytes_} @llvm.masked.load.v{w}i8.p0(ptr {self._pointer(address)}, i32 1, <{w} x i1> {mask.name}, "
        )
        return Vector(
            self, self.line(f"uitofp {bytes_} {self.line(f'{call}{bytes_} zeroinitializer)')} to {self.vector}")
        )

    def store_pixels(self, address: Int, value: Ints, mask: Mask) -> None:
        """Of numbers from 0 to 255."""
        w = self.width
        low = self.line(f"trunc <{w} x i32> {value.name} to <{w} x i8>")
        call = f"call void @llvm.masked.store.v{w}i8.p0(<{w} x i8> {low}, ptr {self._pointer(address)}"
        self.line(f"{call}, i32 1, <{w} x i1> {mask.name})", named=False)

    # --- whole numbers ----------------------------------------------------------------------------------------------

    def load_ints(self, address: Int, mask: Mask) -> Ints:
        w, kind = self.width, f"<{self.width} x i32>"
        call = f"call {kind} @llvm.masked.load.v{w}i32.p0(ptr {self._pointer(address)}, i32 4, <{w} x i1> {mask.name}, "
        return Ints(self, self.line(f"{call}{kind} zeroinitializer)"))

    def store_ints(self, address: Int, value: Ints, mask: Mask) -> None:
        w = self.width
        call = f"call void @llvm.masked.store.v{w}i32.p0(<{w} x i32> {value.name}, ptr {self._pointer(address)}"
        self.line(f"{call}, i32 4, <{w} x i1> {mask.name})", named=False)

    def broadcast_int(self, address: Int) -> Ints:
        """A vector full of the 32-bit number that lies there."""
        return Ints(self, self._full("i32", self.line(f"load i32, ptr {self._pointer(address)}, align 4")))

    def narrow(self, number: Int) -> Ints:
        """A vector full of a number that has 32 bits."""
        return Ints(self, self._full("i32", self.line(f"trunc i64 {number.name} to i32")))

    def gather_fours(self, address: Int, places: Ints, mask: Mask) -> Ints:
        """The four bytes that lie `places` bytes behind `address`, for each lane; the first is the lowest."""
        w, kind = self.width, f"<{self.width} x i32>"
        wide = self.line(f"sext {kind} {places.name} to <{w} x i64>")
        at = self.line(f"add <{w} x i64> {wide}, {self._full('i64', address.name)}")
        pointers = self.line(f"inttoptr <{w} x i64> {at} to <{w} x ptr>")
        name = f"@llvm.masked.gather.v{w}i32.v{w}p0"
        call = f"call {kind} {name}(<{w} x ptr> {pointers}, i32 1, <{w} x i1> {mask.name}, {kind} zeroinitializer)"
        return Ints(self, self.line(call))

    def byte_of(self, fours: Ints, number: int) -> Ints:
        low = fours.shifted(8 * number) if number else fours
        return low & 255

    def text(self) -> str:
        w = self.width
        ints, bytes_, mask, lanes = f"<{w} x i32>", f"<{w} x i8>", f"<{w} x i1>", f"<{w} x ptr>"
        return "\n".join([
            f"declare {bytes_} @llvm.masked.load.v{w}i8.p0(ptr, i32, {mask}, {bytes_})",
            f"declare void @llvm.masked.store.v{w}i8.p0({bytes_}, ptr, i32, {mask})",
            f"declare {ints} @llvm.masked.load.v{w}i32.p0(ptr, i32, {mask}, {ints})",
            f"declare void @llvm.masked.store.v{w}i32.p0({ints}, ptr, i32, {mask})",
            f"declare {ints} @llvm.masked.gather.v{w}i32.v{w}p0({lanes}, i32, {mask}, {ints})",
            f"declare {self.vector} @llvm.floor.v{w}f32({self.vector})",
            f"declare {self.vector} @llvm.rint.v{w}f32({self.vector})",
            super().text(),
        ])  # fmt: skip


@cache
def made(name: str, write: Callable[[PixelWriter], None]) -> compiler.Function:
    """The function that `write` writes, by its name."""
    writer = PixelWriter(compiler.target().width)
    write(writer)
    return compiler.assembled(name, writer.text())
