"""One contestant of compare.py in a process of its own: a net in Brew, PyTorch or ONNX Runtime, or the bare machine.

    python benchmarks/contestant.py SPEC      SPEC: the fields of `Spec` as JSON

It says its first loss on stdout, as one JSON object in a line; then for every line on stdin, a number of seconds, it
takes steps for so long and says how long each took. An error is said the same way and ends it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TextIO

RATE, MOMENTUM, DECAY = 1e-4, 0.9, 5e-4
_WARM_UP = 0.25  # seconds: shorter steps begin a turn with one that does not count
_LEAST_STEPS = 2
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Spec:
    """`kind` is a key of KINDS; `mode` "train" or "forward"; `weights` and `onnx` are files made by weights.py."""

    kind: str
    net: str = ""
    mode: str = "train"
    threads: int = 2
    weights: str = ""
    onnx: str = ""
    options: dict[str, Any] = field(default_factory=dict)


class Contestant:
    """A net that can take steps. `imports` loads what it needs, and memory counts from there."""

    kind: ClassVar[str]

    def __init__(self, spec: Spec) -> None:
        raise NotImplementedError

    @staticmethod
    def imports(spec: Spec) -> None:
        raise NotImplementedError

    def load(self, weights: Path) -> None:
        """Take the weights of this file, and the batch."""
        raise NotImplementedError

    def step(self) -> None:
        raise NotImplementedError

    def loss(self) -> float:
        """Of the last step."""
        raise NotImplementedError


class Brew(Contestant):
    """Forward, backward and update as the solver does them, without a display; `options` go to Net."""

    kind = "brew"

    @staticmethod
    def imports(spec: Spec) -> None:
        from brew.net import engine

        engine.described()  # loads the libraries that compute, as importing PyTorch and ONNX Runtime does

    def __init__(self, spec: Spec) -> None:
        from nets import NETS, TEST, TRAIN, timed

        from brew.net.net import Net
        from brew.proto.brew_pb2 import SolverParameter
        from brew.solver.update.make import make_update, rule_class

        self.spec, self.of = spec, NETS[spec.net]
        train = spec.mode == "train"
        phase = TRAIN if train else TEST
        options: Any = {"keep": (), "forward_only": not train, **spec.options}  # as the commands make their nets
        self.net = Net(timed(self.of, phase), phase, device="cpu", seed=1, history_slots=int(train), **options)
        self.step = self._train if train else self.net.run_forward  # type: ignore[method-assign]
        if train:
            rule = rule_class("SGD")
            assert rule is not None
            sgd = rule(SolverParameter(momentum=MOMENTUM, weight_decay=DECAY))
            self.update = make_update(self.net.parameters, self.net.engine, sgd)
            self.iteration = 0

    def load(self, weights: Path) -> None:
        from nets import batch

        self.net.copy_from(weights)
        images, labels = batch(self.of)
        self.net.blobs["data"].data[...] = images
        self.net.blobs["label"].data[...] = labels

    def _train(self) -> None:
        self.net.clear_param_diffs()
        self.net.forward_backward()
        self.update.apply(RATE, self.iteration)
        self.iteration += 1

    def loss(self) -> float:
        return self.net.loss()


class Torch(Contestant):
    """The peer, eager in the default layout; options: channels_last, compile."""

    kind = "torch"

    @staticmethod
    def imports(spec: Spec) -> None:
        import torch
        import torch_peer  # noqa: F401

        torch.set_num_threads(spec.threads)
        torch.set_num_interop_threads(1)
        if spec.options.get("compile"):
            import torch._dynamo

    def __init__(self, spec: Spec) -> None:
        import torch
        from nets import NETS, TEST, TRAIN, timed
        from torch_peer import Peer

        self.torch, self.of = torch, NETS[spec.net]
        train = spec.mode == "train"
        last = spec.options.get("channels_last")
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.model: Any = Peer(timed(self.of, TRAIN if train else TEST)).train(train)
        self.model = self.model.to(memory_format=self.layout)
        self.call = torch.compile(self.model) if spec.options.get("compile") else self.model
        self.sgd = torch.optim.SGD(
            self.model.learned.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, fused=True
        )
        self.step = self._train if train else self._forward  # type: ignore[method-assign]

    def load(self, weights: Path) -> None:
        from nets import batch
        from safetensors import safe_open

        with safe_open(weights, framework="pt") as file:
            self.model.load(file.get_tensor)
        images, labels = batch(self.of)
        data = self.torch.from_numpy(images).contiguous(memory_format=self.layout)
        self.inputs = data, self.torch.from_numpy(labels)

    def _train(self) -> None:
        self.sgd.zero_grad(set_to_none=True)
        self.result = self.call(*self.inputs)
        self.result.backward()
        self.sgd.step()

    def _forward(self) -> None:
        with self.torch.inference_mode():
            self.result = self.call(*self.inputs)

    def loss(self) -> float:
        return float(self.result.detach())


class OnnxRuntime(Contestant):
    """The same net as an ONNX model, all optimisations on; forward only."""

    kind = "onnxruntime"

    @staticmethod
    def imports(spec: Spec) -> None:
        import onnxruntime  # noqa: F401

        import brew.graph.definition  # noqa: F401

    def __init__(self, spec: Spec) -> None:
        import onnxruntime
        from nets import NETS

        self.of = NETS[spec.net]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = spec.threads, 1
        self.session = onnxruntime.InferenceSession(spec.onnx, options, providers=["CPUExecutionProvider"])

    def load(self, weights: Path) -> None:
        from nets import batch

        images, labels = batch(self.of)
        self.inputs = {"data": images, "label": labels}

    def step(self) -> None:
        self.result = self.session.run(None, self.inputs)

    def loss(self) -> float:
        return float(self.result[0].sum())


KINDS: dict[str, type[Contestant]] = {c.kind: c for c in (Brew, Torch, OnnxRuntime)}


# --- memory ---------------------------------------------------------------------------------------------------------


def _status(name: str) -> int | None:
    """A line of Linux's account of this process, in bytes."""
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) << 10
    return None


def resident() -> int:
    """Bytes in memory now; where the system does not tell, the most so far."""
    now = _status("VmRSS")
    return peak() if now is None else now


def peak() -> int:
    """The most bytes in memory so far, or since `forget_peak`."""
    most = _status("VmHWM")
    if most is not None:
        return most
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def forget_peak() -> None:
    """Count the peak from now on, on Linux: what reading the weights' file took is none of the contestant's."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


# --- the conversation -----------------------------------------------------------------------------------------------


def turn(step: Callable[[], None], seconds: float, known: float) -> list[float]:
    """Seconds of each step, for so many seconds; `known` is what a step took before."""
    if known < _WARM_UP:
        step()
    times: list[float] = []
    while len(times) < _LEAST_STEPS or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
        if times[-1] > seconds:
            break
    return times


def converse(spec: Spec, commands: TextIO, answer: Callable[[dict[str, Any]], None]) -> None:
    """Build, load, take one step, say what it cost; then turns until `commands` end."""
    kind = KINDS[spec.kind]
    kind.imports(spec)
    base = resident()
    contestant = kind(spec)
    built = peak()
    contestant.load(Path(spec.weights))
    forget_peak()
    start = time.perf_counter()
    contestant.step()
    known = time.perf_counter() - start
    answer({"loss": contestant.loss(), "first_step": known})
    for line in commands:
        times = turn(contestant.step, float(line), known)
        known = min(known, *times)
        answer({"times": times, "memory": max(built, peak()) - base})


def main() -> int:
    stdout = sys.stdout
    sys.stdout = sys.stderr  # nothing a library prints may come between the answers

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=stdout, flush=True)

    try:
        converse(Spec(**json.loads(sys.argv[1])), sys.stdin, answer)
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
