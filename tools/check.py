"""`brew check`: every problem of nets, solvers and weights at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.plain_text import one_line
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.net_options import names, parse_shapes, shape_option, state_options
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.checks.finding import Finding


@click.command(name="check", cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--weights", default="", metavar="FILE[,FILE...]", help="Whether these weights fit the nets.")
@shape_option("The shape of a blob that a data layer makes, where the data is not here.")
@click.option("--no-data", is_flag=True, help="Do not open data: it is elsewhere, and no error that it is not here.")
@state_options
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON list.")
@click.pass_obj
def verb(
    settings: Settings, files: tuple[str, ...], weights: str, shapes: tuple[str, ...], no_data: bool,
    level: int | None, stage: str, strict: bool, as_json: bool,
) -> int:  # fmt: skip
    """Find every problem of a net, a solver with its nets, or weights.

    What each FILE is, its contents tell. A net is looked at in TRAIN and in TEST, a solver's nets in the states it
    uses them in. Nothing is trained and no file is written.

    Exit code 0: no errors, though there may be warnings; 1: errors, or with --strict any finding.
    """
    from brew.checks import files as checks
    from brew.checks.finding import folded, merged
    from brew.checks.states import Options

    options = Options(parse_shapes(shapes), not no_data, level, names(stage), tuple(names(weights)))
    found = merged((f for file in dict.fromkeys(files) for f in checks.check(file, options)), files)
    if unused := set(options.shapes) - options.shaped:
        raise UsageError(f"--shape: no data layer makes {', '.join(sorted(unused))}")
    if as_json:
        echo(json.dumps([f.as_dict() for f in found], indent=2), lines=True)
    else:
        for finding in folded(found):
            echo(_styled(finding, settings), styled=True)
            if finding.hint:
                echo(f"  = {finding.hint}")
        echo(_summary(found, len(set(files))), err=True)
    return checks.worst(found, strict=strict)


def _styled(finding: Finding, settings: Settings) -> str:
    text = one_line(str(finding))
    if not settings.colour or not sys.stdout.isatty():
        return text
    kind = f"{finding.severity} {finding.code}"
    return text.replace(kind, click.style(kind, fg="red" if finding.severity == "error" else "yellow", bold=True), 1)


def _summary(found: Sequence[Finding], files: int) -> str:
    errors = sum(f.severity == "error" for f in found)
    counts = ((errors, "error"), (len(found) - errors, "warning"))
    said = [f"{n} {what}{'s' * (n != 1)}" for n, what in counts if n]
    return f"{files} file{'s' * (files != 1)} checked: {' and '.join(said) or 'nothing found'}"
