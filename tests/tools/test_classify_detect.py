"""`brew classify` and `brew detect` through the command line, on a net whose output is the mean of each channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import brew
from brew.files.npy import write_npy

Run = Callable[..., Any]
MODEL = ("--model_def=deploy.prototxt", "--pretrained_model=w.caffemodel")
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
layer { name: "means" type: "Convolution" bottom: "data" top: "means"
        convolution_param { num_output: 3 kernel_size: 4 bias_term: false } }
layer { name: "flat" type: "Flatten" bottom: "means" top: "flat" }
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of one colour each: red.jpg, blue.jpg, and halves.png, black at the left and white at the right."""
    monkeypatch.chdir(tmp_path)
    Path("deploy.prototxt").write_text(NET)
    net = brew.Net("deploy.prototxt", brew.TEST)
    net.params["means"][0].data[...] = np.eye(3).reshape(3, 3, 1, 1) / 16
    net.save("w.caffemodel")
    net.close()
    Path("img").mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save("img/red.jpg", quality=100, subsampling=0)
    Image.new("RGB", (8, 8), (0, 0, 255)).save("img/blue.jpg", quality=100, subsampling=0)
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, 4:] = 255
    Image.fromarray(halves).save("img/halves.png")


def test_a_folder_in_the_order_of_names(brew_run: Run) -> None:
    outcome = brew_run("classify", *MODEL, "img", "scores", "--images_dim=8,8", "--mean_file=")
    assert outcome.code == 0 and "mean_file" not in outcome.err
    lines = outcome.out.splitlines()
    assert lines[:3] == ["Loading folder: img", "CPU mode", "Classifying 2 inputs."]
    assert lines[3].startswith("Done in ") and lines[4:] == ["Saving results into scores.npy"]
    # blue, then red; channels are BGR
    np.testing.assert_allclose(np.load("scores.npy"), [[255, 0, 0], [0, 0, 255]], atol=2.5)


def test_flags_prepare_images(brew_run: Run) -> None:
    said = ("--channel_swap=0,1,2", "--raw_scale=10", "--input_scale=0.5", "--mean_file=mean.npy", "--center_only")
    write_npy("mean.npy", np.array([1, 2, 3], np.float32))
    assert brew_run("classify", *MODEL, *said, "--images_dim=6,6", "img/red.jpg", "s.npy").code == 0
    np.testing.assert_allclose(np.load("s.npy"), [[4.5, -1, -1.5]], atol=0.1)


def test_arrays_are_images_too(brew_run: Run) -> None:
    images = np.zeros((3, 4, 4, 3), np.float32)
    images[2, :, :, 0] = 1
    write_npy("in.npy", images)
    assert brew_run("classify", *MODEL, "in.npy", "s.npy", "--images_dim=4,4", "--mean_file=").code == 0
    np.testing.assert_allclose(np.load("s.npy"), [[0, 0, 0], [0, 0, 0], [0, 0, 255]], atol=1e-3)


def test_names_of_classes_are_printed(brew_run: Run) -> None:
    Path("labels.txt").write_text("blue\ngreen\nred\n")
    outcome = brew_run(
        "classify", *MODEL, "img/red.jpg", "s.npy", "--labels=labels.txt", "--images_dim=4,4", "--mean_file="
    )
    line = next(line for line in outcome.out.splitlines() if line.startswith("img/red.jpg: "))
    assert line.split()[2] == "red,"


def test_mistakes_of_classify(brew_run: Run) -> None:
    assert "no --mean_file is given" in brew_run("classify", *MODEL, "img/red.jpg", "s.npy").err
    assert brew_run("classify", "img/red.jpg", "s.npy").code == 2
    assert brew_run("classify", *MODEL, "img/red.jpg", "s.npy", "--images_dim=8").code == 2
    assert brew_run("classify", *MODEL, "img", "s.npy", "--ext=gif").code == 2
    assert brew_run("classify", *MODEL, "img/none.jpg", "s.npy").code == 3
    assert brew_run("classify", *MODEL, "deploy.prototxt", "s.npy").code == 3
    assert brew_run("classify", *MODEL, "img/red.jpg", "s.npy", "--mean_file=deploy.prototxt").code == 3
    write_npy("mean.npy", np.zeros((2, 1, 1), np.float32))
    assert brew_run("classify", *MODEL, "img/red.jpg", "s.npy", "--mean_file=mean.npy").code == 2
    assert brew_run("classify", *MODEL, "img/red.jpg", ".").code == 0 and Path("..npy").is_file()  # as NumPy names it
    Path("mine.npy").write_text("mine")
    assert brew_run("classify", *MODEL, "img/red.jpg", "mine.npy").code == 7
    assert brew_run("classify", *MODEL, "--gpu", "img/red.jpg", "s.npy").code in (0, 6)


def test_windows_of_a_table(brew_run: Run) -> None:
    Path("w.csv").write_text(
        "filename, xmin, ymin, xmax, ymax\nimg/halves.png, 4, 0, 8, 8\nimg/red.jpg,0,0,4,4\nimg/halves.png,0,0,4,4.0\n\n"
    )
    said = ("detect", *MODEL, "--crop_mode=list", "--context_pad=0", "--mean_file=")
    outcome = brew_run(*said, "w.csv", "out.csv")
    assert outcome.code == 0 and "Processed 3 windows in " in outcome.out and "Saved to out.csv in " in outcome.out
    lines = Path("out.csv").read_text().splitlines()
    assert lines[0] == "filename,ymin,xmin,ymax,xmax,class0,class1,class2"
    # The windows of an image stand together, as they do behind pandas' unique.
    assert [line.split(",")[:5] for line in lines[1:]] == [
        ["img/halves.png", "0", "4", "8", "8"], ["img/halves.png", "0", "0", "4", "4"], ["img/red.jpg", "0", "0", "4", "4"]
    ]  # fmt: skip
    scores = [[float(cell) for cell in line.split(",")[5:]] for line in lines[1:]]
    np.testing.assert_allclose(scores, [[255] * 3, [0] * 3, [0, 0, 255]], atol=3)
    assert brew_run(*said, "w.csv", "out.h5").code == 0
    with h5py.File("out.h5") as file:
        assert file["filename"][2] == b"img/red.jpg"
        assert file["window"][0].tolist() == [0, 4, 8, 8]
        np.testing.assert_allclose(file["prediction"][:], scores, rtol=1e-5, atol=1e-5)


def test_mistakes_of_detect(brew_run: Run) -> None:
    Path("w.csv").write_text("filename,xmin,ymin,xmax,ymax\nimg/red.jpg,0,0,4,4\n")
    search = brew_run("detect", *MODEL, "--mean_file=", "w.csv", "o.csv")
    assert search.code == 2 and "selective_search_ijcv_with_python" in search.err
    said = ("detect", *MODEL, "--crop_mode=list", "--mean_file=")
    Path("names.txt").write_text("img/red.jpg\n")
    assert brew_run(*said, "names.txt", "o.csv").code == 2
    assert brew_run(*said, "img/red.jpg", "o.csv").code == 2
    Path("w.csv").write_text("filename,xmin,ymin,xmax\nimg/red.jpg,0,0,4\n")
    assert "no column ymax" in brew_run(*said, "w.csv", "o.csv").err
    Path("w.csv").write_text("filename,xmin,ymin,xmax,ymax\nimg/red.jpg,0,0,4,4\nimg/red.jpg,0,0,4\n")
    assert "w.csv:3" in brew_run(*said, "w.csv", "o.csv").err
    Path("w.csv").write_text("filename,xmin,ymin,xmax,ymax\n")
    assert brew_run(*said, "w.csv", "o.csv").code == 3
    Path("w.csv").write_text("filename,xmin,ymin,xmax,ymax\nimg/red.jpg,90,90,99,99\n")
    assert brew_run(*said, "--context_pad=0", "w.csv", "o.csv").code == 2
    Path("w.csv").write_text(f"filename,xmin,ymin,xmax,ymax\n{'a' * 200_000},0,0,4,4\n")
    long = brew_run(*said, "w.csv", "o.csv")
    assert long.code == 3 and "w.csv:2" in long.err and "field larger" in long.err
    assert not Path("o.csv").exists()
