"""Writes one function in LLVM's language: 64-bit whole numbers, which addresses are too, vectors of float32, loops.

Numbers and vectors are Python objects with operators, so that a function that writes code reads like the code:

    start, stop = writer.function(2)
    with writer.loop(start, stop, writer.bytes) as address:
        writer.store(address, writer.load(address) * 2.0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .text import Text
from .values import Bool, Bytes, Cell, Int, Mask, Number, Vector, name_of, operand


class Writer(Text):
    """Writes the function: its parameters, what it reads and stores, its loops; `bytes` are those of a vector."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.bytes = 4 * width

    # --- what a function is made of ---------------------------------------------------------------------------------

    def function(self, parameters: int) -> list[Int]:
        """Its parameters; called once, first."""
        self._parameters = parameters
        return [Int(self, f"%p{i}") for i in range(parameters)]

    def number(self, value: int) -> Int:
        return Int(self, str(value))

    def splat(self, value: float) -> Vector:
        """A vector full of a number."""
        return Vector(self, operand(self, value))

    def _pointer(self, address: Int) -> str:
        return self.line(f"inttoptr i64 {address.name} to ptr")

    def mask(self, count: Int) -> Mask:
        """The lanes below `count`."""
        many, lanes = f"<{self.width} x i64>", f"<{', '.join(f'i64 {i}' for i in range(self.width))}>"
        return Mask(self, self.line(f"icmp slt {many} {lanes}, {self._full('i64', count.name)}"))

    def load(self, address: Int, mask: Mask | None = None) -> Vector:
        """Lanes outside `mask` are not read, and 0."""
        place, kind = self._pointer(address), self.vector
        if mask is None:
            return Vector(self, self.line(f"load {kind}, ptr {place}, align 4"))
        meant, name = f"<{self.width} x i1> {mask.name}", f"@llvm.masked.load.v{self.width}f32.p0"
        return Vector(self, self.line(f"call {kind} {name}(ptr {place}, i32 4, {meant}, {kind} zeroinitializer)"))

    def store(self, address: Int, value: Vector, mask: Mask | None = None) -> None:
        """Lanes outside `mask` are not written."""
        place, what = self._pointer(address), f"{self.vector} {value.name}"
        if mask is None:
            self.line(f"store {what}, ptr {place}, align 4", named=False)
            return
        name = f"@llvm.masked.store.v{self.width}f32.p0"
        self.line(f"call void {name}({what}, ptr {place}, i32 4, <{self.width} x i1> {mask.name})", named=False)

    def store_total(self, address: Int, value: Vector) -> None:
        """Store the sum of all lanes, a float32; they are added in pairs."""
        name = f"@llvm.vector.reduce.fadd.v{self.width}f32"
        total = self.line(f"call reassoc float {name}(float -0.0, {self.vector} {value.name})")
        self.line(f"store float {total}, ptr {self._pointer(address)}, align 4", named=False)

    def every_other(self, low: Vector, high: Vector, first: int) -> Vector:
        """Of the lanes of `low` and then of `high`, every second from number `first` on."""
        lanes = ", ".join(f"i32 {first + 2 * i}" for i in range(self.width))
        both = f"{self.vector} {low.name}, {self.vector} {high.name}"
        return Vector(self, self.line(f"shufflevector {both}, <{self.width} x i32> <{lanes}>"))

    def stream(self, address: Int, value: Vector) -> None:
        """Store past the caches, to an address that vectors divide; `fence` must follow before others read."""
        place = self._pointer(address)
        self.line(f"store {self.vector} {value.name}, ptr {place}, align {self.bytes}, !nontemporal !0", named=False)

    def fence(self) -> None:
        self.line("call void @llvm.x86.sse.sfence()", named=False)

    def load_int(self, address: Int) -> Int:
        return Int(self, self.line(f"load i64, ptr {self._pointer(address)}, align 8"))

    def load_bytes(self, address: Int, count: int) -> Bytes:
        """`count` bytes that lie there."""
        return Bytes(self, self.line(f"load <{count} x i8>, ptr {self._pointer(address)}, align 1"), count)

    def broadcast(self, address: Int) -> Vector:
        """A vector full of the float32 that lies there."""
        return Vector(self, self._full("float", self.line(f"load float, ptr {self._pointer(address)}, align 4")))

    def gather(self, address: Int, stride: Int, count: Int, first: Int | None = None) -> Vector:
        """Of float32 that lie `stride` bytes apart the lanes below `count`, from `first` on; 0 for the rest."""
        pointers, mask = self._lanes(address, stride, count, first)
        name = f"@llvm.masked.gather.v{self.width}f32.v{self.width}p0"
        return Vector(
            self, self.line(f"call {self.vector} {name}({pointers}, i32 4, {mask}, {self.vector} zeroinitializer)")
        )

    def scatter(self, address: Int, stride: Int, count: Int, value: Vector, first: Int | None = None) -> None:
        """Write the lanes of `value` below `count`, from `first` on, `stride` bytes apart."""
        pointers, mask = self._lanes(address, stride, count, first)
        name = f"@llvm.masked.scatter.v{self.width}f32.v{self.width}p0"
        self.line(f"call void {name}({self.vector} {value.name}, {pointers}, i32 4, {mask})", named=False)

    def _lanes(self, address: Int, stride: Int, count: Int, first: Int | None) -> tuple[str, str]:
        """Pointers and mask of lanes `stride` bytes apart."""
        many, lanes = f"<{self.width} x i64>", f"<{', '.join(f'i64 {i}' for i in range(self.width))}>"
        steps = self.line(f"mul {many} {lanes}, {self._full('i64', stride.name)}")
        places = self.line(f"add {many} {steps}, {self._full('i64', address.name)}")
        pointers = self.line(f"inttoptr {many} {places} to <{self.width} x ptr>")
        mask = self.line(f"icmp slt {many} {lanes}, {self._full('i64', count.name)}")
        if first is not None:
            behind = self.line(f"icmp sge {many} {lanes}, {self._full('i64', first.name)}")
            mask = self.line(f"and <{self.width} x i1> {mask}, {behind}")
        return f"<{self.width} x ptr> {pointers}", f"<{self.width} x i1> {mask}"

    def _full(self, kind: str, number: str) -> str:
        """A vector full of a number of this kind."""
        many = f"<{self.width} x {kind}>"
        first = self.line(f"insertelement {many} poison, {kind} {number}, i32 0")
        return self.line(f"shufflevector {many} {first}, {many} poison, <{self.width} x i32> zeroinitializer")

    def call(self, address: Int, arguments: Sequence[Number]) -> None:
        """Call a function of whole numbers."""
        pointer, listed = self._pointer(address), ", ".join(f"i64 {name_of(a)}" for a in arguments)
        self.line(f"call void {pointer}({listed})", named=False)

    # --- control ----------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(self, start: Number, stop: Number, step: Number = 1) -> Iterator[Int]:
        """Again and again, with a number that begins at `start`, as long as it is below `stop`."""
        number = self._next()
        counter = Cell(self, start if isinstance(start, Int) else self.number(int(name_of(start))))
        self._label(f"test{number}")
        value: Int = counter.get()
        goes_on = value < (stop if isinstance(stop, Int) else int(name_of(stop)))
        self.line(f"br i1 {goes_on.name}, label %body{number}, label %done{number}", named=False)
        self._begin(f"body{number}")
        yield value
        counter.set(value + (step if isinstance(step, Int) else int(name_of(step))))
        self.line(f"br label %test{number}", named=False)
        self._begin(f"done{number}")

    @contextmanager
    def share(self, count: Int, thread: Int, threads: Int) -> Iterator[Int]:
        """A thread's share of `count` numbers. They follow one another, as with oneDNN's threads: where they begin with
        the images, what a thread has written is in its own cache."""
        with self.loop(count * thread // threads, count * (thread + 1) // threads) as number:
            yield number

    @contextmanager
    def when(self, condition: Bool) -> Iterator[None]:
        """Only where `condition` is true."""
        number = self._next()
        self.line(f"br i1 {condition.name}, label %yes{number}, label %over{number}", named=False)
        self._begin(f"yes{number}")
        yield
        self._label(f"over{number}")
