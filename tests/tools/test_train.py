"""`brew train`, `test` and `time` on a tiny net: what they write, print and do with signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew.memory import recompute
from brew.net import mode
from brew.net.net import Net
from brew.tools.parts.live import LiveLine, Results
from brew.tools.parts.signals import Signals
from brew.tools.train import configured

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Any]


def weights(path: str) -> np.ndarray[Any, Any]:
    return np.array(Net("net.prototxt", weights=path).params["ip"][0].data)


def test_train_leaves_a_snapshot_and_resumes_from_it(brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "-solver=solver.prototxt", "--set", "snapshot=10").code == 0
    names = {f"tiny_iter_{n}.{kind}" for n in (10, 20) for kind in ("caffemodel", "solverstate")}
    assert names <= {path.name for path in folder.iterdir()}
    whole = weights("tiny_iter_20.caffemodel")
    (folder / "tiny_iter_20.caffemodel").unlink()
    assert brew_run("train", "-solver", "solver.prototxt", "-snapshot", "tiny_iter_10.solverstate").code == 0
    np.testing.assert_array_equal(weights("tiny_iter_20.caffemodel"), whole)


def test_recomputing_trains_the_same_weights(brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, the field, and neither."""
    chosen: list[object] = []
    choose = recompute.choose
    monkeypatch.setattr(recompute, "choose", lambda *args: (chosen.append(args), choose(*args))[1])
    whole = []
    for number, options in enumerate(((), ("--recompute",), ("--set", "recompute=true"))):
        assert brew_run("train", "-solver=solver.prototxt", *options, "--set", f"snapshot_prefix={number}").code == 0
        assert bool(chosen) == bool(options)
        chosen.clear()
        whole.append(weights(f"{number}_iter_20.caffemodel"))
    np.testing.assert_array_equal(whole[1], whole[0])
    np.testing.assert_array_equal(whole[2], whole[0])


def test_an_option_that_is_not_given_leaves_the_field(folder: Path) -> None:
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + "recompute: true")
    for settings, expected in (({"recompute": None}, True), ({}, True), ({"recompute": True}, True)):
        assert configured(str(folder / "solver.prototxt"), (), settings).message.recompute is expected


@pytest.mark.onednn
@pytest.mark.native
@pytest.mark.parametrize(("option", "timed"), [([], False), (["--choose=measure"], True), (["--choose=RULE"], False)])
def test_a_training_with_a_seed_times_its_passes_only_when_asked(
    brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, option: list[str], timed: bool
) -> None:
    monkeypatch.setenv("BREW_CACHE", str(folder / "machine"))
    net = (folder / "net.prototxt").read_text().replace("dim: 4 dim: 6", "dim: 2 dim: 16 dim: 6 dim: 6")
    net = net.replace("dim: 4 dim: 2", "dim: 2 dim: 2").replace('bottom: "data" top: "ip"', 'bottom: "c" top: "ip"')
    convolution = 'type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 16 kernel_size: 3 }'
    (folder / "net.prototxt").write_text(net + f'layer {{ name: "c" {convolution} }}')
    layers = (folder / "net.prototxt").read_text().split("layer {")
    (folder / "net.prototxt").write_text("layer {".join([*layers[:2], layers[-1], *layers[2:-1]]))
    done = brew_run("train", "-solver=solver.prototxt", *option)
    assert done.code == 0
    lines = [line for line in done.err.splitlines() if "Timed every way of 2 kinds of passes" in line]
    assert len(lines) == timed
    assert (folder / "machine" / "choices").exists() == timed
    wrong = brew_run("train", "-solver=solver.prototxt", "--choose=mesure")
    assert wrong.code == 2 and "measure" in wrong.err


def test_weights_on_the_command_line_replace_the_file_s(brew_run: Run, folder: Path) -> None:
    brew_run("train", "-solver=solver.prototxt", "--set", "snapshot_prefix=first")
    stay = ["--set", "base_lr=0", "--set", "random_seed=2"]
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + 'weights: "gone.caffemodel"\n')
    assert brew_run("train", "-solver=solver.prototxt").code == 3
    assert brew_run("train", "-solver=solver.prototxt", "-weights=first_iter_20.caffemodel", *stay).code == 0
    np.testing.assert_array_equal(weights("tiny_iter_20.caffemodel"), weights("first_iter_20.caffemodel"))


@pytest.mark.parametrize("change", ["bas_lr=0.1", "base_lr", "base_lr=fast"])
def test_a_wrong_set_is_one_block(brew_run: Run, folder: Path, change: str) -> None:
    outcome = brew_run("train", "-solver=solver.prototxt", "--set", change)
    assert outcome.code in (2, 3)
    assert outcome.err.startswith("error[B")
    assert "Traceback" not in outcome.err


def test_a_wish_for_a_gpu_falls_back_with_a_place(brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brew.cuda.why_not", lambda: "none is plugged in")
    file = folder / "solver.prototxt"
    file.write_text(file.read_text() + "solver_mode: GPU\n")
    outcome = brew_run("train", "-solver=solver.prototxt", "-q")
    assert outcome.code == 0
    assert outcome.err.count("\n") == 1
    assert "solver.prototxt:13:1: solver_mode is GPU, but none is plugged in" in outcome.err


def test_test_prints_caffes_averages(brew_run: Run, folder: Path) -> None:
    brew_run("train", "-solver=solver.prototxt")
    outcome = brew_run("test", "-model=net.prototxt", "-weights=tiny_iter_20.caffemodel", "-iterations=3")
    assert outcome.code == 0
    loss, scored = outcome.out.splitlines()
    value = loss.removeprefix("Loss: ")
    assert scored == f"loss = {value} (* 1 = {value} loss)"
    batches = [line.split("] ")[1] for line in outcome.err.splitlines() if "Batch" in line]
    assert [line.rpartition(" = ")[0] for line in batches] == [f"Batch {i}, loss" for i in range(3)]
    assert np.mean([float(line.rpartition(" = ")[2]) for line in batches]) == pytest.approx(float(value), rel=1e-4)


@pytest.mark.parametrize("mode", ["train", "forward"])
def test_time_ends_with_one_json_object(brew_run: Run, folder: Path, mode: str) -> None:
    outcome = brew_run("time", "-model=net.prototxt", "-iterations=3", "--shape", "data:8x6", "--shape", "target:8x2",
                       "--mode", mode, "--json")  # fmt: skip
    assert outcome.code == 0
    facts = json.loads(outcome.out.splitlines()[-1])
    assert 0 < facts["ms_min"] <= facts["ms_median"]
    assert facts["images_per_s"] == pytest.approx(8000 / facts["ms_median"], rel=0.01)
    assert facts["peak_rss_mib"] >= facts["rss_after_import_mib"] > 1
    assert [layer["name"] for layer in facts["layers"]] == ["data", "ip", "loss"]
    assert (facts["backward_ms"] > 0) == (facts["update_ms"] > 0) == (mode == "train")


@pytest.mark.parametrize("learned", [True, False])
def test_of_a_net_without_loss_forward_alone_is_timed(learned: bool, brew_run: Run, folder: Path) -> None:
    text = (folder / "net.prototxt").read_text().partition('layer { name: "loss"')[0]
    if not learned:
        text = text.partition('layer { name: "ip"')[0]
    (folder / "net.prototxt").write_text(text)
    outcome = brew_run("time", "-model=net.prototxt", "-iterations=1", "--json")
    assert outcome.code == 0 and json.loads(outcome.out.splitlines()[-1])["mode"] == "forward"
    assert 'net "tiny" has no loss: forward alone is timed (--mode forward)' in outcome.err
    said = brew_run("time", "-model=net.prototxt", "-iterations=1", "-mode=forward")
    assert said.code == 0 and "forward alone" not in said.err
    ordered = brew_run("time", "-model=net.prototxt", "-iterations=1", "-mode=train")
    assert ordered.code == 2 and "give --mode forward" in ordered.err


@contextmanager
def endless(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A training that only a signal ends, once it has begun."""
    command = [sys.executable, "-m", "brew", "train", "-solver=solver.prototxt", *options]
    for change in ("max_iter=100000000", "test_interval=1000000", "snapshot_after_train=false", "display=100"):
        command += ["--set", change]
    with subprocess.Popen(
        command, cwd=folder, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        try:
            wait_for(process, "Iteration 100 ")
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            return
    pytest.fail(f"the training ended with {process.wait()} before {text!r}: {''.join(seen[-3:])}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_with_a_snapshot(folder: Path, number: int, code: int) -> None:
    with endless(folder) as process:
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == code
    [state] = folder.glob("tiny_iter_*.solverstate")
    assert state.with_suffix(".caffemodel").is_file()


def test_a_log_that_nobody_reads_stops_with_a_snapshot(folder: Path) -> None:
    with endless(folder) as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(timeout=30) == 1
    [state] = folder.glob("tiny_iter_*.solverstate")
    assert state.with_suffix(".caffemodel").is_file()


def test_a_signal_is_answered_at_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "brew")
    before = set(threading.enumerate())
    Signals(Asked(), {signal.SIGINT: "stop"}).handle(signal.SIGINT, None)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert caplog.messages == ["stopping after this pass (Ctrl-C again stops at once)"]


def test_sighup_snapshots_and_goes_on(folder: Path) -> None:
    with endless(folder, "--sigint_effect=snapshot") as process:
        process.send_signal(signal.SIGHUP)
        wait_for(process, "Snapshotting to binary proto file")
        process.send_signal(signal.SIGINT)
        wait_for(process, "Snapshotting to binary proto file")
        assert process.poll() is None
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 143


class Asked:
    """Stands where a solver would; keeps what it was asked."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def request(self, action: str) -> None:
        self.actions.append(action)


def test_a_second_sigint_does_not_wait() -> None:
    signals = Signals(Asked(), {signal.SIGINT: "stop", signal.SIGTERM: "stop"})
    signals.handle(signal.SIGTERM, None)
    assert signals.exit_code == 143
    with pytest.raises(KeyboardInterrupt):
        signals.handle(signal.SIGINT, None)


def test_effects_of_signals() -> None:
    asked = Asked()
    signals = Signals(asked, {signal.SIGINT: "snapshot", signal.SIGHUP: "none", signal.SIGTERM: "stop"})
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        signals.handle(number, None)
    assert asked.actions == ["snapshot", "snapshot", "stop"]


def test_the_live_line() -> None:
    import io

    from rich.console import Console
    from rich.progress import Progress

    from brew.solver.training.events import Iterated, Snapshotted, Stopped, Tested

    text = io.StringIO()
    with Progress(console=Console(file=text, width=200)) as progress:
        task = progress.add_task("", total=10, numbers="")
        line, results = LiveLine(progress, task), Results()
        for event in (
            Iterated(1, 2.5, 0.01, 0.5, 64),
            Iterated(2, None, 0.01, 0.5, 64),
            Tested(2, 0, {"accuracy": 0.5, "loss": 1.25}),
            Snapshotted(2, Path("a.caffemodel"), Path("a.solverstate")),
        ):
            line(event)
            results(event)
        assert progress.tasks[0].completed == 2
        assert progress.tasks[0].fields["numbers"] == "loss 2.5  lr 0.01  128 images/s"
        line(Iterated(3, 2.25, 0.01, 0.125, 64))
        assert progress.tasks[0].completed == 2  # quick steps are not all shown
        line(Iterated(4, 2.0, 0.01, 0.125, 64))
        assert progress.tasks[0].completed == 4
        line(Iterated(5, 1.75, 0.01, 0.125, 64))
        line(Stopped(5, "max_iter"))
        assert progress.tasks[0].completed == 5  # the last one is
        assert "loss 1.75" in progress.tasks[0].fields["numbers"]
    assert "iteration 2, test net #0: accuracy = 0.5; loss = 1.25\n" in text.getvalue()
    assert "snapshot: a.caffemodel and a.solverstate\n" in text.getvalue()
    assert list(results.last) == [0]


def test_resume_finds_the_newest_whole_snapshot(brew_run: Run, folder: Path) -> None:
    assert "there is no whole snapshot tiny_iter_*" in resumed(brew_run).err.lower()  # so it began at the start
    whole = weights("tiny_iter_20.caffemodel")
    torn = folder / "tiny_iter_20.caffemodel"
    torn.write_bytes(torn.read_bytes()[:-4])
    outcome = resumed(brew_run)
    [passed] = [line for line in outcome.err.splitlines() if "is passed by" in line]
    assert "] tiny_iter_20.solverstate is passed by: tiny_iter_20.caffemodel " in passed
    assert "Resuming from tiny_iter_10.solverstate" in outcome.err
    np.testing.assert_array_equal(weights("tiny_iter_20.caffemodel"), whole)
    assert "Resuming from tiny_iter_20.solverstate" in resumed(brew_run).err


def resumed(brew_run: Run) -> Any:
    outcome = brew_run("train", "-solver=solver.prototxt", "--resume", "--set", "snapshot=10")
    assert outcome.code == 0, outcome.err
    return outcome


def test_resume_and_snapshot_are_two_answers_to_one_question(brew_run: Run, folder: Path) -> None:
    outcome = brew_run("train", "-solver=solver.prototxt", "--resume", "--snapshot=x.solverstate")
    assert outcome.code == 2 and "--resume finds the newest snapshot by itself" in outcome.err


def test_a_run_may_write_down_its_numbers(brew_run: Run, folder: Path) -> None:
    shown = ["--set", "display=5", "--metrics=metrics.jsonl", "--tensorboard=events"]
    assert brew_run("train", "-solver=solver.prototxt", *shown).code == 0
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines if line["kind"] == "train"] == [0, 5, 10, 15]
    assert {line["kind"] for line in lines} >= {"train", "snapshot", "stop"}
    assert len(list((folder / "events").iterdir())) == 1


def test_layers_of_other_shapes_are_left_on_request(brew_run: Run, folder: Path) -> None:
    net = folder / "net.prototxt"
    wide = (
        'layer { name: "wide" type: "InnerProduct" bottom: "data" top: "wide" inner_product_param { num_output: 4 } }'
    )
    net.write_text(net.read_text() + wide)
    assert brew_run("train", "-solver=solver.prototxt", "--set", "snapshot_prefix=first").code == 0
    net.write_text(net.read_text().replace("num_output: 4", "num_output: 5"))
    fine_tune = ["train", "-solver=solver.prototxt", "--weights=first_iter_20.caffemodel"]
    refused = brew_run(*fine_tune)
    assert refused.code == 3 and "--ignore-mismatched" in refused.err
    assert brew_run(*fine_tune, "--ignore-mismatched").code == 0
    score = ["test", "-model=net.prototxt", "-weights=first_iter_20.caffemodel", "-iterations=1"]
    refused = brew_run(*score)
    assert refused.code == 3 and "--ignore-mismatched" in refused.err
    assert brew_run(*score, "--ignore-mismatched").code == 0


@pytest.mark.parametrize("engine", ["caffe", pytest.param("onednn", marks=pytest.mark.onednn), "default"])
def test_the_engine_holds_for_one_command(brew_run: Run, folder: Path, engine: str) -> None:
    before = mode.default_engine()
    assert brew_run("train", "-solver=solver.prototxt", f"--engine={engine}").code == 0
    assert mode.default_engine() == before
    outcome = brew_run("train", "-solver=solver.prototxt", "--engine=mkl")
    assert outcome.code == 2 and "caffe" in outcome.err


def test_a_snapshot_of_another_net_is_no_matter_of_ignoring(brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "--solver", "solver.prototxt").code == 0
    text = (folder / "net.prototxt").read_text().replace("num_output: 2", "num_output: 3")
    (folder / "net.prototxt").write_text(text.replace("dim: 4 dim: 2", "dim: 4 dim: 3"))
    resumed = "train", "--solver", "solver.prototxt", "--snapshot", "tiny_iter_20.solverstate"
    for options in ((), ("--reset-history",)):
        refused = brew_run(*resumed, *options)
        assert refused.code == 3 and "the file has 2 x 6, the net 3 x 6" in refused.err
        assert "--weights tiny_iter_20.caffemodel --ignore-mismatched takes over what fits" in refused.err
    ignoring = brew_run(*resumed, "--ignore-mismatched")
    assert ignoring.code == 2 and "--ignore-mismatched is for --weights" in ignoring.err
