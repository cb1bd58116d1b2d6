"""Hundreds of broken and odd image files through every command that reads pictures: each one used, or named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import broken_images
import lmdb
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOG_LINE = re.compile(r"[IWE]\d{4} [\d:.]+ +\d+ \w+\.\w+:\d+\] \S")
ODD = {  # name: what a message says of it
    "folder.jpg": "folder", "pipe.jpg": "FIFO", "loop.jpg": "symbolic links", "dangling.jpg": "No such file",
    "endless.jpg": "device",
}  # fmt: skip


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken") / "pile"
    broken_images.write(folder / "good", broken_images.good())
    broken_images.write(folder / "bad", broken_images.broken())
    broken_images.write(folder / "hurt", broken_images.hurt(240))
    bad = folder / "bad"
    (bad / "folder.jpg").mkdir()
    os.mkfifo(bad / "pipe.jpg")
    (bad / "loop.jpg").symlink_to("loop.jpg")
    (bad / "dangling.jpg").symlink_to("nowhere.jpg")
    (bad / "endless.jpg").symlink_to("/dev/zero")
    return folder


def brew(*arguments: object, expect: int) -> tuple[str, str]:
    command = [sys.executable, "-m", "brew", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == expect, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def names(pile: Path) -> set[str]:
    """Of all files but folders."""
    return {str(path.relative_to(pile)) for path in pile.rglob("*") if not path.is_dir()}


def keys(database: Path) -> set[str]:
    with lmdb.open(str(database), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode().split("_", 1)[1] for key in transaction.cursor().iternext(values=False)}


def list_of(pile: Path) -> Path:
    path = pile.parent / "list.txt"
    usable = sorted(name for name in names(pile) if "\t" not in name)
    path.write_text("".join(f"{name} 0\n" for name in [*usable, "bad/folder.jpg"]))
    return path


def test_an_import_uses_or_names_each(pile: Path) -> None:
    out = pile.parent / "out"
    _, errors = brew("data", "import", pile, out, "--max-bad", 500, expect=0)
    assert all(LOG_LINE.match(line) for line in errors.splitlines()), errors[:500]
    left_out = yaml.safe_load((out / "dataset.yaml").read_text())["left_out"]
    said = {entry["name"]: entry["reason"] for entry in left_out}
    stored = keys(out / "train_lmdb")
    assert stored | said.keys() == names(pile) and not stored & said.keys()
    assert {name for name in names(pile) if name.startswith("good/")} <= stored
    assert {name for name in names(pile) if name.startswith("bad/")} <= said.keys()
    for name, word in ODD.items():
        if name != "folder.jpg":
            assert word in said[f"bad/{name}"]


def test_an_import_that_may_leave_out_nothing_ends_with_the_count(pile: Path) -> None:
    _, errors = brew("data", "import", pile, pile.parent / "none", expect=3)
    assert re.search(r"error\[B150\]: \d+ of \d+ items cannot be imported", errors)
    assert not (pile.parent / "none" / "train_lmdb").exists()


def test_convert_imageset_uses_or_names_each(pile: Path) -> None:
    database = pile.parent / "converted"
    options = "--max_bad", 500, "--resize_width", 32, "--resize_height", 32
    _, errors = brew("convert_imageset", *options, f"{pile}/", list_of(pile), database, expect=0)
    assert all(LOG_LINE.match(line) for line in errors.splitlines()), errors[:500]
    stored = keys(database)
    for name, word in ODD.items():
        assert re.search(rf"bad/{re.escape(name)} cannot be read: [^\n]*{word}", errors)
    good = {name for name in names(pile) if name.startswith("good/") and "\t" not in name}
    assert good <= stored and not any(name.startswith("bad/") for name in stored)


def test_a_check_names_each(pile: Path) -> None:
    told, errors = brew(
        "data", "check", list_of(pile), "--root-folder", f"{pile}/", "--limit", 1000, "--max-memory", 1024, expect=1
    )
    assert not errors
    bad = told[: told.index(" repeat")]  # what comes next is there twice
    named = set(re.findall(r"list\.txt:\d+: (\S.*?): \w", bad))
    assert {name for name in names(pile) if name.startswith("bad/")} <= named
    assert not any(name.startswith("good/") for name in named)


def test_a_training_passes_over_what_it_is_told_to(pile: Path, tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(f"""
    layer {{ name: "d" type: "ImageData" top: "data" top: "label" image_data_param {{
      source: "{list_of(pile)}" root_folder: "{pile}/" batch_size: 20 new_height: 24 new_width: 24
      max_bad_records: 500 }} }}
    layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ num_output: 2
      weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}""")
    solver = tmp_path / "solver.prototxt"
    solver.write_text(f'net: "{net}" base_lr: 1e-7 lr_policy: "fixed" max_iter: 12 snapshot_prefix: "{tmp_path}/s"')
    brew("train", "--solver", solver, expect=0)
    solver.write_text(solver.read_text().replace("max_iter: 12", "max_iter: 13"))
    net.write_text(net.read_text().replace("max_bad_records: 500", ""))
    _, errors = brew("train", "--solver", solver, expect=3)
    assert re.search(r"error\[B150\]: .*image \S+ (cannot be|is refused|of \d+ bytes)", errors)
