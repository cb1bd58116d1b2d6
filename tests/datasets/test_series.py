"""Time series: windows, what is predicted, and parts that no window reaches across."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew.datasets.features.preparation import preparation_of
from brew.datasets.features.series import Series
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, UsageError

HOURS = "time,load,temp\n" + "".join(f"2024-01-0{1 + i // 24} {i % 24:02d}:00,{i},{i * 10}\n" for i in range(60))


def opened(folder: Path, text: str = HOURS, **options: str) -> Series:
    (folder / "s.csv").write_text(text)
    source = open_source(folder / "s.csv", "series", {"target": "load", **options})
    assert isinstance(source, Series)
    return source


def test_windows_and_what_comes_behind(tmp_path: Path) -> None:
    source = opened(tmp_path, window="4", horizon="2", stride="3", time="time")
    assert [item.targets for item in source.items][:3] == [(5,), (8,), (11,)]  # steps 0-3 and 5, 3-6 and 8, ...
    assert source.items[-1].targets == (59,) and source.target_names == ("load",)
    source.fit(source.items)
    content = source.read(source.items[1])
    assert content.data.shape == (1, 4, 2) and content.more["cont"].tolist() == [0, 1, 1, 1]
    words = source.preparation
    raw = content.data[0] * np.array(words["std"]) + np.array(words["mean"])  # type: ignore[index]
    np.testing.assert_allclose(raw, [[i, 10 * i] for i in range(3, 7)], rtol=1e-5)


def test_no_window_reaches_from_part_to_part(tmp_path: Path) -> None:
    source = opened(tmp_path, window="4", time="time", test_last="0.25", val_last="0.25")
    spans: dict[str, set[int]] = {}
    for item in source.items:
        first = int(item.name[4:]) - 2
        spans.setdefault(str(item.part), set()).update(range(first, first + 5))
    assert spans == {"train": set(range(30)), "val": set(range(30, 45)), "test": set(range(45, 60))}
    assert any("8 windows left out, which reach" in note for note in source.notes)
    source.fit([item for item in source.items if item.part == "train"])
    assert source.preparation["mean"][0] == pytest.approx(np.mean(range(29)))  # type: ignore[index]


def test_groups_are_series_of_their_own(tmp_path: Path) -> None:
    text = "who,load\n" + "".join(f"{'ab'[i % 2]},{i}\n" for i in range(12))
    source = opened(tmp_path, text, window="2", group="who")
    assert [(item.group, item.targets) for item in source.items] == [
        *(("a", (float(v),)) for v in (4, 6, 8, 10)), *(("b", (float(v),)) for v in (5, 7, 9, 11)),
    ]  # fmt: skip


def test_rows_are_brought_into_the_order_of_time(tmp_path: Path) -> None:
    lines = HOURS.splitlines()
    source = opened(tmp_path, "\n".join([lines[0], *reversed(lines[1:])]), window="2", time="time")
    assert [item.targets for item in source.items][:2] == [(2,), (3,)]
    assert any("order of time" in note for note in source.notes)


def test_missing_values(tmp_path: Path) -> None:
    text = "load,temp\n1,5\n2,\n3,7\n4,8\n5,9\n6,4\n"
    skipped = opened(tmp_path, text, window="2")
    assert [item.targets for item in skipped.items] == [(5,), (6,)]
    assert "2 windows left out, in which a value is missing" in skipped.notes
    kept = opened(tmp_path, text, window="2", missing="previous")
    kept.fit(kept.items)
    first, second = (kept.read(kept.items[n]).data[0, :, 1] for n in (0, 1))
    assert first[1] == first[0] and second[0] == 0  # as the step before; the mean where the window has none
    prepared = preparation_of(kept.preparation).prepare({"load": [1, 2], "temp": [5, None]})
    np.testing.assert_array_equal(prepared["data"], kept.read(kept.items[0]).data)


def test_targets_can_be_scaled_and_be_classes(tmp_path: Path) -> None:
    source = opened(tmp_path, window="4", time="time", scale_target="yes")
    before = [item.targets[0] for item in source.items]
    source.fit(source.items)
    after = np.array([item.targets[0] for item in source.items])
    scaling = source.preparation["target_scaling"]  # type: ignore[index]
    np.testing.assert_allclose(after * scaling["std"][0] + scaling["mean"][0], before, rtol=1e-5)
    text = "x,state\n" + "".join(f"{i},{'ok' if i % 3 else 'bad'}\n" for i in range(9))
    classes = opened(tmp_path, text, window="3", horizon="0", target="state")
    assert classes.labels == ("bad", "ok") and [item.label for item in classes.items] == [1, 0, 1, 1, 0, 1, 1]


def test_uneven_steps_are_told(tmp_path: Path) -> None:
    source = opened(tmp_path, "t,load\n0,1\n1,2\n5,3\n6,4\n", window="2", time="t")
    assert any("not alike: 1 to 4" in note for note in source.notes)


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (HOURS, {}, "how many steps has a window"),
        (HOURS, {"window": "100", "time": "time"}, "no window of 101 steps"),
        (HOURS, {"window": "4", "time": "when"}, 'no column "when"'),
        (HOURS, {"window": "4", "test_last": "0.6", "val_last": "0.6"}, "leave nothing for train"),
        (HOURS, {"window": "4", "missing": "zero"}, "skip or previous is expected"),
        ("t,load\n1,1\n,2\n3,3\n", {"window": "1", "time": "t"}, "the time, is missing"),
        ("n,load\nx,1\ny,2\nz,3\n", {"window": "1", "time": "n"}, "holds no times"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(tmp_path: Path, text: str, options: dict[str, str], told: str) -> None:
    with pytest.raises(BrewError, match=told):
        opened(tmp_path, text, **options)


def test_a_window_for_a_trained_net(tmp_path: Path) -> None:
    source = opened(tmp_path, window="4", time="time")
    source.fit(source.items)
    prepare = preparation_of(source.preparation)
    window = [[float(i), 10.0 * i] for i in range(4)]
    np.testing.assert_array_equal(prepare.prepare(np.array(window))["data"], source.read(source.items[0]).data)
    for wrong, told in (
        (np.zeros((3, 2)), "3 x 2 was given; 4 steps x 2 columns"), ({"load": [1, 2, 3, 4]}, "no column temp"),
        ("text", "something else than numbers"), (np.full((4, 2), np.inf), "no finite numbers"),
        (np.full((4, 2), np.nan), "a value of the window is missing"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=told):
            prepare.prepare(wrong)
