"""Work on many items by threads, the results in order, and only a few of them waiting.

Threads, not processes: decoders let go of the interpreter, so that pictures of usual sizes keep every core busy; of
tiny ones a single thread reads thousands a second, and what a second process would add, passing records between
processes takes away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_WAITING = 3  # pieces of work for each thread, at work or done and waiting


def in_order(work: Callable[[In], Out], items: Iterable[In], *, workers: int, piece: int) -> Iterator[Out]:
    """`work` done on each of `items`, by `workers` threads that take `piece` items at a time; results in their order.

    The first exception of `work`, in the order of the items, ends it.
    """
    if workers == 1:
        yield from map(work, items)
        return
    source = iter(items)
    pool = ThreadPoolExecutor(workers, "brew-import")
    coming: deque[Future[list[Out]]] = deque()

    def begin() -> None:
        if taken := list(islice(source, piece)):
            coming.append(pool.submit(lambda: [work(item) for item in taken]))

    try:
        for _ in range(workers * _WAITING):
            begin()
        while coming:
            done = coming.popleft().result()
            begin()
            yield from done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
