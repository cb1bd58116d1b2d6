"""Trainings read into series, and drawn."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brew.errors import InputError, ResourceError, UsageError
from brew.reports.curves import choosing, files
from brew.reports.curves.chart import draw
from brew.reports.curves.marks import Dot, Line, Text
from brew.reports.curves.png import image
from brew.reports.curves.reading import distinct, from_records, read_run
from brew.reports.curves.series import Run, Series
from brew.reports.curves.smoothing import averaged, smoothed, thinned
from brew.reports.curves.svg import svg
from brew.solver.tensorboard import TensorBoard
from brew.solver.training import events

GLOG = """\
stdout says what it likes, iteration 5 too
I1231 23:59:58.000000   123 solver.cpp:218] Iteration 0 (0 iter/s, 0s/100 iters), loss = 2.5
I1231 23:59:58.000000   123 solver.cpp:237]     Train net output #0: loss = 2.25 (* 1 = 2.25 loss)
I1231 23:59:58.000000   123 solver.cpp:237]     Train net output #1: prob = 0.5
I1231 23:59:58.000000   123 solver.cpp:237]     Train net output #2: prob = 0.75
I1231 23:59:58.500000   123 sgd_solver.cpp:105] Iteration 0, lr = 0.01
I1231 23:59:59.000000   123 solver.cpp:330] Iteration 100, Testing net (#1)
[1,0]<stderr>:I0101 00:00:02.000000   123 solver.cpp:397]     Test net output #0: top-5 = 0.875
I0101 00:00:03.000000   123 solver.cpp:218] Iteration 200, loss = nan
W0101 00:00:03.000000   123 solver.cpp:105] Iteration 200, lr = 1e-05
"""


def values(run: Run, name: str) -> list[tuple[float, float]]:
    series = run.series[name]
    return list(zip(series.iterations.tolist(), series.values.tolist(), strict=True))


def test_a_log_of_caffe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "caffe.host.user.log.INFO.1"
    path.write_text(GLOG)
    run = read_run(path)
    assert values(run, "train/loss")[0] == (0, 2.5)
    assert np.isnan(run.series["train/loss"].values[1])
    assert values(run, "train/output/loss") == [(0, 2.25)]
    assert values(run, "train/prob[0]") == [(0, 0.5)] and values(run, "train/prob[1]") == [(0, 0.75)]
    assert values(run, "train/rate") == [(0, 0.01), (200, 1e-5)]
    assert values(run, "test1/top-5") == [(100, 0.875)]
    assert run.series["train/loss"].seconds.tolist() == [0, 5]  # over the end of a year, which no line names
    assert run.series["test1/top-5"].seconds.tolist() == [5]  # its outputs count when the next line ends them


def test_a_log_in_utf16_and_one_without_stamps(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(GLOG.encode("utf-16"))
    (tmp_path / "b.log").write_text(re.sub(r"[IW]\d+ [\d:.]+ +\d+ ", "", GLOG))
    whole, bare = read_run(tmp_path / "a.log"), read_run(tmp_path / "b.log")
    assert whole.series.keys() == bare.series.keys()
    assert np.isnan(bare.series["train/rate"].seconds).all()
    with pytest.raises(UsageError, match="no times"):
        draw([bare], x="time")


def test_a_training_that_goes_on_replaces_what_it_repeats(tmp_path: Path) -> None:
    lines = [f"Iteration {i}, loss = {v}" for i, v in [(0, 9), (10, 8), (20, 7), (10, 6), (20, 5), (30, 4)]]
    (tmp_path / "train.log").write_text("\n".join(lines))
    assert values(read_run(tmp_path / "train.log"), "train/loss") == [(0, 9), (10, 6), (20, 5), (30, 4)]


def test_scores_of_before_2014_and_epochs(tmp_path: Path) -> None:
    (tmp_path / "old.log").write_text(
        "Iteration 500, Testing net (#0)\nTest score #0: 0.9\nTest score #1: 0.3\n"
        "max_epochs: 2 is max_iter: 1000 (64000 records, 128 an iteration)\n"
    )
    run = read_run(tmp_path / "old.log")
    assert values(run, "test0/score 0") == [(500, 0.9)]
    assert run.epoch == 500


def test_metrics_are_read_and_damage_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = [
        {"time": 10.0, "iteration": 0, "kind": "train", "loss": 1.0, "rate": 0.1, "images_per_second": None,
         "outputs": {"loss": 1.5, "rate": 7}},
        {"time": 12.5, "iteration": 5, "kind": "test", "net": 0, "outputs": {"accuracy": 0.5, "bad": None}},
        {"time": 13.0, "iteration": 5, "kind": "snapshot", "weights": "w", "state": "s"},
        [1, 2], {"iteration": "x", "kind": "train"},
    ]  # fmt: skip
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + '\n{"time": 1')
    run = read_run(tmp_path)
    assert run.name == tmp_path.name
    assert set(run.series) == {
        "train/loss", "train/rate", "train/output/loss", "train/output/rate", "test0/accuracy", "test0/bad"
    }  # fmt: skip
    assert run.series["test0/accuracy"].seconds.tolist() == [2.5]
    assert "no JSON are passed over: 1" in caplog.text
    assert from_records(records[:2], "r").series.keys() == run.series.keys()  # type: ignore[arg-type]


def test_event_files_are_read_with_a_restart(tmp_path: Path) -> None:
    for start, loss in ((0, 3.0), (10, 1.0)):
        board = TensorBoard(tmp_path, start)
        for iteration in range(start, start + 20, 5):
            board(events.Displayed(iteration, loss, 0.5, {"loss": 9.0}, 1.0, 40))
        board(events.Tested(start + 15, 0, {"accuracy": 0.25}))
    run = read_run(tmp_path)
    assert values(run, "train/loss") == [(0, 3), (5, 3), (10, 1), (15, 1), (20, 1), (25, 1)]
    assert values(run, "test0/accuracy") == [(25, 0.25)]  # that of 15 was forgotten
    assert run.series.keys() >= {"train/rate", "train/output/loss", "train/images_per_second"}
    whole = next(tmp_path.iterdir()).read_bytes()
    (tmp_path / "cut.tfevents.1").write_bytes(whole[:-7])  # killed while it wrote
    assert "test0/accuracy" not in read_run(tmp_path / "cut.tfevents.1").series


@pytest.mark.parametrize(
    "content", [b"", b"nothing\n", b"\x00\x01\x02\x03" * 9, b'{"a": 1}\n', b"\x89PNG\r\n\x1a\n\0\0"]
)
def test_what_is_no_training_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.log").write_bytes(content)
    with pytest.raises(InputError, match=re.escape("x.log")):
        read_run(tmp_path / "x.log")
    with pytest.raises(InputError, match="nothing in this folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "Iteration 99999999999999999999999, loss = 1",
        "Iteration 5, loss = 1.2.3",
        "Iteration 5 (1.2.3 iter/s, x), loss = 1",
        "max_epochs: 1.2.3 is max_iter: 5",
        "max_epochs: 1e999 is max_iter: 5",
        "I9999 99:99:99.9 1 a] Iteration 5, lr = 1e999",
        '{"iteration": 1' + "0" * 400 + ', "kind": "train", "loss": 1}',
        '{"iteration": 1' + "0" * 400 + ', "kind": "train", "epoch": 0.5}',
        '{"iteration": 9, "kind": "train", "loss": 1' + "0" * 400 + "}",
        '{"iteration": 9, "kind": "train", "loss": 1, "time": NaN, "epoch": NaN}',
        "Iteration 5, Testing net (#" + "9" * 5000 + ")",
        '{"iteration": 1, "kind": "test", "net": -7, "outputs": {"a": "b", "c": 1e999, "d": true}}',
        '{"iteration": true, "kind": "train", "loss": 1}',
        '{"a": ' + "[" * 100_000,
    ],
)
def test_odd_lines_do_no_harm(tmp_path: Path, line: str) -> None:
    good = '{"iteration": 3, "kind": "train", "loss": 2}' if line.startswith("{") else "Iteration 3, loss = 2"
    (tmp_path / "x.log").write_text(f"{line}\n{good}\n{line}\n")
    run = read_run(tmp_path / "x.log")
    assert (3, 2) in values(run, "train/loss")
    svg(draw([run], ["all"]))


def test_a_folder_of_several_trainings_names_them(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(GLOG)
    (tmp_path / "notes.txt").write_text("about a and b")
    with pytest.raises(InputError, match=r"a\.log, b\.log$|a\.log, b\.log "):
        read_run(tmp_path)
    assert distinct([tmp_path / "a.log", tmp_path / "b.log", Path("c/b.log")]) == ["a", f"{tmp_path.name}/b", "c/b"]


# --- smoothing --------------------------------------------------------------------------------------------------------


def test_a_smoothed_line_is_the_line_and_does_not_lag() -> None:
    x = np.arange(200.0)
    np.testing.assert_allclose(smoothed(x, 3 * x, 5)[20:180], 3 * x[20:180])
    noisy = np.sin(x / 30) + np.random.default_rng(0).normal(0, 0.3, 200)
    calm = smoothed(x, noisy, 6)
    assert np.abs(calm - np.sin(x / 30))[20:180].max() < 0.25
    assert calm[0] == noisy[0]


def test_gaps_stay_gaps() -> None:
    y = np.array([1.0, np.nan, 3.0, 3.0, 3.0])
    assert np.isnan(smoothed(np.arange(5.0), y, 1.0)).tolist() == [False, True, False, False, False]


def test_many_points_become_few_that_draw_the_same() -> None:
    x = np.arange(10000.0)
    y = np.zeros(10000)
    y[5001] = 7
    few_x, few_y = thinned(x, y, 100)
    assert len(few_x) <= 130 and few_y.max() == 7 and few_x[-1] == 9999
    mean_x, mean_y = averaged(x, x, 100)
    np.testing.assert_allclose(mean_x, mean_y)
    assert len(mean_x) == 100 and mean_x[0] == 49.5


# --- drawing ----------------------------------------------------------------------------------------------------------


def run_of(name: str = "r", **series: list[float]) -> Run:
    made = {}
    for key, numbers in series.items():
        called = key.replace("_", "/", 1)
        made[called] = Series(called, np.arange(len(numbers)) * 10.0, np.arange(len(numbers)) * 2.0, np.array(numbers))
    return Run(name, made)


def test_a_chart_has_curves_where_their_values_are() -> None:
    chart = draw([run_of(train_loss=[4.0, 2.0, 1.0, 0.0])], ["loss"])
    ticks = {m.text: m.at for m in chart.marks if isinstance(m, Text) and m.anchor != "start"}
    curve = next(m for m in chart.marks if isinstance(m, Line) and m.width == 2.0)
    (x0, y0), (x3, y3) = curve.points[0], curve.points[-1]
    assert x0 == pytest.approx(ticks["0"][0], abs=60) and x3 == pytest.approx(ticks["30"][0])
    per_unit = (ticks["1"][1] - ticks["4"][1]) / 3
    assert y3 - y0 == pytest.approx(4 * per_unit)
    assert sum(isinstance(m, Dot) for m in chart.marks) == 4


def test_values_that_are_not_finite_leave_a_gap() -> None:
    chart = draw([run_of(train_loss=[4.0, 3.0, np.nan, 1.0, 0.5])], ["loss"])
    assert [len(m.points) for m in chart.marks if isinstance(m, Line) and m.width == 2.0] == [2, 2]


def test_long_curves_are_smoothed_over_faint_ones_and_tests_are_not() -> None:
    noise = np.random.default_rng(1).normal(2, 0.5, 5000).tolist()
    chart = draw([run_of(train_loss=noise, test0_loss=noise)], ["loss"])
    faint = [m for m in chart.marks if isinstance(m, Line) and m.opacity < 1]
    assert len(faint) == 1 and len(faint[0].points) <= 2200
    assert not [m for m in draw([run_of(train_loss=noise)], smooth=0).marks if isinstance(m, Line) and m.opacity < 1]


def test_several_runs_have_a_colour_each_and_a_dash_for_each_series() -> None:
    runs = [run_of(name, train_loss=[3.0, 2.0], test0_loss=[3.0, 2.5]) for name in ("one", "two")]
    strong = [m for m in draw(runs, ["loss"]).marks if isinstance(m, Line) and m.width == 2.0]
    assert [(m.colour, bool(m.dash)) for m in strong] == [(0, False), (0, True), (1, False), (1, True)]


def test_panels_for_each_thing_asked_and_the_usual_ones() -> None:
    run = run_of(train_rate=[0.1, 0.01], train_loss=[3.0, 2.0], test0_accuracy=[0.1, 0.9], test0_miou=[0.1, 0.4])
    assert choosing.usual([run]) == ["loss", "accuracy", "miou", "lr"]
    texts = [m.text for m in draw([run]).marks if isinstance(m, Text) and m.size == 13]
    assert texts == ["loss", "accuracy", "miou", "learning rate"]
    assert choosing.chosen("test0/*", [run]) == ["test0/accuracy", "test0/miou"]
    assert choosing.chosen("acc", [run]) == ["test0/accuracy"]
    with pytest.raises(UsageError, match='"acuracy"') as caught:
        choosing.chosen("acuracy", [run])
    assert caught.value.hint == 'did you mean "accuracy"?'


def test_the_axis_of_epochs_needs_their_length() -> None:
    run = run_of(train_loss=[3.0, 2.0])
    with pytest.raises(UsageError, match="does not say how many iterations"):
        draw([run], x="epoch")
    assert draw([run], x="epoch", epoch=5).marks


@pytest.mark.parametrize("numbers", [[1.0], [np.nan, np.nan], [5.0, 5.0, 5.0], [0.0, 0.0], [-1e-30, 1e30]])
@pytest.mark.parametrize("log", [False, True])
def test_odd_values_are_drawn(numbers: list[float], log: bool) -> None:
    chart = draw([run_of(train_loss=numbers)], ["loss"], log=log)
    ElementTree.fromstring(svg(chart))
    assert "nan" not in svg(chart)


@pytest.mark.parametrize("numbers", [[1e-17], [1e-300, 1.0, 1e300], [-1.7e308, 1.7e308], [5e-324, 1e-99]])
@pytest.mark.parametrize("log", [False, True])
def test_numbers_beyond_those_of_a_net_are_drawn(numbers: list[float], log: bool) -> None:
    records = [{"kind": "train", "iteration": number, "loss": loss} for number, loss in enumerate(numbers)]
    ElementTree.fromstring(svg(draw([from_records(records, "run")], ["loss"], log=log)))


def test_times_that_are_no_numbers_leave_the_others() -> None:
    told = [{"kind": "train", "iteration": n, "loss": 1.0, "time": when} for n, when in enumerate([np.nan, 5.0, 7.0])]
    assert from_records(told, "run").series["train/loss"].seconds[1:].tolist() == [0, 2]


def test_names_cannot_break_out_of_the_picture() -> None:
    text = svg(draw([run_of("<script>\u202e", train_loss=[1.0, 2.0]), run_of("b", train_loss=[1.0, 2.0])], ["loss"]))
    assert "<script>" not in text and "\u202e" not in text


def test_an_image_shows_the_curve_in_its_colour() -> None:
    chart = draw([run_of(train_loss=[3.0, 2.0, 1.0])], ["loss"])
    with Image.open(io.BytesIO(image(chart))) as picture:
        assert picture.size == (2 * chart.width, 2 * chart.height)
        blue = (np.asarray(picture) == (0x00, 0x72, 0xB2)).all(axis=2)
    assert blue.sum() > 1000


def test_only_pictures_that_brew_drew_are_replaced(tmp_path: Path) -> None:
    chart = draw([run_of(train_loss=[3.0, 2.0])])
    for name in ("a.svg", "a.png", "a.jpg", "a.gif"):
        files.write(chart, tmp_path / name)
        files.write(chart, tmp_path / name)
    (tmp_path / "own.svg").write_text("<svg></svg>")
    Image.new("L", (2, 2)).save(tmp_path / "own.png")
    for name in ("own.svg", "own.png"):
        with pytest.raises(ResourceError, match="Brew did not write it"):
            files.write(chart, tmp_path / name)
        files.write(chart, tmp_path / name, overwrite=True)
    with pytest.raises(UsageError, match="a chart is written as"):
        files.write(chart, tmp_path / "a.pdf")
