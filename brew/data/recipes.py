"""A net and a solver to go with a data set: those of examples/, brought along in the package."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger("brew")


def write(name: str, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the net and the solver for data set `name` into `folder`; returns their paths, none where Brew has none.

    Their paths lead to `folder` as it is given, so they work from the current directory. Files that exist are left
    alone, which is logged, unless `overwrite`.
    """
    written = []
    for source in sorted(Path(__file__).parent.glob(f"{name}_*.prototxt")):
        target = folder / source.name.removeprefix(f"{name}_")
        if target.exists() and not overwrite:
            log.info("%s exists and was left as it is", target)
            continue
        target.write_text(source.read_text("utf-8").replace(f"examples/{name}/", _prefix(folder)), "utf-8")
        written.append(target)
    return written


def _prefix(folder: Path) -> str:
    """`folder` as the start of a path within a prototxt string."""
    if folder == Path():
        return ""
    return folder.as_posix().replace("\\", "\\\\").replace('"', '\\"') + "/"
