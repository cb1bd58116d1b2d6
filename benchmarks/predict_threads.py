"""How many predictions a model makes in a second, called by one thread and by several.

    python benchmarks/predict_threads.py [--net lenet|mobilenet|...] [--batch 1] [--threads 1 8] [--nets 1 2] [--json]

A net of the model zoo with random weights and random items. Each number of threads and of nets takes its turn, round
after round, for machines slow down for seconds: of its rounds the fastest is shown, and the least processor time.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter, process_time

import numpy as np

import brew

_WARM_UP = 4  # calls that make a net and bind its arrays


@dataclass
class Speed:
    """Of one way to call: items in a second, and milliseconds of all processors for an item."""

    nets: int
    threads: int
    items_a_second: float = 0.0
    processor_ms: float = float("inf")


def measured(net: str, batch: int, threads: Sequence[int], nets: Sequence[int], calls: int, rounds: int) -> list[Speed]:
    """The speed of every pair of `threads` and `nets`, from `rounds` of some `calls` together."""
    found = []
    models = {most: brew.load(net, "random", mean=0, scale=1, nets=most) for most in nets}
    shape = next(iter(models[nets[0]].inputs.values()))
    x = np.random.default_rng(0).normal(0, 50, (batch, *shape)).astype(np.float32)
    for most, model in models.items():
        found += [Speed(most, number) for number in threads]
        run(model, x, max(threads), _WARM_UP)
    for _ in range(rounds):
        for speed in found:
            wall, processor = run(models[speed.nets], x, speed.threads, -(-calls // speed.threads))
            items = batch * speed.threads * -(-calls // speed.threads)
            speed.items_a_second = max(speed.items_a_second, items / wall)
            speed.processor_ms = min(speed.processor_ms, processor / items * 1000)
    return found


def run(model: brew.Model, x: np.ndarray, threads: int, calls: int) -> tuple[float, float]:
    """Seconds, and seconds of all processors, that so many threads need for `calls` each."""

    def work() -> None:
        for _ in range(calls):
            model.predict(x, batch=len(x))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start, used = perf_counter(), process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return perf_counter() - start, process_time() - used


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="lenet")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--nets", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = measured(given.net, given.batch, given.threads, given.nets, given.calls, given.rounds)
    if given.json:
        print(json.dumps([asdict(speed) for speed in found]))
        return
    print(f"{given.net}, batch of {given.batch}\nnets  threads  items a second  processor ms an item")
    for speed in found:
        print(f"{speed.nets:4}  {speed.threads:7}  {speed.items_a_second:14.1f}  {speed.processor_ms:20.3f}")


if __name__ == "__main__":
    main()
