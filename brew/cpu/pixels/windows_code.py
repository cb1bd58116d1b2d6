"""Code that brings windows of images of bytes into a batch (brew.cpu.pixels.windows)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Int, Vector
from brew.cpu.llvm.writer import Writer

TABLE = Slots(
    "images", "jobs", "channels", "rows", "columns", "source_channel", "source_row", "mean_channel", "mean_row",
    "target", "target_image", "scale",
)  # fmt: skip
_TOGETHER = 4  # vectors of a plane in one turn of the loop
JOB = 3  # numbers an image has in `jobs`: addresses of its window and of the mean's, and whether it is mirrored


@dataclass(frozen=True)
class How:
    """The variant of the code: bytes from a pixel to its neighbour (more than 1: as many channels lie side by side), a
    mean of each pixel or of each channel, a factor."""

    step: int
    pixel_mean: bool
    channel_mean: bool
    scaled: bool

    @property
    def name(self) -> str:
        return f"windows {self.step} {self.pixel_mean:d}{self.channel_mean:d}{self.scaled:d}"


def write(w: Writer, how: How) -> None:
    """entry(table): all images of the table, each (x - mean) * scale; rows have at least as many columns as lanes."""
    (table,) = w.function(1)
    of = TABLE.read(w, table)
    scale = w.broadcast(table + 8 * TABLE.names.index("scale")) if how.scaled else None
    with w.loop(0, of["images"]) as image:
        job = of["jobs"] + image * (8 * JOB)
        source, mean, mirrored = (w.load_int(job + 8 * i) for i in range(JOB))
        target = of["target"] + image * of["target_image"]
        for mirror in (False, True):
            with w.when(mirrored.equals(int(mirror))):
                _Window(w, of, how, source, mean, target, scale, mirror).write()


class _Window:
    """One window."""

    def __init__(
        self, w: Writer, of: dict[str, Int], how: How, source: Int, mean: Int, target: Int, scale: Vector | None,
        mirror: bool,
    ) -> None:  # fmt: skip
        self.w, self.of, self.how, self.source, self.mean, self.target = w, of, how, source, mean, target
        self.scale, self.mirror = scale, mirror

    def write(self) -> None:
        w, of = self.w, self.of
        if self.how.step > 1:
            channels = [w.number(c) for c in range(self.how.step)]
            means = self._means(channels)
            with w.loop(0, of["rows"]) as row:
                self._row(row, channels, means)
        else:
            with w.loop(0, of["channels"]) as channel:
                means = self._means([channel])
                with w.loop(0, of["rows"]) as row:
                    self._row(row, [channel], means)

    def _means(self, channels: Sequence[Int]) -> list[Vector]:
        return [self.w.broadcast(self.mean + channel * 4) for channel in channels] if self.how.channel_mean else []

    def _row(self, row: Int, channels: Sequence[Int], means: Sequence[Vector]) -> None:
        """The vectors of a row, some at a time; the last one begins before the end of the one in front of it."""
        w, of, step = self.w, self.of, self.how.step
        source = self.source + row * of["source_row"]
        if step == 1:
            source = source + channels[0] * of["source_channel"]
        targets = [self.target + (channel * of["rows"] + row) * of["columns"] * 4 for channel in channels]
        maps = [self.mean + channel * of["mean_channel"] + row * of["mean_row"] for channel in channels]
        last = of["columns"] - w.width

        def vectors(column: Int) -> None:
            at = last - column if self.mirror else column  # the target is written from left to right: memory likes that
            pixels = w.load_bytes(source + at * step, step * w.width)
            for number, target in enumerate(targets):
                value = pixels.floats(number, step)
                if self.how.pixel_mean:
                    value = value - w.load(maps[number] + at * 4)
                if means:
                    value = value - means[number]
                if self.scale is not None:
                    value = value * self.scale
                w.store(target + column * 4, value.reversed() if self.mirror else value)

        several = _TOGETHER if step == 1 else 1
        whole = last - last % (several * w.width)
        with w.loop(0, whole, several * w.width) as column:
            for number in range(several):
                vectors(column + number * w.width)
        with w.loop(whole, last, w.width) as column:
            vectors(column)
        vectors(last)
