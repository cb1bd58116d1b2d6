"""The page: everything of a training in one HTML file, which needs no network."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from google.protobuf import text_format

from brew.errors import ResourceError
from brew.files import regular
from brew.files.atomic import replacing
from brew.files.overwriting import Kind, check
from brew.net import engine
from brew.net.net import Net
from brew.plain_text import one_line
from brew.reports.curves import choosing
from brew.reports.curves.chart import draw
from brew.reports.curves.series import Run
from brew.reports.curves.svg import style, svg
from brew.version import __version__

from . import html
from .results import head_sections
from .timing import layer_times
from .trained import TestResults, Trained, first_filters, test_results

_MARK = '<meta name="generator" content="Brew: report of a training">'
_FIRST = ("accuracy", "f1", "mean_iou", "pixel_accuracy", "mae", "r2")  # the metrics at the top
_PANEL = 540.0  # pixels
_ROWS = 15  # layers whose times are shown
_PACKAGES = (
    "numpy",
    "protobuf",
    "lmdb",
    "h5py",
    "pillow",
    "onednn-cpu-gomp",
    "llvmlite",
    "cupy-cuda13x",
    "cupy-cuda12x",
)


def _ours(path: Path) -> bool:
    return _MARK.encode() in regular.head(path, 4096)


KIND = Kind("a report", _ours)


def check_page(path: Path) -> None:
    """ResourceError where a page could not be written to `path`: before the work for it begins."""
    check(path, KIND)
    if not path.parent.is_dir():
        raise ResourceError(f"cannot write a report to {path}: there is no folder {path.parent}")


def write(trained: Trained, path: str | Path, *, test: bool = True) -> None:
    """Write the report of a training to `path`. Without `test` its nets are neither tested nor timed.

    ResourceError where the file cannot be written, or is another file than a report.
    """
    with replacing(path, KIND) as temporary:
        temporary.write_text(page(trained, test=test), "utf-8")


def page(trained: Trained, *, test: bool = True) -> str:
    """The text of the page."""
    tested = test_results(trained) if test else []
    name = trained.net.name if trained.net is not None else trained.run.name
    body = [
        f"<h1>{html.text(name or trained.run.name)}</h1>", html.note(trained.status),
        html.tiles(_headlines(trained, tested)),
        html.section("Curves", curves(trained.run)),
        *_results(trained, tested, test),
        html.section("First layer", _filters(trained, tested)),
        html.section("Where the time went", *_times(trained, test)),
        html.section("Settings", *_settings(trained)),
        html.section("Versions", html.table(["program", "version"], versions(), texts=(1,))),
    ]  # fmt: skip
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{_MARK}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.text(name or trained.run.name)}: training</title>\n"
        f"<style>{html.STYLE}{style()}</style></head>\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )


def curves(run: Run) -> str:
    """A picture for each of the usual things."""
    if not run.series:
        return html.note("No display and no test was recorded.")
    return _drawn(run, choosing.usual([run]))


def _drawn(run: Run, words: Sequence[str]) -> str:
    charts = [draw([run], [word], log=word == "loss" and _falls_far(run), title=word, width=_PANEL) for word in words]
    return f'<div class="curves">{"".join(svg(chart, inside=True) for chart in charts)}</div>'


def _falls_far(run: Run) -> bool:
    """Whether losses reach over three decades, of which a linear axis shows one."""
    values = [v for name in choosing.chosen("loss", [run]) for v in run.series[name].values.tolist() if v > 0]
    return bool(values) and max(values) > 300 * min(values)


def _headlines(trained: Trained, tested: Sequence[TestResults]) -> list[tuple[str, str]]:
    """The figures at the top."""
    found = [
        (f"{name}{f', net #{each.number}' if len(tested) > 1 else ''}", html.number(value))
        for each in tested
        for head in each.heads[:1]
        for name, value in [pair for pair in head.scoring.scores.results().items() if pair[0] in _FIRST][:2]
    ]
    loss = trained.run.series.get("train/loss")
    if loss is not None and len(loss.values):
        found.append(("last training loss", html.number(float(loss.values[-1]))))
    return [*found, *trained.facts]


def _results(trained: Trained, tested: Sequence[TestResults], test: bool) -> list[str]:
    if not test:
        return [
            html.section(
                "Results", html.note("The nets were not tested for this page: the training did not reach its end.")
            )
        ]
    if not tested:
        return [html.section("Results", html.note("The solver has no test net."))]
    sections = []
    for each in tested:
        title = f" of test net #{each.number}" if len(tested) > 1 else ""
        if each.remark:
            sections.append(html.section(f"Results{title}", html.note(each.remark)))
        for head in each.heads:
            of = f" of {head.head.scores}" if len(each.heads) > 1 else ""
            sections += head_sections(head, each.given, each.names, f"{title}{of}")
    return sections


def _filters(trained: Trained, tested: Sequence[TestResults]) -> str:
    """The filters of the first layer."""
    filters = next((each.filters for each in tested if each.filters is not None), None)
    if filters is None and trained.net is not None:
        filters = first_filters(trained.net, rgb=False)
    if filters is None:
        return ""
    count, channels, height, width = filters.array.shape
    what = f"{filters.layer}: {count} filters of {channels} x {height} x {width}; zero is gray"
    pixels = filters.pixels
    return html.note(what) + html.picture(pixels, width=min(2 * pixels.shape[1], 720))


def _times(trained: Trained, test: bool) -> list[str]:
    """Speed over the training, and the layers that take most."""
    net = trained.net
    pieces = [html.note(remark) for remark in trained.remarks]
    pieces += [_drawn(trained.run, ["speed"])] if "train/images_per_second" in trained.run.series else []
    times = layer_times(net, trained.stop) if net is not None and test and _has_loss(net) else []
    whole = sum(each.both for each in times)
    if not times or not whole:
        return pieces
    most = max(each.both for each in times)
    slowest = sorted(times, key=lambda each: -each.both)[:_ROWS]
    rows = [
        [one_line(e.name), e.type, f"{1e3 * e.forward:.3f}", f"{1e3 * e.backward:.3f}", f"{e.both / whole:.1%}",
         html.bar(e.both / most)] for e in slowest
    ]  # fmt: skip
    rest = len(times) - len(slowest)
    told = "Milliseconds of each layer by itself for a batch; in the training some run together."
    pieces += ["<h3>Layers</h3>", html.note(told)]
    pieces.append(html.table(["layer", "type", "forward", "backward", "share", ""], rows, texts=(1, 5)))
    pieces.append(
        html.note(f"and {rest} more, {sum(e.both for e in times) - sum(e.both for e in slowest):.2g} s") if rest else ""
    )
    return pieces


def _has_loss(net: Net) -> bool:
    return any(net.blob_loss_weights.values()) and net.parameters.gradient_arena.size >= net.parameters.arena.size


def _settings(trained: Trained) -> list[str]:
    solver = text_format.MessageToString(trained.solver.message, as_utf8=True)
    pieces = [f"<h3>{html.text(trained.solver.file)}, with all changes</h3><pre>{html.lines(solver)}</pre>"]
    if trained.net is not None:
        written = "".join(
            f"layer {{\n{text_format.MessageToString(source.param, as_utf8=True, indent=2)}}}\n"
            for source in trained.net.source.written
        )
        pieces.append(html.folded("the train net", f"<pre>{html.lines(written)}</pre>"))
        pieces.append(html.note(trained.net.memory.text()))
    return pieces


def versions() -> list[tuple[str, str]]:
    """What computed: Brew, Python, packages, the machine."""
    found = [("Brew", __version__), ("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    found += [("system", platform.platform()), ("engine", engine.described())]
    return [*found, ("written", time.strftime("%Y-%m-%d %H:%M:%S %z"))]
