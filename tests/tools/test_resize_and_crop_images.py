"""`brew resize_and_crop_images` through the command line: squares as OpenCV's and Pillow's, going on, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]
FOLDERS = ("-input_folder=in", "-output_folder=out")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """in/cats/wide.png (2 x 6, each column its number), in/tall one.png (8 x 2, each row its number)."""
    monkeypatch.chdir(tmp_path)
    Path("in/cats").mkdir(parents=True)
    wide = np.repeat(np.arange(6, dtype=np.uint8)[None, :, None] * 10, 2, axis=0)
    Image.fromarray(np.repeat(wide, 3, axis=2)).save("in/cats/wide.png")
    tall = np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 10, 2, axis=1)
    Image.fromarray(np.repeat(tall, 3, axis=2)).save("in/tall one.png")


def pixels(path: str) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)[:, :, 0].tolist()


def test_the_middle_is_cut_out(brew_run: Run) -> None:
    outcome = brew_run("resize_and_crop_images", *FOLDERS, "--output_side_length", "2")
    assert (outcome.code, outcome.out, outcome.err) == (0, "out: 2 images written\n", "")
    assert pixels("out/cats/wide.png") == [[20, 30], [20, 30]]
    assert pixels("out/tall one.png") == [[30, 30], [40, 40]]


def test_squares_are_of_the_length_asked(brew_run: Run) -> None:
    assert brew_run("resize-and-crop-images", *FOLDERS, "-output_side_length=1").code == 0
    # Halving is the mean of 2 x 2 pixels: columns 5, 25, 45 of wide, rows 5, 25, 45, 65 of tall, of which the middle.
    assert pixels("out/cats/wide.png") == [[25]]
    assert pixels("out/tall one.png") == [[25]]
    assert brew_run("resize_and_crop_images", *FOLDERS, "-output_side_length=5", "--overwrite").code == 0
    assert np.shape(pixels("out/cats/wide.png")) == (5, 5)


def test_what_is_there_is_kept(brew_run: Run) -> None:
    Path("out/cats").mkdir(parents=True)
    Path("out/cats/wide.png").write_bytes(b"mine")
    assert brew_run("resize_and_crop_images", *FOLDERS).out == "out: 1 images written, 1 were there\n"
    assert Path("out/cats/wide.png").read_bytes() == b"mine"
    assert brew_run("resize_and_crop_images", *FOLDERS, "--overwrite").out == "out: 2 images written\n"


def test_lists_name_images(brew_run: Run) -> None:
    Path("list.txt").write_text("cats/wide.png 0\r\nin/tall one.png\t3\r\n")
    said = ("--input=list.txt", "--num_clients=8", "--image_lib=opencv")
    assert brew_run("resize_and_crop_images", *FOLDERS, *said).out == "out: 2 images written\n"


def test_pillows_way(brew_run: Run) -> None:
    Image.fromarray(np.full((40, 30, 4), 77, np.uint8)).save("in/big.png")
    Image.new("L", (30, 41), 9).save("in/gray.png")
    assert brew_run("resize_and_crop_images", *FOLDERS, "-image_lib=PIL", "-output_side_length=4").code == 0
    sizes = {}
    for name in ("big", "gray", "cats/wide", "tall one"):
        with Image.open(f"out/{name}.png") as image:
            assert image.format == "JPEG"
            sizes[name] = image.size
    assert sizes == {"big": (4, 4), "gray": (4, 4), "cats/wide": (2, 2), "tall one": (2, 2)}  # nothing grows


def test_bad_images_are_named_and_the_others_written(brew_run: Run) -> None:
    Path("in/bad.png").write_bytes(b"\x89PNG broken")
    outcome = brew_run("resize_and_crop_images", *FOLDERS)
    assert outcome.code == 1 and "image in/bad.png" in outcome.err
    assert outcome.out == "out: 2 images written, 1 cannot be used\n"
    assert brew_run("resize_and_crop_images", *FOLDERS, "--max-bad=1").code == 0
    Path("list.txt").write_text("../secret.png\n/etc/x.png\nnone.png 3\n")
    outcome = brew_run("resize_and_crop_images", *FOLDERS, "-input=list.txt")
    assert outcome.err.count("lies outside of the folder") == 2 and "image in/none.png 3: No such file" in outcome.err


def test_links_that_lead_nowhere_are_named(brew_run: Run) -> None:
    Path("in/loop.png").symlink_to("loop.png")
    Path("in/gone.png").symlink_to("nowhere.png")
    outcome = brew_run("resize_and_crop_images", *FOLDERS)
    assert outcome.code == 1 and outcome.out == "out: 2 images written, 2 cannot be used\n"
    assert "image in/loop.png" in outcome.err and "image in/gone.png" in outcome.err


def test_mistakes(brew_run: Run) -> None:
    assert brew_run("resize_and_crop_images", "-input_folder=in").code == 2
    assert brew_run("resize_and_crop_images", "-input_folder=none", "-output_folder=out").code == 2
    own = brew_run("resize_and_crop_images", "-input_folder=in", "-output_folder=./in/")
    assert own.code == 2 and "holds the images themselves" in own.err
    assert brew_run("resize_and_crop_images", "-input_folder=in", "-output_folder=in/small").out.startswith(
        "in/small: 2 "
    )
    assert brew_run("resize_and_crop_images", "-input_folder=in", "-output_folder=in/small").out.endswith(
        "2 were there\n"
    )
    Path("empty").mkdir()
    assert brew_run("resize_and_crop_images", "-input_folder=empty", "-output_folder=out").code == 3
    assert brew_run("resize_and_crop_images", *FOLDERS, "-input=in/cats/wide.png").code == 3
