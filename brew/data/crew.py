"""The threads that decode: together they fill the slots of one batch after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from brew.cpu import threads
from brew.errors import ResourceError


class Crew:
    """Threads that each take the next piece of a job until none is left; decoders work outside the GIL.

    `threads.decoders()` of them, the caller among them: to wake another one for its work would take longer. The others
    start with the first job and end with `close`.
    """

    def __init__(self) -> None:
        self.number = threads.decoders()
        self._closed = False
        self._pool = ThreadPoolExecutor(max(1, self.number - 1), "brew-decode")

    def start(self, task: Callable[[int], None], pieces: int) -> Callable[[], None]:
        """Begin `task(i)` for every i below `pieces`; the call that is returned takes part in it up to the end.

        It raises the error of the first piece that has one, and after an error no further piece is begun.
        """
        numbers, errors = count(), dict[int, BaseException]()

        def take() -> None:
            # `next` of a counter is one step for all threads.
            while not (errors or self._closed) and (number := next(numbers)) < pieces:
                try:
                    task(number)
                except BaseException as error:  # raised by who waits
                    errors[number] = error

        def finish() -> None:
            take()
            for future in working:
                future.result()
            if errors:
                raise errors[min(errors)]

        try:
            working = [self._pool.submit(take) for _ in range(min(self.number, pieces) - 1)]
        except RuntimeError as error:
            errors[-1] = error  # those that did start begin nothing more
            raise ResourceError(
                f"no thread can be started to decode: {error}",
                hint="--threads asks for fewer; ulimit -a and the cgroup show limits of memory and threads",
            ) from None
        return finish

    def each(self, task: Callable[[int], None], pieces: int) -> None:
        """`task(i)` for every i below `pieces`, in no order."""
        self.start(task, pieces)()

    def close(self) -> None:
        """What has been started and not finished is left as it is."""
        self._closed = True
        self._pool.shutdown()
