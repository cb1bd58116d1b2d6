"""Contestants in processes of their own, which take turns: none runs while another is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from contestant import Spec

HERE = Path(__file__).resolve().parent


class ContestantError(Exception):
    """A contestant cannot run, and why."""


@dataclass
class Result:
    """What one contestant did: seconds of every step of every round, bytes above its imports, its first loss."""

    rounds: list[list[float]] = field(default_factory=list)
    memory: int = 0
    loss: float | None = None
    first_step: float | None = None
    error: str = ""

    @property
    def fastest(self) -> float:
        return min(min(times) for times in self.rounds)

    @property
    def median(self) -> float:
        return median(t for times in self.rounds for t in times)

    @property
    def ran(self) -> bool:
        return bool(self.rounds) and not self.error

    def as_dict(self) -> dict[str, Any]:
        if not self.ran:
            return {"error": self.error}
        return asdict(self) | {"fastest": self.fastest, "median": self.median}


def environment(threads: int, tree: Path | None = None) -> dict[str, str]:
    """This one, with one number of threads for every library; Brew is `tree`'s, or what PYTHONPATH has, or this one."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    path = str(tree or os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(HERE.parent)])))
    return os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONPATH": path}


class Child:
    """A script of `tree`'s benchmarks, of this checkout's without one, that answers every line with a JSON object."""

    def __init__(self, script: str, argument: str, threads: int, tree: Path | None = None) -> None:
        folder = tree / "benchmarks" if tree else HERE
        self.process = subprocess.Popen(
            [sys.executable, str(folder / script), argument],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads, tree),
        )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        """Its next object; ContestantError where it says one, or is gone."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ContestantError(f"it ended with code {self.process.wait()}")
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise ContestantError(message["error"])
        return message

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise ContestantError(f"it ended with code {self.process.wait()}") from None
        return self.answer()

    def close(self) -> None:
        with self.process:  # closes the pipes, which ends it, and waits
            pass


class Machine:
    """The rates of the machine, the best of all the times they were measured."""

    def __init__(self, threads: int) -> None:
        self.rates: dict[str, float] = {}
        self._child = Child("machine.py", str(threads), threads)

    def measure(self) -> None:
        for name, rate in self._child.ask("").items():
            self.rates[name] = max(rate, self.rates.get(name, 0.0))

    @property
    def sgemm(self) -> float:
        """Floating-point operations per second of the best library."""
        return max(rate for name, rate in self.rates.items() if name.startswith("sgemm"))

    def close(self) -> None:
        self._child.close()


def race(
    specs: Mapping[str, Spec],
    rounds: int,
    seconds: float,
    machine: Machine,
    say: Callable[[str], None],
    trees: Mapping[str, Path],
) -> dict[str, Result]:
    """Run these contestants of one net in turn, `rounds` times for about `seconds` each.

    A contestant named in `trees` runs from that checkout. Another one begins each round: the first finds the machine
    as the measurement of its rates left it.
    """
    results = {name: Result() for name in specs}
    children: dict[str, Child] = {}
    try:
        for name, spec in specs.items():
            say(f"{spec.net} {spec.mode}: {name} starts")
            children[name] = Child("contestant.py", json.dumps(asdict(spec)), spec.threads, trees.get(name))
            _guarded(results[name], lambda name=name: _start(results[name], children[name]))  # type: ignore[misc]
        for number in range(rounds):
            machine.measure()
            order = deque(children.items())
            order.rotate(-number)
            for name, child in order:
                if not results[name].error:
                    _guarded(results[name], lambda name=name, child=child: _turn(results[name], child, seconds))  # type: ignore[misc]
            say(f"round {number + 1} of {rounds}")
    finally:
        for child in children.values():
            child.close()
    return results


def _guarded(result: Result, work: Callable[[], None]) -> None:
    try:
        work()
    except ContestantError as error:
        result.error = str(error)


def _start(result: Result, child: Child) -> None:
    first = child.answer()
    result.loss, result.first_step = first["loss"], first["first_step"]


def _turn(result: Result, child: Child, seconds: float) -> None:
    answer = child.ask(str(seconds))
    result.rounds.append(answer["times"])
    result.memory = answer["memory"]


def prepare(net: str, folder: Path, threads: int, onnx: bool) -> tuple[Path, Path | None, str]:
    """The files of weights and of the ONNX model of `net` in `folder`; the latter None with the reason."""
    weights, model = folder / f"{net}.safetensors", folder / f"{net}.onnx"
    arguments: Sequence[str] = [net, str(weights), *([str(model)] if onnx else [])]
    command = [sys.executable, str(HERE / "prepare.py"), *arguments]
    done = subprocess.run(command, env=environment(threads), stderr=subprocess.PIPE, text=True)
    reason = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode and not (onnx and weights.is_file()):
        raise ContestantError(f"{net} could not be made: {reason}")
    return weights, model if onnx and not done.returncode else None, reason if done.returncode else ""
