"""The text of a function that is being written in LLVM's language: its instructions, its variables, its module."""

from __future__ import annotations


class Text:
    """A module with one function, `ENTRY`, of whole numbers; `width` float32 are a `vector`."""

    ENTRY = "entry"

    def __init__(self, width: int) -> None:
        self.width = width
        self.vector = f"<{width} x float>"
        self._lines: list[str] = []
        self._variables: list[str] = []
        self._count = 0
        self._parameters = 0

    def line(self, text: str, *, named: bool = True) -> str:
        """Write an instruction; the name of its result."""
        name = f"%v{self._next()}" if named else ""
        self._lines.append(f"  {name} = {text}" if named else f"  {text}")
        return name

    def variable(self, kind: str) -> str:
        """Have room for a value of this kind; the name of its address."""
        name = f"%c{self._next()}"
        self._variables.append(f"  {name} = alloca {kind}, align 64")
        return name

    def _next(self) -> int:
        """A number that no name has yet."""
        self._count += 1
        return self._count

    def _begin(self, label: str) -> None:
        """Begin a block, to which one comes by a jump alone."""
        self._lines.append(f"{label}:")

    def _label(self, label: str) -> None:
        """Begin a block, to which what stands before it goes on."""
        self._lines.append(f"  br label %{label}")
        self._begin(label)

    def text(self) -> str:
        """The module."""
        kind, width = self.vector, self.width
        parameters = ", ".join(f"i64 %p{i}" for i in range(self._parameters))
        lanes, mask = f"<{width} x ptr>", f"<{width} x i1>"
        return "\n".join([
            f"declare {kind} @llvm.fma.v{width}f32({kind}, {kind}, {kind})",
            f"declare {kind} @llvm.masked.gather.v{width}f32.v{width}p0({lanes}, i32, {mask}, {kind})",
            f"declare void @llvm.masked.scatter.v{width}f32.v{width}p0({kind}, {lanes}, i32, {mask})",
            f"declare {kind} @llvm.masked.load.v{width}f32.p0(ptr, i32, {mask}, {kind})",
            f"declare void @llvm.masked.store.v{width}f32.p0({kind}, ptr, i32, {mask})",
            f"declare float @llvm.vector.reduce.fadd.v{width}f32(float, {kind})",
            f"declare {kind} @llvm.sqrt.v{width}f32({kind})",
            "declare void @llvm.x86.sse.sfence()",
            f"define void @{self.ENTRY}({parameters}) {{", "begin:",
            *self._variables, *self._lines, "  ret void", "}", "!0 = !{i32 1}", "",
        ])  # fmt: skip
