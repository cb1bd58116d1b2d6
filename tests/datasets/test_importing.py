from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np
import pytest
import yaml
from PIL import Image
from piles import encoded

from brew.data.images.decoding import decode_image
from brew.data.images.resize import resize
from brew.datasets import plan
from brew.datasets.importing import Imported, import_data
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.items import Content, Item, Pile
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, DataError, UsageError
from brew.proto.brew_pb2 import Datum

Made = Callable[..., Path]


def imported(folder: Path, **settings: Any) -> Imported:
    return import_data(open_source(folder), folder.parent / "out", ImportSettings(**settings))


def records(folder: Path) -> dict[str, Datum]:
    """As the lmdb package reads them."""
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): Datum.FromString(value) for key, value in transaction.cursor()}


def train(folder: Path) -> dict[str, Datum]:
    return {key[9:]: datum for key, datum in records(folder.parent / "out" / "train_lmdb").items()}


def pixels(datum: Datum) -> np.ndarray:
    shape = datum.channels, datum.height, datum.width
    return decode_image(datum.data) if datum.encoded else np.frombuffer(datum.data, np.uint8).reshape(shape)


def described(folder: Path) -> Any:
    return yaml.safe_load((folder.parent / "out" / "dataset.yaml").read_text())


def test_pixels_and_sizes(pile: Made) -> None:
    folder = pile("cat/1.png", "dog/1.png", size=(40, 30))
    done = imported(folder, size=(12, 10))
    stored = decode_image((folder / "cat/1.png").read_bytes())
    datum = train(folder)["cat/1.png"]
    assert not datum.encoded and (pixels(datum) == resize(stored, 12, 10)).all()
    assert done.parts["train"].shape == (3, 12, 10) and not done.parts["train"].varies
    assert described(folder)["resize"] == {"size": [12, 10], "how": "warp"}


def test_resized_pictures_may_be_encoded(pile: Made) -> None:
    folder = pile("cat/1.png", "dog/1.png", size=(40, 30))
    (folder / "dog/2.jpg").write_bytes(encoded(3, (50, 60), "JPEG"))
    imported(folder, size=(12, 10), encoded=True)
    found = train(folder)
    assert all(datum.encoded and (datum.height, datum.width) == (12, 10) for datum in found.values())
    stored = decode_image((folder / "cat/1.png").read_bytes())
    assert (pixels(found["cat/1.png"]) == resize(stored, 12, 10)).all()  # a PNG loses nothing
    assert found["dog/2.jpg"].data[:3] == b"\xff\xd8\xff"


def test_mixed_pictures_have_one_form_which_is_told(pile: Made) -> None:
    folder = pile("cat/rgb.png", "dog/rgb.png")
    (folder / "cat/gray.png").write_bytes(encoded(5, mode="L"))
    (folder / "cat/alpha.png").write_bytes(encoded(6, mode="RGBA"))
    done = imported(folder)
    found = train(folder)
    assert {datum.channels for datum in found.values()} == {3}
    assert found["cat/rgb.png"].data == (folder / "cat/rgb.png").read_bytes()
    gray = decode_image((folder / "cat/gray.png").read_bytes())
    assert (pixels(found["cat/gray.png"]) == np.repeat(gray, 3, 0)).all()
    assert (pixels(found["cat/alpha.png"]) == decode_image((folder / "cat/alpha.png").read_bytes())[:3]).all()
    assert done.parts["train"].told == {"gray made colour": 1, "transparency dropped": 1}
    assert described(folder)["changed"] == {"gray made colour": 1, "transparency dropped": 1}


def held_sideways(seed: int) -> bytes:
    """A JPEG of 8 x 6 that is to be turned by 90 degrees."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.open(io.BytesIO(encoded(seed))).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_pictures_of_cameras_are_turned_if_wanted(pile: Made) -> None:
    folder = pile("cat/1.png", "dog/1.png")
    (folder / "cat/2.jpg").write_bytes(held_sideways(4))
    done = imported(folder)
    datum = train(folder)["cat/2.jpg"]
    assert datum.data == (folder / "cat/2.jpg").read_bytes() and (datum.height, datum.width) == (6, 8)
    assert done.parts["train"].told == {"left as the camera was held (--upright turns them)": 1}
    assert imported(folder, upright=True, overwrite=True).parts["train"].told == {"turned upright": 1}
    datum = train(folder)["cat/2.jpg"]
    assert (datum.height, datum.width) == (8, 6)
    stored = decode_image((folder / "cat/2.jpg").read_bytes()).astype(int)
    assert abs(pixels(datum) - np.rot90(stored, -1, (1, 2))).mean() < 3
    contents = {"0": Content(held_sideways(4), mask=np.zeros((6, 8), np.uint8))}
    with pytest.raises(DataError, match="turned as its camera was, and its boxes or its mask are not"):
        import_data(Values(contents), folder.parent / "masks", ImportSettings(upright=True))


def test_gray_pictures_stay_gray_and_colours_are_made_gray_if_wanted(pile: Made) -> None:
    folder = pile("cat/1.png", "dog/1.png", mode="L")
    imported(folder)
    assert {datum.channels for datum in train(folder).values()} == {1}
    imported(folder, gray=False, overwrite=True)
    assert {datum.channels for datum in train(folder).values()} == {3}
    (folder / "dog/2.png").write_bytes(encoded(9))
    assert imported(folder, gray=True, overwrite=True).parts["train"].told == {"colour made gray": 1}
    assert {datum.channels for datum in train(folder).values()} == {1}


def test_a_late_colour_makes_all_colour(
    pile: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = pile(*(f"cat/{i}.png" for i in range(9)), mode="L")
    (folder / "cat/4.png").write_bytes(encoded(9))
    monkeypatch.setattr(plan, "_LOOKED_AT", 2)
    with caplog.at_level("INFO", "brew"):
        imported(folder)
    assert {datum.channels for datum in train(folder).values()} == {3}
    assert "there are pictures in colours, though the first ones looked at were gray" in caplog.text


def test_hdf5_holds_rows_of_one_shape(pile: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pile("cat/1.png", "dog/1.png", "dog/2.png", size=(9, 7))
    done = imported(folder, format="hdf5", shuffle=False)
    out = folder.parent / "out"
    assert done.files == ("labels.txt", "train.h5", "train_list.txt", "dataset.yaml")
    assert (out / "train_list.txt").read_text() == "train.h5\n"
    with h5py.File(out / "train.h5") as file:
        assert file["data"].dtype == np.uint8 and file["label"][:].tolist() == [0, 1, 1]
        for row, name in zip(file["data"], ("cat/1.png", "dog/1.png", "dog/2.png"), strict=True):
            assert (row == decode_image((folder / name).read_bytes())).all()
    monkeypatch.setattr("brew.datasets.writers._MOST_ROWS", 200)
    imported(folder, format="hdf5", overwrite=True)
    assert (out / "train_list.txt").read_text() == "train_000.h5\ntrain_001.h5\ntrain_002.h5\n"
    assert not (out / "train.h5").exists()
    (folder / "dog/3.png").write_bytes(encoded(1, (5, 5)))
    with pytest.raises(DataError, match=r"3 x 5 x 5 .*3 x 7 x 9 .* before it .*--size"):
        imported(folder, format="hdf5", overwrite=True, shuffle=False)


class Values(Pile):
    """A source of values that are no pictures' files."""

    kind = "values"
    path = Path(__file__)

    def __init__(self, contents: Mapping[str, Content], *, labels: bool = True) -> None:
        self.contents = contents
        self.items = [Item(name, i if labels else None, targets=(i / 2, -1.0)) for i, name in enumerate(contents)]
        self.target_names = ("half", "minus")
        self.fitted: list[str] = []

    def fit(self, items: Any) -> None:
        self.fitted = [item.name for item in items]

    def read(self, item: Item) -> Content:
        return self.contents[item.name]


def test_values_targets_and_more_have_databases_of_their_own_in_one_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    contents = {
        f"{i}": Content(rng.random((2, 3), np.float32), more={"cont": np.array([0, 1], np.uint8)}) for i in range(5)
    }
    source = Values(contents)
    done = import_data(source, tmp_path / "out", ImportSettings())
    assert [name for name in done.files if name.endswith("lmdb")] == [
        "train_cont_lmdb", "train_lmdb", "train_targets_lmdb",
    ]  # fmt: skip
    data, targets, cont = (records(tmp_path / "out" / f"train{name}_lmdb") for name in ("", "_targets", "_cont"))
    assert list(data) == list(targets) == list(cont) and [key[9:] for key in data] == source.fitted
    for key, datum in data.items():
        number = int(key[9:])
        assert (np.array(datum.float_data, np.float32).reshape(2, 3) == contents[key[9:]].data).all()
        assert (datum.channels, datum.height, datum.width, datum.label) == (1, 2, 3, number)
        assert list(targets[key].float_data) == [number / 2, -1] and targets[key].channels == 2
        assert cont[key].data == b"\0\1" and not targets[key].HasField("label")
    text = yaml.safe_load((tmp_path / "out" / "dataset.yaml").read_text())
    assert text["targets"] == ["half", "minus"]
    import_data(source, tmp_path / "hdf5", ImportSettings(format="hdf5", shuffle=False))
    with h5py.File(tmp_path / "hdf5" / "train.h5") as file:
        assert {name: values.shape for name, values in file.items()} == {
            "data": (5, 2, 3), "label": (5,), "targets": (5, 2), "cont": (5, 2),
        }  # fmt: skip
        assert file["data"].dtype == np.float32 and file["cont"].dtype == np.uint8


def test_masks_follow_their_pictures(tmp_path: Path) -> None:
    mask = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4), "P")
    mask.putpalette([200, 100, 0] * 256)
    out = io.BytesIO()
    mask.save(out, "PNG")
    contents = {f"{i}": Content(encoded(i, (4, 3)), mask=out.getvalue()) for i in range(2)}
    import_data(Values(contents), tmp_path / "out", ImportSettings())
    for datum in records(tmp_path / "out" / "train_masks_lmdb").values():
        assert datum.encoded and (decode_image(datum.data)[0] == np.arange(12).reshape(3, 4)).all()
    import_data(Values(contents), tmp_path / "padded", ImportSettings(size=(6, 8), resize="pad"))
    for datum in records(tmp_path / "padded" / "train_masks_lmdb").values():
        assert set(datum.data) == set(range(12)) and not datum.encoded
    contents["1"] = Content(contents["1"].data)
    with pytest.raises(DataError, match=r"has data, targets, and the items before it have data, masks, targets"):
        import_data(Values(contents), tmp_path / "mixed", ImportSettings(shuffle=False))


@pytest.mark.parametrize(
    ("content", "settings", "says"),
    [
        (Content(np.zeros((2, 2, 2, 2), np.float32)), {}, "2 x 2 x 2 x 2; a record of an LMDB has three axes"),
        (Content(np.zeros(4, np.float32)), {"size": (4, 4)}, "no pictures, which have no size"),
        (Content(encoded(), mask=encoded()), {}, "a mask in colours"),
        (Content(encoded(), mask=np.zeros((2, 2), np.uint8)), {}, "its mask is 1 x 2 x 2 of uint8, the picture 6 x 8"),
    ],
)
def test_what_has_no_place_in_a_record(tmp_path: Path, content: Content, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BrewError, match=says):
        import_data(Values({"0": content}), tmp_path / "out", ImportSettings(**settings))


def test_near_duplicates_are_on_one_side(pile: Made) -> None:
    folder = pile(*(f"cat/{i}.png" for i in range(40)), size=(40, 30))
    for i in range(0, 40, 2):
        image = Image.open(folder / f"cat/{i}.png").resize((80, 60))
        image.save(folder / f"cat/{i + 1}.png")
    imported(folder, val=0.3, seed=5)
    out = folder.parent / "out"
    val = {int(key.split("/")[1][:-4]) for key in records(out / "val_lmdb")}
    assert len(val) == 12 and all(number ^ 1 in val for number in val)
    assert described(folder)["division"]["pairs_kept_together"] >= 20
    imported(folder, val=0.3, seed=5, compare=False, overwrite=True)
    other = {int(key.split("/")[1][:-4]) for key in records(out / "val_lmdb")}
    assert not all(number ^ 1 in other for number in other)


def test_one_result_for_any_number_of_threads(pile: Made, tmp_path: Path) -> None:
    folder = pile(*(f"{label}/{i}.png" for label in ("cat", "dog") for i in range(40)))
    for workers in (1, 2, 5):
        out = tmp_path / f"out{workers}"
        import_data(open_source(folder), out, ImportSettings(val=0.2, workers=workers))
    first, *others = (
        {path.name: path.read_bytes() for path in (tmp_path / f"out{n}").rglob("*.mdb")} for n in (1, 2, 5)
    )
    assert first and all(first == other for other in others)


def test_names_that_are_too_long_or_of_any_bytes(pile: Made) -> None:
    deep = "/".join(["d" * 100] * 7)
    folder = pile("cat/1.png", f"dog/{deep}/2.png")
    (folder / "dog" / "\udcff.png").write_bytes(encoded())
    imported(folder, shuffle=False)
    with lmdb.open(str(folder.parent / "out/train_lmdb"), readonly=True, lock=False) as database, database.begin() as t:
        keys = [key for key, _ in t.cursor()]
    assert keys[0] == b"00000000_cat/1.png" and keys[1].endswith(b"d/2.png") and len(keys[1]) == 511
    assert keys[2] == b"00000002_dog/\xff.png"


def test_settings_that_cannot_be(pile: Made) -> None:
    assert ImportSettings(val=0.5, test=0.5).problem() and ImportSettings(format="hdf5", encoded=True).problem()
    assert ImportSettings(val=0.5, test=0.4).problem() is None
    with pytest.raises(UsageError, match="of 2 items leaves none for the part val"):
        imported(pile("cat/1.png", "dog/1.png"), val=0.1)
