"""The example of spoken digits, on tones: its commands as they stand in its README, and nets that begin to learn."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from sounds import tone, wav

import brew
from brew.solver.training import events
from brew.tools.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "spoken_digits"


def commands() -> list[list[str]]:
    """Of the README, without `brew`."""
    block = re.search(r"```bash\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    assert block is not None
    return [shlex.split(line)[1:] for line in block[1].replace("\\\n", " ").splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example with an import of tones, one for each digit."""
    for path in EXAMPLE.glob("*.prototxt"):
        shutil.copy(path, tmp_path)
    (tmp_path / "recordings").mkdir()
    for digit in range(10):
        for index in range(8):
            length = 0.3 + 0.05 * index
            (tmp_path / "recordings" / f"{digit}_ann_{index}.wav").write_bytes(wav(tone(250 * 1.28**digit, length)))
    monkeypatch.chdir(tmp_path)
    imported = [word.replace("PATH/", "") for word in commands()[0]]
    with pytest.raises(SystemExit) as ended:
        main(imported)
    assert not ended.value.code
    return tmp_path


def train(solver: str, iterations: int, *tests: str) -> tuple[list[float], list[float]]:
    """The losses and the test accuracies of a training as long as that."""
    changes = [
        f"max_iter={iterations}",
        f"test_interval={iterations}",
        "test_iter=1",
        "display=1",
        "random_seed=3",
        "base_lr=0.004",
    ]
    made = brew.get_solver(solver, overrides=changes, device="cpu")
    losses: list[float] = []
    scores: list[float] = []
    made.watch(lambda event: scores.append(event.scores["accuracy"]), events.Tested)
    made.watch(lambda event: losses.append(event.loss), events.Displayed)
    made.solve()
    made.close()
    return losses, scores


def test_the_nets_begin_to_learn(folder: Path) -> None:
    assert [command[:2] for command in commands()[1:]] == [["train", "--solver"]] * 2
    _, scores = train(commands()[1][2], 40)
    assert scores[0] < 0.3 < 0.5 < scores[-1]
    model = brew.load("cnn.prototxt", weights="cnn_iter_40.caffemodel")
    names = [f"{digit}_ann_{index}.wav" for digit in range(10) for index in range(5)]  # the test part
    found = model.predict([folder / "recordings" / name for name in names])
    right = [prediction.label == name[0] for prediction, name in zip(found, names, strict=True)]
    assert sum(right) / 50 == pytest.approx(scores[-1])
    losses, _ = train(commands()[2][2], 8, "test_initialization=false", "test_interval=99")
    assert losses[-1] < 0.9 * losses[0]
    heard = brew.load("lstm.prototxt", weights="lstm_iter_8.caffemodel")
    assert list(heard.outputs) == ["prob"] and len(heard.predict(wav(tone(250))).scores) == 10
