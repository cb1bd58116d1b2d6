"""A net and a solver to go with a data set: those of examples/, as files of the package."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from brew.files import regular
from brew.files.atomic import replacing_all
from brew.files.overwriting import Kind

log = logging.getLogger("brew")

# A file that was changed since it was written is never replaced.
_KIND = Kind("a prototxt", lambda path: False)


def write(name: str, folder: Path) -> list[Path]:
    """Write the net and the solver for data set `name` into `folder`; returns their paths, none where Brew has none.

    Their paths lead to `folder` as it is given, so they work from the current directory. Existing files
    are left alone, which is logged unless their content is the same. ResourceError where they cannot be written: then
    none of them is.
    """
    written, new = list[Path](), dict[Path, bytes]()
    for source in sorted(Path(__file__).parent.glob(f"{name}_*.prototxt")):
        target = folder / source.name.removeprefix(f"{name}_")
        contents = source.read_text("utf-8").replace(f"examples/{name}/", _prefix(folder)).encode("utf-8")
        if _holds(target, contents):
            written.append(target)
        elif os.path.lexists(target):
            log.info("%s exists and was left as it is", target)
        else:
            new[target] = contents
            written.append(target)
    if new:
        with replacing_all([(target, _KIND) for target in new]) as temporaries:
            for temporary, contents in zip(temporaries, new.values(), strict=True):
                temporary.write_bytes(contents)
    return written


def _holds(path: Path, contents: bytes) -> bool:
    try:
        return regular.read_bytes(path) == contents
    except OSError:
        return False


def _prefix(folder: Path) -> str:
    """`folder` as the start of a path within a prototxt string."""
    if folder == Path():
        return ""
    return folder.as_posix().replace("\\", "\\\\").replace('"', '\\"') + "/"
