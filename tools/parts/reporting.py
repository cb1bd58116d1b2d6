"""`brew train --report`: a page about the training, written at its end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from brew.errors import BrewError

from .command import Settings
from .live import bar
from .signals import Signals

if TYPE_CHECKING:
    from brew.page.training import Recorded
    from brew.solver.solver import Solver

_log = logging.getLogger("brew")


class Reporting:
    """Writes the page to `path`, or to <prefix>_report.html where it is empty; None: there is none.

    ResourceError at once where the page could not be written at the end.
    """

    def __init__(self, path: str | None, prefix: str) -> None:
        self.path = None if path is None else Path(path or f"{prefix}_report.html")
        self._recorded: Recorded | None = None
        if self.path is not None:
            from brew.page.page import check_page

            check_page(self.path)

    def begin(self, solver: Solver) -> None:
        """Record the training from here on."""
        if self.path is not None:
            from brew.page.training import Recorded

            self._recorded = Recorded(solver, solver.param.metrics)

    def end(self, signals: Signals, settings: Settings) -> None:
        """Write the page. What goes wrong is a warning: the training is done."""
        if self.path is None or self._recorded is None:
            return
        from brew.page.training import report

        try:
            with bar(settings) as progress:
                report(
                    self._recorded, self.path, progress=progress,
                    stop=lambda: signals.stopped_by is not None or signals.reader_gone,
                )  # fmt: skip
        except BrewError as error:
            _log.warning("the report was not written: %s", error)
            return
        _log.info("The report is in %s.", self.path)
