"""Runs a function on all threads: on oneDNN's own OpenMP, whose threads wait for the next call anyway."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from brew.cpu import after_fork, onednn, threads
from brew.cpu.after_fork import Inherited
from brew.cpu.workers import workers

from . import compiler
from .slots import Table, address

_MANY = 1 << 16

# What OpenMP calls on each of its threads. `data` is the function, its table, and OpenMP's two questions.
_ENTER = """
define void @entry(ptr %data) {
  %f = load ptr, ptr %data
  %table.at = getelementptr i64, ptr %data, i64 1
  %table = load i64, ptr %table.at
  %number.at = getelementptr i64, ptr %data, i64 2
  %number.f = load ptr, ptr %number.at
  %count.at = getelementptr i64, ptr %data, i64 3
  %count.f = load ptr, ptr %count.at
  %number.i = call i32 %number.f()
  %count.i = call i32 %count.f()
  %number = sext i32 %number.i to i64
  %count = sext i32 %count.i to i64
  call void %f(i64 %table, i64 %number, i64 %count)
  ret void
}
"""


@cache
def _openmp() -> tuple[Any, tuple[int, int]] | None:
    """OpenMP's way to run on all threads, and the addresses of its questions; None where oneDNN has none."""
    if onednn.why_not() is not None:
        return None
    library = onednn.library()
    try:
        run = library.GOMP_parallel
        asked = (library.omp_get_thread_num, library.omp_get_num_threads)
    except AttributeError:
        return None
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    run.restype = None
    number, count = (ctypes.cast(question, ctypes.c_void_p).value or 0 for question in asked)
    return run, (number, count)


def alone(function: compiler.Function) -> Callable[[Table], None]:
    """A call of function(table) on the calling thread alone, outside the GIL; it keeps the function."""
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64)(function.address)

    def run(table: Table) -> None:
        _ = function
        call(address(table))

    return run


def bound(function: compiler.Function, table: Table, keep: object, *, most: int = _MANY) -> Callable[[], None]:
    """A call of function(table, thread, threads) on `threads.held()` threads, at most `most`.

    It keeps alive what it works with, and `keep`: all that the table has addresses of but functions, which it keeps.
    """
    openmp = _openmp()
    if openmp is None:
        return _by_workers(function, table, (function, table, keep), most)
    run, (number, count) = openmp
    enter = compiler.assembled("enter", _ENTER)
    alive = (function, enter, table, keep)
    data = (ctypes.c_int64 * 4)(function.address, table.ctypes.data, number, count)
    place, entry = ctypes.addressof(data), enter.address

    def call() -> None:
        _ = alive, data
        number = min(threads.held(), most)
        if Inherited.thread is None:
            run(entry, place, number, 0)
        else:
            after_fork.run(run, entry, place, number, 0)

    return call


def _by_workers(function: compiler.Function, table: Table, alive: object, most: int) -> Callable[[], None]:
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(function.address)
    place = table.ctypes.data

    def run() -> None:
        pool = workers()
        number = min(pool.threads, most)

        def task(item: int, _thread: int) -> None:
            _ = alive  # after an interrupt a worker may be in it still, and the caller gone
            call(place, item, number)

        pool.each(task, range(number))

    return run
