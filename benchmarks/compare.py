"""Brew against PyTorch, and ONNX Runtime where only forward counts, on the nets of the zoo, on the CPU.

    python benchmarks/compare.py                                   every net, training and forward: a quarter of an hour
    python benchmarks/compare.py --nets lenet,resnet50 --mode train
    python benchmarks/compare.py --engine caffe --engine onednn    two ways of Brew beside one another
    python benchmarks/compare.py --before ../old --without torch    an older checkout beside this one
    python benchmarks/compare.py --json figures.json

Every contestant is a process of its own, and they take turns in short rounds, as machines slow down for seconds at a
time and noise only ever adds: the fastest step of each is what counts. docs/performance.md says more.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import isclose, prod
from pathlib import Path
from typing import Any

from contestant import Spec
from nets import NETS, TEST, TRAIN, timed
from race import ContestantError, Machine, Result, prepare, race

from brew.reports.summary import summarise

MODES = ("train", "forward")
LAYOUTS = ("torch", "torch-channels-last")  # the better of which is the peer
_SAME_LOSS = 1e-3  # relative, of the first forward
_PACKAGES = ("brew-caffe", "numpy", "torch", "onnxruntime", "onednn-cpu-gomp")


@dataclass(frozen=True)
class Match:
    """A net in one mode, and the results of all contestants."""

    net: str
    mode: str
    batch: int
    multiply_adds: int  # of a forward pass of the batch
    results: dict[str, Result]

    @property
    def operations(self) -> int:
        """Floating-point operations of a step: twice the multiply-adds, and of training three times as much."""
        return self.multiply_adds * (6 if self.mode == "train" else 2)

    def peer(self) -> str | None:
        """PyTorch's better layout."""
        ran = [name for name in LAYOUTS if name in self.results and self.results[name].ran]
        return min(ran, key=lambda name: self.results[name].fastest, default=None)

    def ratio(self, brew: str, other: str | None) -> float | None:
        """Brew's fastest step over the other's."""
        if other is None or not (self.results[brew].ran and self.results[other].ran):
            return None
        return self.results[brew].fastest / self.results[other].fastest

    def as_dict(self, sgemm: float) -> dict[str, Any]:
        peer = self.peer()
        contestants = {}
        for name, result in self.results.items():
            contestants[name] = result.as_dict()
            if result.ran:
                rate = self.operations / result.fastest
                contestants[name] |= {"flops": rate, "of_sgemm": rate / sgemm, "to_torch": self.ratio(name, peer)}
        return {
            "net": self.net, "mode": self.mode, "batch": self.batch, "multiply_adds": self.multiply_adds,
            "peer": peer, "contestants": contestants,
        }  # fmt: skip


def contestants(asked: argparse.Namespace, mode: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Kind and options of all contestants in `mode`, by name."""
    options = dict(_setting(text) for text in asked.net_option)
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for engine in asked.engine or [None]:
        found["brew" if engine is None else f"brew-{engine}"] = "brew", options | ({"engine": engine} if engine else {})
    found |= {_before(tree): ("brew", options) for tree in asked.before}
    found |= {"torch": ("torch", {}), "torch-channels-last": ("torch", {"channels_last": True})}
    if asked.compile:
        found["torch-compile"] = "torch", {"compile": True}
    if mode == "forward":
        found["onnxruntime"] = "onnxruntime", {}
    return {name: what for name, what in found.items() if name not in asked.without}


def _before(tree: Path) -> str:
    """The contestant's name for an older checkout."""
    return f"before-{tree.name}"


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def match(net: str, mode: str, asked: argparse.Namespace, machine: Machine, files: Mapping[str, Any]) -> Match:
    specs = {
        name: Spec(kind, net, mode, asked.threads, str(files["weights"]), str(files["onnx"]), options)
        for name, (kind, options) in contestants(asked, mode).items()
        if kind != "onnxruntime" or files["onnx"]
    }
    of = NETS[net]
    cost = summarise(timed(of, TRAIN if mode == "train" else TEST)).multiply_adds
    trees = {_before(tree): tree for tree in asked.before}
    results = race(specs, asked.rounds, asked.seconds, machine, _say, trees)
    if mode == "forward" and not files["onnx"] and "onnxruntime" not in asked.without:
        results["onnxruntime"] = Result(error=files["reason"])
    return Match(net, mode, of.data[0], cost, results)


def disagreements(found: Match) -> list[str]:
    """What the contestants' first losses say against one another; in training dropout draws differently."""
    losses = {name: r.loss for name, r in found.results.items() if r.loss is not None}
    if found.mode == "train" or not losses:
        return []
    name, first = next(iter(losses.items()))
    return [
        f"{found.net}: the loss of {name} is {first:g}, of {other} {loss:g}"
        for other, loss in losses.items()
        if not isclose(loss, first, rel_tol=_SAME_LOSS)
    ]


# --- what is printed ------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _mean(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return float(prod(ratios) ** (1 / len(ratios)))


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _time(result: Result | None) -> str:
    if result is None:
        return ""
    return f"{result.fastest * 1e3:.2f} ({result.median * 1e3:.2f})" if result.ran else "failed"


def _memory(result: Result | None) -> str:
    return f"{result.memory / 2**20:.0f}" if result is not None and result.ran else ""


def table(matches: Sequence[Match], mode: str, sgemm: float) -> list[list[str]]:
    """Rows of cells for one mode: times, ratios to PyTorch and ONNX Runtime, share of sgemm's rate, memory."""
    names = list(dict.fromkeys(name for m in matches for name in m.results))
    brews = [name for name in names if name.startswith("brew")]
    others = [name for name in names if name in ("torch-compile", "onnxruntime") or name.startswith("before-")]
    columns = [(b, o) for b in brews for o in ("torch", *others)]
    heading = ["net", "batch", *names, *(f"{b} / {o}" for b, o in columns)]
    rows = [[*heading, *(f"{b} of sgemm" for b in brews), "torch of sgemm", *(f"MiB {n}" for n in names)]]
    ratios: dict[tuple[str, str], list[float]] = {column: [] for column in columns}
    for m in matches:
        row = [m.net, str(m.batch), *(_time(m.results.get(name)) for name in names)]
        for b, o in columns:
            ratio = m.ratio(b, m.peer() if o == "torch" else o)
            row.append(_ratio(ratio))
            ratios[b, o] += [] if ratio is None else [ratio]
        for name in (*brews, m.peer()):
            ran = name is not None and m.results[name].ran
            row.append(f"{m.operations / m.results[name].fastest / sgemm:.0%}" if ran and name else "")
        rows.append(row + [_memory(m.results.get(name)) for name in names])
    means = [_ratio(_mean(values)) if values else "" for values in ratios.values()]
    rows.append(["geometric mean", *[""] * (1 + len(names)), *means, *[""] * (len(brews) + 1 + len(names))])
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join([cells[0].ljust(widths[0]), *rest])} |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def report(matches: Sequence[Match], machine: Machine, asked: argparse.Namespace) -> str:
    units = {name: "GB/s" if name == "copy" else "GFLOP/s" for name in machine.rates}
    rates = [f"{name} {rate / 1e9:.0f} {units[name]}" for name, rate in machine.rates.items()]
    parts = [
        f"{asked.threads} threads, {asked.rounds} rounds; {', '.join(f'{k} {v}' for k, v in versions().items())}",
        f"the machine: {', '.join(rates)}",
    ]
    for mode in dict.fromkeys(m.mode for m in matches):
        chosen = [m for m in matches if m.mode == mode]
        parts += ["", f"{mode}: milliseconds of the fastest step (and the median)", ""]
        parts.append(markdown(table(chosen, mode, machine.sgemm)))
    failures = [f"{m.net} {m.mode}: {n}: {r.error}" for m in matches for n, r in m.results.items() if r.error]
    return "\n".join([*parts, "", *failures, *(text for m in matches for text in disagreements(m))]).rstrip()


def _checkout(text: str) -> Path:
    tree = Path(text).resolve()
    if not (tree / "benchmarks/contestant.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is no checkout: it has no benchmarks/contestant.py")
    return tree


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description="Times Brew against PyTorch and ONNX Runtime on the CPU.")
    result.add_argument("--nets", default=",".join(NETS), help="names with commas between (all)")
    result.add_argument("--mode", choices=MODES, action="append", help="both unless given")
    result.add_argument("--rounds", type=int, default=5, help="in which every contestant has a turn (5)")
    result.add_argument("--seconds", type=float, default=1.0, help="of a turn, and two steps at least (1)")
    result.add_argument("--threads", type=int, default=2, help="of every contestant (2)")
    result.add_argument("--engine", action="append", default=[], help="of Brew; several stand beside one another")
    result.add_argument("--before", type=_checkout, action="append", default=[], metavar="TREE", help="an old checkout")
    result.add_argument("--net-option", action="append", default=[], metavar="NAME=JSON", help="for Brew's Net")
    result.add_argument("--compile", action="store_true", help="torch.compile too, which takes minutes")
    result.add_argument("--without", action="append", default=[], metavar="NAME", help="a contestant to leave out")
    result.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured, times in seconds")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; 1 where a contestant failed or its loss is not that of the others."""
    asked = parser().parse_args(arguments)
    names = asked.nets.split(",")
    if unknown := [name for name in names if name not in NETS]:
        parser().error(f"no net {', '.join(unknown)}; there are {', '.join(NETS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as ^C: what was measured is not lost
    machine, matches, modes = Machine(asked.threads), [], asked.mode or MODES
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                wants_onnx = "forward" in modes and "onnxruntime" not in asked.without
                weights, onnx, reason = prepare(name, Path(folder), asked.threads, wants_onnx)
                files = {"weights": weights, "onnx": onnx or "", "reason": reason}
                for mode in modes:
                    matches.append(match(name, mode, asked, machine, files))
                for path in Path(folder).iterdir():
                    path.unlink()
    except (ContestantError, KeyboardInterrupt) as error:
        _say(str(error) or "interrupted: what was measured until then follows")
    finally:
        machine.close()
    print(report(matches, machine, asked))
    if asked.json:
        found = [m.as_dict(machine.sgemm) for m in matches]
        facts = {"versions": versions(), "threads": asked.threads, "machine": machine.rates, "matches": found}
        asked.json.write_text(json.dumps(facts, indent=1) + "\n")
    failed = any(r.error for m in matches for r in m.results.values()) or len(matches) < len(names) * len(modes)
    return int(failed or any(disagreements(m) for m in matches))


if __name__ == "__main__":
    sys.exit(main())
