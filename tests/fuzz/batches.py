"""Mutants of databases, HDF5 files and images, many at a time through the child of `brew data check`."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from brew.checks.records.check import Limits, Report, check

from .corpus import CONFORMANCE

LIMITS = Limits(timeout=5, memory=256 << 20)


def write(folder: Path, kind: str, mutants: Sequence[tuple[int, bytes]]) -> list[str]:
    """The mutants as sources: a folder for each LMDB, a file for each HDF5, one list for all images, a list for each list."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "list":  # what the lists name
        shutil.copytree(CONFORMANCE / "data" / "images", folder, dirs_exist_ok=True)
        shutil.copy(CONFORMANCE / "solvers" / "sgd_plain" / "data.h5", folder)
    sources = []
    for number, data in mutants:
        path = folder / f"{kind}_{number}"
        if kind == "lmdb":
            path.mkdir()
            (path / "data.mdb").write_bytes(data)
        else:
            path.write_bytes(data)
        sources.append(str(path))
    if kind == "image":
        listed = folder / "list.txt"
        listed.write_text("".join(f"{path} 0\n" for path in sources))
        sources = [str(listed)]
    return sources


def outcomes(folder: Path, kind: str, mutants: Sequence[tuple[int, bytes]]) -> Counter[str]:
    """Check the mutants: how many were "fine", "bad" (records in them), "unusable", and "fatal" to the child.

    CheckFailed, naming the mutant, where the child met an exception that is none of Brew's; AssertionError where one
    is left out.
    """
    sources = write(folder, kind, mutants)
    reports = list(check(sources, LIMITS, listed=len(mutants)))
    assert [report.source for report in reports] == sources
    if kind == "image":
        [report] = reports
        assert report.checked == len(mutants), report.problem
        fatal = sum(_killed(bad.reason) for bad in report.bad_records)
        return Counter(fine=report.checked - report.bad, bad=report.bad - fatal, fatal=fatal)
    return Counter(map(_outcome, reports))


def _outcome(report: Report) -> str:
    if report.problem is not None:
        return "fatal" if _killed(report.problem) else "unusable"
    return "bad" if report.bad else "fine"


def _killed(reason: str) -> bool:
    return "kills the process" in reason or "took more than" in reason
