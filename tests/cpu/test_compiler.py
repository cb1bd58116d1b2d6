from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from brew.cpu import onednn, threads
from brew.cpu.llvm import compiler, team
from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.writer import Cell, Writer

pytestmark = pytest.mark.native


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for code, and nothing made yet."""
    monkeypatch.setenv("BREW_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    return tmp_path / "native"


def doubled(w: Writer) -> None:
    """entry(address, count): vectors times 2, plus 1 for each even one."""
    address, count = w.function(2)
    with w.loop(0, count) as i:
        place = address + i * w.bytes
        value = Cell(w, w.load(place) * 2.0)
        with w.when((i % 2).equals(0)):
            value.set(value.get() + 1.0)
        w.store(place, value.get())


def check(function: compiler.Function) -> None:
    width = compiler.target().width
    values = np.arange(3 * width, dtype=np.float32)
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(function.address)(values.ctypes.data, 3)
    expected = 2 * np.arange(3 * width).reshape(3, width) + [[1], [0], [1]]
    assert (values.reshape(3, width) == expected).all()


def test_code_is_made_once_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(compiler.function("doubled", doubled))
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    check(compiler.function("doubled", lambda w: pytest.fail("it was kept")))


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:100] + b"x" + c[101:], lambda c: b""])
def test_damaged_code_is_never_run(folder: Path, monkeypatch: pytest.MonkeyPatch, damage: object) -> None:
    compiler.function("doubled", doubled)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    check(compiler.function("doubled", doubled))
    assert path.read_bytes() == whole


def test_another_function_s_code_is_never_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(w: Writer) -> None:
        address, count = w.function(2)
        w.store(address + count, w.splat(7.0))

    compiler.function("doubled", doubled)
    (path,) = folder.iterdir()
    compiler.function("other", other)
    (copied,) = set(folder.iterdir()) - {path}
    whole = path.read_bytes()
    path.write_bytes(copied.read_bytes())
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    check(compiler.function("doubled", doubled))
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BREW_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(compiler, "_made", compiler.Made())
    check(compiler.function("doubled", doubled))


def test_gather_and_scatter(folder: Path) -> None:
    def write(w: Writer) -> None:
        source, target, count = w.function(3)
        w.scatter(target, w.number(8), count, w.gather(source, w.number(12), count))

    width = compiler.target().width
    source, target = np.arange(3 * width, dtype=np.float32), np.full(2 * width, -1, np.float32)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(compiler.function("scattered", write).address)
    run(source.ctypes.data, target.ctypes.data, width - 1)
    assert (target[: 2 * width - 2 : 2] == source[::3][:-1]).all()
    assert (target[1::2] == -1).all() and target[2 * width - 2] == -1


@pytest.mark.parametrize("openmp", [True, False])
def test_every_thread_gets_its_number(openmp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not openmp:
        monkeypatch.setattr(team, "_openmp", lambda: None)
    slots = Slots("place", "unused")

    def write(w: Writer) -> None:
        table, thread, number = w.function(3)
        w.store(slots.read(w, table)["place"] + thread * w.bytes, w.splat(1.0))
        with w.when((thread + 1 < number).negated()):
            w.store(slots.read(w, table)["place"] + thread * w.bytes, w.splat(2.0))

    width = compiler.target().width
    found = np.zeros((4, width), np.float32)
    call = team.bound(
        compiler.function("numbers", write), slots.table({"place": found.ctypes.data, "unused": 0}), found
    )
    try:
        threads.use(3)
        call()
    finally:
        threads.use(None)
    assert found[:, 0].tolist() == [1, 1, 2, 0]


def test_a_table_needs_every_slot_and_no_other() -> None:
    with pytest.raises(KeyError):
        Slots("a", "b").table({"a": 1})
    with pytest.raises(KeyError, match="c"):
        Slots("a").table({"a": 1, "c": 2})


def in_a_process(code: str, **environment: str) -> str:
    """What code prints in a process of its own, which can import this module."""
    here = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_can_be_switched_off() -> None:
    code = "from brew.cpu.llvm import compiler; print(compiler.why_not())"
    assert in_a_process(code, BREW_NATIVE="off") == "BREW_NATIVE=off switches it off"


def leave_one_page() -> list[mmap.mmap]:
    """Take the address space as an LMDB of a terabyte may leave it: one free page, and the next ones 4 GiB further on.
    It lasts as long as what is returned."""

    def take(size: int) -> mmap.mmap:
        return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)

    def place(taken: mmap.mmap) -> int:
        return int(np.frombuffer(taken, np.uint8).ctypes.data)

    free, between = take(mmap.PAGESIZE), take(1 << 32)
    taken = [between]
    while place(taken[-1]) >= place(between):
        taken.append(take(mmap.PAGESIZE))
    free.close()
    return taken


def test_code_and_its_numbers_lie_together_wherever_memory_is_free(tmp_path: Path) -> None:
    code = "import test_compiler as t; t.compiler.target(); _ = t.leave_one_page(); t.check(t.compiler.function('far', t.doubled))"
    in_a_process(code, BREW_CACHE=str(tmp_path))


@pytest.mark.onednn
def test_openmp_is_onednns() -> None:
    assert onednn.why_not() is None and team._openmp() is not None
