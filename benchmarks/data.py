"""How many images a second become batches, held against a decoder alone and against PyTorch's DataLoader.

    python benchmarks/data.py                        # JPEG 500 x 375, and raw 32 x 32 from an LMDB
    python benchmarks/data.py --only jpeg --rounds 5
    python benchmarks/data.py --check                # exit 1 where a target is missed

Contestants take turns for a second or two each, and what they have made ahead meanwhile is thrown away before the clock
starts. Rates are those of the fastest rounds. DataLoader runs where torch and torchvision are installed, with every
number of workers of WORKERS, and its best one counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from brew.cpu import threads
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.images import jpeg
from brew.data.images.decoding import AS_STORED, decode
from brew.data.prefetch import Batch, Prefetcher
from brew.layer import TRAIN, Context
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import Datum, LayerParameter
from brew.prototxt import parse

SIZE, CROP, BATCH = (375, 500), 227, 64
WORKERS = (0, 1, 2, 3, 4)
MEAN = (104.0, 117.0, 123.0)
PICTURES, RECORDS, RAW_BATCH = 256, 50_000, 128
AHEAD = 10  # batches that any contestant may have made before its turn


@dataclass
class Contestant:
    """`turn()` makes the next batch or the like, of `images` images; `rates` are those of its rounds."""

    name: str
    turn: Callable[[], object]
    images: int
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return max(self.rates)

    def round(self, seconds: float) -> None:
        for _ in range(AHEAD):
            self.turn()
        start, turns = time.perf_counter(), 0
        while (now := time.perf_counter()) - start < seconds or turns < 3:
            self.turn()
            turns += 1
        self.rates.append(turns * self.images / (now - start))


def picture(number: int) -> bytes:
    """A JPEG of 500 x 375 that is as hard to decode as a photograph: detail of every size."""
    random = np.random.default_rng(number)
    total = np.zeros((*SIZE, 3))
    for octave in range(1, 9):
        shape = tuple(min(side, -(-side >> (8 - octave))) for side in SIZE)
        noise = random.integers(0, 256, (*shape, 3), np.uint8)
        scaled = Image.fromarray(noise).resize(SIZE[::-1], Image.Resampling.BICUBIC)
        total += (np.asarray(scaled, float) - 128) * 0.75**octave
    stream = io.BytesIO()
    Image.fromarray(np.clip(total + 128, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def data_layer(text: str, stack: ExitStack) -> Any:
    param = parse(f'name: "data" type: "Data" top: "data" top: "label" {text}', LayerParameter).message
    layer = layer_class("Data")(param, Context(phase=TRAIN, seed=1))
    layer.infer_shapes([])
    stack.callback(layer.close)
    return layer


def fed(layer: Any) -> Callable[[], object]:
    """Brings the next batch to where a net has it: numbers, less the mean."""
    tops = [np.empty(shape, np.float32) for shape in layer.infer_shapes([])]
    return lambda: layer.write_batch(tops)


def ready(layer: Any, stack: ExitStack) -> Callable[[], object]:
    """Waits until the next batch is ready for that: windows of bytes, and labels."""
    source = layer.open_source(0)
    stack.callback(source.close)
    ahead = Prefetcher(source.begin, lambda: Batch(np.float32, 2, layer.transformer.held()), layer.ahead, "ready")
    stack.callback(ahead.close)
    return ahead.next


# --- compressed images ----------------------------------------------------------------------------------------------


def jpegs(folder: Path, stack: ExitStack) -> list[Contestant]:
    pictures = [picture(number) for number in range(PICTURES)]
    print(f"{PICTURES} JPEGs of {SIZE[1]} x {SIZE[0]}, {sum(map(len, pictures)) // PICTURES // 1024} KiB each, "
          f"decoded by {'simplejpeg' if jpeg.library() else 'Pillow'} on {threads.decoders()} threads")  # fmt: skip
    records = ((b"%08d" % i, Datum(data=data, label=i, encoded=True).SerializeToString())
               for i, data in enumerate(pictures))  # fmt: skip
    write_lmdb(folder / "jpeg_lmdb", records)
    means = " ".join(f"mean_value: {value}" for value in MEAN)
    layer = data_layer(f"""data_param {{ source: "{folder}/jpeg_lmdb" batch_size: {BATCH} backend: LMDB }}
                           transform_param {{ crop_size: {CROP} mirror: true {means} }}""", stack)  # fmt: skip
    return [
        alone(pictures, stack), Contestant("brew, ready", ready(layer, stack), BATCH),
        Contestant("brew, in the net", fed(layer), BATCH), *loaders(pictures, stack),
    ]  # fmt: skip


def alone(pictures: list[bytes], stack: ExitStack) -> Contestant:
    """The decoder and nothing else."""
    pool = stack.enter_context(ThreadPoolExecutor(threads.decoders()))
    shares = [pictures[i :: threads.decoders()] for i in range(threads.decoders())]

    def share(some: list[bytes]) -> None:
        for data in some:
            decode(data, AS_STORED)

    return Contestant("decoder alone", lambda: list(pool.map(share, shares)), PICTURES)


class Pictures:
    """The same as a data set of PyTorch's: opened by Pillow, as torchvision's own data sets do."""

    def __init__(self, pictures: list[bytes], transform: Callable[[Image.Image], Any]) -> None:
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return 1 << 30  # one epoch, so that no worker is started twice

    def __getitem__(self, number: int) -> tuple[Any, int]:
        number %= len(self.pictures)
        with Image.open(io.BytesIO(self.pictures[number])) as image:
            return self.transform(image.convert("RGB")), number


def loaders(pictures: list[bytes], stack: ExitStack) -> list[Contestant]:
    """DataLoaders over two ways to write the transforms, by their numbers of workers."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "torchvision")):
        print("DataLoader: torch and torchvision are not installed")
        return []
    import torch
    from torchvision import transforms as v1
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    ways = {
        "v1": v1.Compose([v1.RandomCrop(CROP), v1.RandomHorizontalFlip(), v1.ToTensor(),
                          v1.Normalize([m / 255 for m in MEAN[::-1]], [1 / 255] * 3)]),
        "v2": v2.Compose([v2.PILToTensor(), v2.RandomCrop(CROP), v2.RandomHorizontalFlip(),
                          v2.ToDtype(torch.float32), v2.Normalize(list(MEAN[::-1]), [1.0] * 3)]),
    }  # fmt: skip
    found = []
    for name, transform in ways.items():
        for workers in WORKERS:
            loader = torch.utils.data.DataLoader(
                Pictures(pictures, transform), BATCH, num_workers=workers, persistent_workers=workers > 0  # type: ignore[arg-type]
            )  # fmt: skip
            batches: Iterator[Any] = iter(loader)
            stack.callback(getattr(batches, "_shutdown_workers", lambda: None))
            found.append(Contestant(f"DataLoader {name}, {workers} workers", lambda b=batches: next(b), BATCH))  # type: ignore[misc]
    return found


# --- raw bytes ------------------------------------------------------------------------------------------------------


def raw(folder: Path, stack: ExitStack) -> list[Contestant]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (1000, 3, 32, 32), np.uint8)

    def records() -> Iterator[tuple[bytes, bytes]]:
        for i in range(RECORDS):
            datum = Datum(channels=3, height=32, width=32, data=pixels[i % 1000].tobytes(), label=i % 10)
            yield b"%08d" % i, datum.SerializeToString()

    write_lmdb(folder / "raw_lmdb", records())
    print(f"{RECORDS} raw Datums of 3 x 32 x 32 in an LMDB, batches of {RAW_BATCH}")
    out = np.empty((RAW_BATCH, 3, 32, 32), np.float32)

    def copy(some: npt.NDArray[np.uint8] = pixels[:RAW_BATCH]) -> None:
        out[...] = some

    found = [Contestant("NumPy's copy into float32", copy, RAW_BATCH)]
    means = " ".join(f"mean_value: {value}" for value in MEAN)
    for name, transform, more in (
        ("brew, mean", means, ""),
        ("brew, mean, crop 28, mirror", f"{means} crop_size: 28 mirror: true", ""),
        ("brew, mean, shuffle", means, "shuffle: true"),
    ):
        layer = data_layer(f"""data_param {{ source: "{folder}/raw_lmdb" batch_size: {RAW_BATCH} backend: LMDB {more} }}
                               transform_param {{ {transform} }}""", stack)  # fmt: skip
        found.append(Contestant(name, fed(layer), RAW_BATCH))
    return found


# --- the command ----------------------------------------------------------------------------------------------------


def missed(part: str, rates: dict[str, float]) -> list[str]:
    """The targets that are missed, in words."""
    if part == "raw":
        least = min(300_000.0, rates["NumPy's copy into float32"])
        return [f"{rates['brew, mean']:.0f} raw images/s, at least {least:.0f}"] if rates["brew, mean"] < least else []
    found, decoder = [], rates["decoder alone"]
    if rates["brew, ready"] < 0.9 * decoder:
        found.append(f"{rates['brew, ready'] / decoder:.2f} of the decoder's own rate, at least 0.9")
    theirs = max((rate for name, rate in rates.items() if name.startswith("DataLoader")), default=0.0)
    if rates["brew, in the net"] < 2 * theirs:
        found.append(f"{rates['brew, in the net'] / theirs:.2f} times the best DataLoader, at least 2")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["jpeg", "raw"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a contestant's turn")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for part, prepare in (("jpeg", jpegs), ("raw", raw)):
            if options.only in (None, part):
                with ExitStack() as stack:
                    contestants = prepare(Path(folder), stack)
                    for _ in range(options.rounds):
                        for contestant in contestants:
                            contestant.round(options.seconds)
                for contestant in contestants:
                    print(f"  {contestant.name:32} {contestant.rate:10,.0f} images/s")
                wrong += missed(part, {contestant.name: contestant.rate for contestant in contestants})
    for line in wrong:
        print("missed:", line)
    return int(options.check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
