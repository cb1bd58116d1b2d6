"""How many images a second SSD's augmentation makes, held against albumentations.

    python benchmarks/augmentation.py             # decoded images of 500 x 375 in memory, to 3 x 300 x 300 float32
    python benchmarks/augmentation.py --check     # exit 1 where Brew is less than 1.5 times as fast

Both distort colours, put every second image on a larger canvas, take a random window, resize it to 300 x 300, mirror,
and subtract the mean; boxes follow. Brew runs on as many threads as albumentations has processes; they take turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu import threads
from brew.cpu.pixels.windows import WindowCopy
from brew.data.augment import boxes
from brew.data.augment.augmenter import Augmenter
from brew.data.augment.draws import Draws
from brew.proto.brew_pb2 import TransformationParameter
from brew.prototxt import parse

HEIGHT, WIDTH, SIDE, PICTURES, TARGET = 375, 500, 300, 16, 1.5
MEAN = (104.0, 117.0, 123.0)
BOXES = [[60, 50, 300, 280], [200, 100, 450, 350]]
SSD = f"""
    resize_param {{ height: {SIDE} width: {SIDE} interp_mode: LINEAR }} expand_param {{ prob: 0.5 max_expand_ratio: 4 }}
    distort_param {{ brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5
      contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5
      saturation_upper: 1.5 }}
    """

Job = Callable[[int], object]


def pictures() -> list[npt.NDArray[np.uint8]]:
    """Blocks of colour, height x width x channels."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (PICTURES, 38, 50, 3), np.uint8)
    return [np.ascontiguousarray(b.repeat(10, 0).repeat(10, 1)[:HEIGHT, :WIDTH]) for b in blocks]


def brew_job() -> Job:
    augmenter = Augmenter(parse(SSD, TransformationParameter).message, training=True, mean=MEAN)
    images = [image.transpose(2, 0, 1) for image in pictures()]
    copy, where = WindowCopy(np.array(MEAN, np.float32).reshape(3, 1, 1), 1.0), np.array(BOXES, np.float64)

    def job(number: int) -> object:
        image, draws = images[number % PICTURES], Draws(1, "data", number)
        top, left, bottom, right = augmenter.canvas(draws, HEIGHT, WIDTH)
        draw = draws.of("sample")
        rows, columns = (max(1, int(side * draw.uniform(0.3, 1))) for side in (bottom - top, right - left))
        top, left = top + draw.below(bottom - top - rows + 1), left + draw.below(right - left - columns + 1)
        view = augmenter.frame(draws, (top, left, top + rows, left + columns), HEIGHT, WIDTH)
        view = view.cropped(0, 0, SIDE, SIDE, mirrored=draw.chance(0.5), flipped=False)
        plan = augmenter.plan(image, draws, view)
        out = np.empty((3, SIDE, SIDE), np.float32)
        copy.one(augmenter.applied(image, plan, draws), (0, 0, False), out)
        return out, boxes.clipped(boxes.moved(where, plan.points), SIDE, SIDE)

    return job


def peer_job() -> Job:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations
    import cv2

    cv2.setNumThreads(0)
    chain: Any = albumentations.Compose(
        [
            albumentations.RandomBrightnessContrast(brightness_limit=0.125, contrast_limit=0.5, p=0.75),
            albumentations.HueSaturationValue(hue_shift_limit=18, sat_shift_limit=50, val_shift_limit=0, p=0.75),
            albumentations.CropAndPad(percent=(0.0, 1.5), keep_size=False, fill=MEAN, p=0.5),
            albumentations.RandomResizedCrop((SIDE, SIDE), scale=(0.09, 1), ratio=(0.5, 2)),
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Normalize(mean=[m / 255 for m in MEAN], std=[1 / 255] * 3),
        ],
        bbox_params=albumentations.BboxParams(format="pascal_voc", label_fields=["labels"]),
    )
    images = pictures()

    def job(number: int) -> object:
        made = chain(image=images[number % PICTURES], bboxes=BOXES, labels=[1, 2])
        return np.ascontiguousarray(made["image"].transpose(2, 0, 1)), made["bboxes"]

    return job


def rate(job: Job, start: int, seconds: float) -> float:
    """Images a second that one worker makes, from number `start` on."""
    for number in range(start, start + 5):
        job(number)
    begin, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - begin < seconds:
        job(start + count)
        count += 1
    return count / (now - begin)


def _serve(pipe: Any, start: int) -> None:
    job = peer_job()
    while (seconds := pipe.recv()) is not None:
        pipe.send(rate(job, start, seconds))


@contextmanager
def peers(count: int) -> Iterator[Callable[[float], float]]:
    """Processes that run albumentations: their rates together."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    workers = [context.Process(target=_serve, args=(theirs, 1000 * i)) for i, (_, theirs) in enumerate(pipes)]
    for worker, (_, theirs) in zip(workers, pipes, strict=True):
        worker.start()
        theirs.close()  # so that the end of a worker is seen here

    def run(seconds: float) -> float:
        for mine, _ in pipes:
            mine.send(seconds)
        return sum(mine.recv() for mine, _ in pipes)

    try:
        yield run
    finally:
        for mine, _ in pipes:
            mine.send(None)
        for worker in workers:
            worker.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=threads.cores())
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if not all(importlib.util.find_spec(name) for name in ("albumentations", "cv2")):
        print("albumentations and opencv-python-headless are not installed")
        return 1
    job, mine, theirs = brew_job(), [], []
    with ThreadPoolExecutor(options.workers) as pool, peers(options.workers) as run:
        for _ in range(options.rounds):
            starts = range(0, 1000 * options.workers, 1000)
            mine.append(sum(pool.map(lambda start: rate(job, start, options.seconds), starts)))
            theirs.append(run(options.seconds))
    times = max(mine) / max(theirs)
    print(
        f"{options.workers} workers: Brew {max(mine):.0f} images/s, albumentations {max(theirs):.0f}: {times:.2f} times"
    )
    return int(options.check and times < TARGET)


if __name__ == "__main__":
    sys.exit(main())
