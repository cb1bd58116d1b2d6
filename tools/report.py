"""`brew report`: the page about a training, from its solver, weights and log."""

from __future__ import annotations

from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.gpu import device_for, gpu_option
from brew.tools.parts.live import bar
from brew.tools.parts.net_options import engine_option, names, threads_option
from brew.tools.parts.output import echo


@click.command(name="report", cls=Command)
@click.argument("solver", metavar="SOLVER")
@click.option("--weights", required=True, metavar="FILE[,FILE...]", help="The trained weights.")
@click.option("--run", "told", metavar="RUN", help="Its metrics.jsonl, log or event files (brew plot), for the curves.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the solver.")
@click.option("--out", metavar="FILE.html", help="The page (<WEIGHTS>_report.html).")
@gpu_option
@threads_option
@engine_option
@click.pass_obj
def verb(
    settings: Settings,
    solver: str,
    weights: str,
    told: str | None,
    changes: tuple[str, ...],
    out: str | None,
    gpu: str | None,
) -> None:
    """Write a page about a training that has ended: what brew train --report writes, without the times of layers.

    The test nets of the solver are tested with the weights.
    """
    device = device_for(gpu) or "cpu"
    from brew.page.page import check_page
    from brew.page.training import report_weights
    from brew.reports.curves.reading import read_run
    from brew.reports.curves.series import Run

    from .train import configured

    first = Path(next(iter(names(weights)), ""))
    if not first.name:
        raise UsageError(f'--weights "{weights}" names no file')
    page = Path(out) if out else first.with_name(f"{Path(first.name.removesuffix('.h5')).stem}_report.html")
    check_page(page)
    run = read_run(told) if told else Run(first.stem, {})
    with bar(settings) as progress:
        report_weights(configured(solver, changes, {}), weights, run, page, device=device, progress=progress)
    echo(page)
