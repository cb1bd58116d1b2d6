"""Imports in bad circumstances: killed, two at once, a full disk, files that change, files that are no pictures."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from piles import encoded

from brew.data.databases.opening import open_database
from brew.datasets import filling
from brew.datasets.sources import folders
from brew.datasets.sources.items import Content, Item
from brew.files import lock

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "object"]
# The command line, in pieces of 50 records.
BREW = "import sys; import brew.datasets.filling as f; f._RECORDS = 50; from brew.tools.cli import main; main(sys.argv[1:])"


def make_pile(folder: Path, count: int) -> Path:
    for number in range(count):
        path = folder / "pile" / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(number, (40, 30), "JPEG"))
    return folder / "pile"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# As slow as a disk over a network.
SLOWLY = "import time; import brew.datasets.sources.folders as s; r = s.read_file; s.read_file = lambda p: (time.sleep(0.004), r(p))[1]; "


def started(*arguments: object, slowly: bool = False) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOWLY * slowly + BREW, "data", "import", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Shells let what runs in the background ignore SIGINT, and these tests may run there.
    return subprocess.Popen(command, cwd=ROOT, text=True, preexec_fn=_heeds_sigint, **pipes)


def _heeds_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def kill_often(folder: Path, count: int, kills: int) -> None:
    """Kill imports at random instants until enough kills met one at work; each goes on to the same result."""
    pile = make_pile(folder, count)
    begin = time.monotonic()
    assert finished(started(pile, folder / "expected", "--val", "0.2"))[0] == 0
    duration, expected = time.monotonic() - begin, content(folder / "expected")
    rng = random.Random(kills)
    done = 0
    while done < kills:
        process = started(pile, folder / "out", "--val", "0.2")
        time.sleep(rng.uniform(0.3, 1.0) * duration)
        process.send_signal(signal.SIGKILL)
        code, _, err = finished(process)
        assert code in (0, -signal.SIGKILL), err
        at_work = (folder / ".out.importing").exists()
        done += at_work
        if at_work and done < kills:
            continue
        code, _, err = finished(started(pile, folder / "out", "--val", "0.2"))
        assert code == 0 or "already there" in err, err
        assert content(folder / "out") == expected
        assert sorted(path.name for path in folder.iterdir()) == ["expected", "out", "pile"]
        shutil.rmtree(folder / "out")


def test_two_kills_change_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path, 300, 2)


def test_an_interrupted_import_goes_on(tmp_path: Path) -> None:
    pile, journal = make_pile(tmp_path, 1500), tmp_path / ".out.importing" / "journal"
    process = started(pile, tmp_path / "out", slowly=True)
    while process.poll() is None and not (journal.exists() and '"part"' in journal.read_text()):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert (code, out) == (130, "") and f"interrupted; what was written so far stays in {journal.parent}" in err
    code, out, err = finished(started(pile, tmp_path / "out"))
    assert code == 0 and "going on behind" in err and "1500 records" in out


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path, 3000, 20)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "settings", [{"val": 0.2}, {"format": "hdf5", "before": {"format": "lmdb"}, "overwrite": True}], ids=str
)
def test_a_death_at_any_step_changes_nothing(tmp_path: Path, settings: dict[str, object]) -> None:
    make_pile(tmp_path, 60)
    command = [sys.executable, str(ROOT / "tests" / "import_deaths.py"), str(tmp_path), json.dumps(settings)]
    outcome = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    assert int(outcome.stdout) > 40


def test_a_second_import_to_one_place_is_refused(brew_run: Run, tmp_path: Path) -> None:
    pile = make_pile(tmp_path, 4)
    (tmp_path / ".out.importing").mkdir()
    with lock.take(tmp_path / ".out.importing" / "lock") as file:
        lock.sign(file)
        outcome = brew_run("data", "import", str(pile), str(tmp_path / "sub" / ".." / "out"))
    assert outcome.code == 2 and not (tmp_path / "out").exists()
    assert f"another import writes to {tmp_path / 'out'}: process {os.getpid()} on" in outcome.err
    assert brew_run("data", "import", str(pile), str(tmp_path / "out")).code == 0
    assert not (tmp_path / ".out.importing").exists()


def test_two_imports_at_once(tmp_path: Path) -> None:
    pile = make_pile(tmp_path, 400)
    both = [started(pile, tmp_path / "out") for _ in range(2)]
    (code, _, _), (other, _, err) = sorted((finished(process) for process in both), key=lambda outcome: outcome[0])
    assert code == 0 and other in (2, 3) and ("another import" in err or "already there" in err)
    database = open_database(tmp_path / "out" / "train_lmdb")
    assert database.length == 400
    database.close()


@pytest.mark.parametrize("size", [0, 100, 30_000, 70_000])
def test_a_full_disk_keeps_what_is_whole(
    brew_run: Run, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile = make_pile(tmp_path, 60)
    monkeypatch.setattr(filling, "_RECORDS", 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 7 and outcome.out == "" and not (tmp_path / "out").exists()
    assert outcome.err.count("error[B700]") == 1 and "File too large" in outcome.err
    assert "the same command goes on when there is room" in outcome.err
    outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"))
    assert outcome.code == 0 and ("going on behind" in outcome.err) == (size >= 30_000)
    brew_run("data", "import", str(pile), str(tmp_path / "straight"))
    assert content(tmp_path / "out") == content(tmp_path / "straight")


def test_too_little_room_is_told_before_anything_is_written(
    brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile = make_pile(tmp_path, 4)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1 << 20}))
    outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"), "--raw", "--size", "2000x2000")
    assert outcome.code == 7 and "has 1.0 MiB free; about 45.8 MiB are needed for 4 records" in outcome.err


def test_files_that_change_meanwhile_are_told(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pile = make_pile(tmp_path, 4)
    read = folders.ClassFolders.read

    def meddling(self: folders.ClassFolders, item: Item) -> Content:
        found = read(self, item)
        if item.name == "dog/3.jpg":
            (pile / item.name).write_bytes(encoded(99, (80, 90)))
        return found

    monkeypatch.setattr(folders.ClassFolders, "read", meddling)
    outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"))
    assert outcome.code == 3 and "dog/3.jpg: it was changed while it was imported" in outcome.err
    monkeypatch.undo()
    outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"))
    assert outcome.code == 0 and "its source changed since: it begins anew" in outcome.err


BAD = {
    "cat/empty.jpg": b"",
    "cat/text.jpg": b"no picture",
    "dog/cut.jpg": encoded(1, (40, 30), "JPEG")[:500],
}


def test_files_that_cannot_be_read_fail_the_import_with_their_number(brew_run: Run, tmp_path: Path) -> None:
    pile = make_pile(tmp_path, 6)
    for name, data in BAD.items():
        (pile / name).write_bytes(data)
    os.mkfifo(pile / "dog" / "fifo.jpg")
    (pile / "dog" / "nowhere.jpg").symlink_to("gone.jpg")
    command = "data", "import", str(pile), str(tmp_path / "out")
    outcome = brew_run(*command)
    assert outcome.code == 3 and not (tmp_path / "out").exists() and outcome.out == ""
    assert "5 of 11 items cannot be imported: " in outcome.err
    for name in (*BAD, "dog/fifo.jpg", "dog/nowhere.jpg"):
        assert f"cannot be imported: {name}: " in outcome.err
    assert "--max-bad 5 leaves them out, and goes on from what is written" in outcome.err
    assert "5 of 11 items" in brew_run(*command, "--max-bad", "4").err
    outcome = brew_run(*command, "--max-bad", "5")
    assert outcome.code == 0 and "left out: 5 items" in outcome.out
    database = open_database(tmp_path / "out" / "train_lmdb")
    assert database.length == 6
    database.close()
    described = (tmp_path / "out" / "dataset.yaml").read_text()
    assert all(f"name: {name}" in described for name in BAD)


def odd_files() -> dict[str, bytes]:
    """Pictures that are cut at every marker, lie about their size, are animated, of another format than they say."""
    whole = encoded(1, (40, 30), "JPEG")
    made = {f"cut{at}.jpg": whole[:at] for at in range(len(whole) - 1) if whole[at] == 0xFF}
    frame = whole.index(b"\xff\xc0")
    for name, size in (("wide", b"\xff\xff\xff\xff"), ("none", bytes(4)), ("taller", b"\0\x40\0\x28")):
        made[f"{name}.jpg"] = whole[: frame + 5] + size + whole[frame + 9 :]
    png = encoded(2)
    made["bomb.png"] = png[:16] + b"\0\1\0\0\0\1\0\0" + png[24:]
    made["crc.png"] = png[:60] + b"x" + png[61:]
    out = io.BytesIO()
    frames = [Image.new("P", (9, 9), i) for i in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    made["animated.gif"] = out.getvalue()
    made["really.jpg"] = png
    return made


def test_odd_files_are_imported_or_named(brew_run: Run, tmp_path: Path) -> None:
    pile, odd = make_pile(tmp_path, 2), odd_files()
    for name, data in odd.items():
        (pile / "cat" / name).write_bytes(data)
    (pile / "dog" / "folder.jpg").mkdir()
    outcome = brew_run("data", "import", str(pile), str(tmp_path / "out"), "--raw", "--max-bad", str(len(odd)))
    assert outcome.code == 0 and outcome.err.count("cannot be imported: ") == outcome.err.count("\n") > 10
    database = open_database(tmp_path / "out" / "train_lmdb")
    keys = {key.decode().partition("/")[2] for key, _ in database.scan(0)}
    database.close()
    assert {"animated.gif", "really.jpg", "0.jpg"} <= keys and not {"wide.jpg", "none.jpg", "bomb.png"} & keys
    assert all((name in keys) != (f"cat/{name}: " in outcome.err) for name in odd)


def test_an_import_of_nothing_but_bad_files_fails(brew_run: Run, tmp_path: Path) -> None:
    (tmp_path / "pile" / "cat").mkdir(parents=True)
    (tmp_path / "pile" / "cat" / "1.jpg").write_bytes(b"x")
    outcome = brew_run("data", "import", str(tmp_path / "pile"), str(tmp_path / "out"), "--max-bad", "9")
    assert outcome.code == 3 and "1 of 1 items cannot be imported" in outcome.err


def test_other_files_stay(brew_run: Run, tmp_path: Path) -> None:
    pile, out = make_pile(tmp_path, 6), tmp_path / "out"
    out.mkdir()
    (out / "net.prototxt").write_text("mine")
    assert brew_run("data", "import", str(pile), str(out), "--test", "0.5").code == 0
    outcome = brew_run("data", "import", str(pile), str(out))
    assert outcome.code == 3 and "train_lmdb is already there" in outcome.err
    assert brew_run("data", "import", str(pile), str(out), "--overwrite").code == 0
    assert sorted(path.name for path in out.iterdir()) == ["dataset.yaml", "labels.txt", "net.prototxt", "train_lmdb"]
    (out / "dataset.yaml").unlink()
    outcome = brew_run("data", "import", str(pile), str(out), "--overwrite")
    assert outcome.code == 3 and "is of no import: it is not replaced" in outcome.err
    outcome = brew_run("data", "import", str(pile), str(out / "net.prototxt"))
    assert outcome.code == 3 and "is a file" in outcome.err


def test_the_folder_of_all_folders_is_no_place(brew_run: Run, tmp_path: Path) -> None:
    (tmp_path / "pile" / "cat").mkdir(parents=True)
    (tmp_path / "pile" / "cat" / "1.png").write_bytes(encoded(1))
    outcome = brew_run("data", "import", str(tmp_path / "pile"), "/")
    assert outcome.code == 2 and "/ has no folder around it" in outcome.err
