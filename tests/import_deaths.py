"""Imports that die at every step: python import_deaths.py FOLDER [import settings as JSON].

FOLDER holds `pile`. For n = 1, 2, ... a child process imports it, and ends without a word before the nth time that it
changes a file; the same import is begun again, and its result compared with that of an undisturbed one, file by file.
Prints the number of deaths.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brew.datasets import filling, importing
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.kinds import open_source
from brew.errors import DataError

_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}


def do_import(folder: Path, out: str, settings: ImportSettings) -> None:
    source = open_source(folder / "pile")
    importing.import_data(source, folder / out, settings)
    source.close()


def again(folder: Path, settings: ImportSettings) -> None:
    """The import once more; one that died behind its end is complete."""
    os.fsync = lambda descriptor: None
    try:
        do_import(folder, "out", settings)
    except DataError as error:
        if "already there" not in str(error) or (folder / ".out.importing").exists():
            raise


def in_child(work: Callable[[], None]) -> int:
    """The exit code of a child that does `work`."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(number: int, folder: Path) -> None:
    """End this process before the file change of this number below `folder`."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == number:
            os._exit(99)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and str(arguments[0]).startswith(str(folder)) and arguments[2] & 3):
            step()

    write = os.write

    def half_write(descriptor: int, content: memoryview) -> int:
        step()
        half = write(descriptor, content[: max(len(content) // 2, 5000)])
        step()
        return half

    os.write, os.fsync = half_write, lambda descriptor: step()
    sys.addaudithook(hook)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    before = ImportSettings(**settings.pop("before")) if "before" in settings else None
    wanted = ImportSettings(**settings)
    filling._RECORDS = 20
    os.fsync = lambda descriptor: None
    do_import(folder, "expected", wanted)
    expected, number = content(folder / "expected"), 0
    while True:
        number += 1
        if before is not None:
            do_import(folder, "out", before)

        def dying(number: int = number) -> None:
            die_at(number, folder)
            do_import(folder, "out", wanted)

        code = in_child(dying)
        if code == 99:
            assert in_child(lambda: again(folder, wanted)) == 0, f"death {number}: no second import"
        elif code:
            raise SystemExit(f"the import failed before death {number}")
        found = content(folder / "out")
        assert found.keys() == expected.keys(), f"death {number}: {found.keys() ^ expected.keys()}"
        different = [name for name in found if found[name] != expected[name]]
        assert not different, f"death {number}: {different}"
        left = [path.name for path in folder.iterdir() if path.name not in ("pile", "expected", "out")]
        assert not left, f"death {number} leaves {left}"
        if code == 0:
            break
        for path in sorted((folder / "out").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (folder / "out").rmdir()
    print(number - 1)


if __name__ == "__main__":
    main()
