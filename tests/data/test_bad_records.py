"""Records that cannot be decoded, passed over by Data and ImageData: what is in the batches, what is said, when it ends."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from brew.data.bad_records import BadRecords
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.images.cache import ImageCache
from brew.data.prefetch import Batch
from brew.data.record_source import RecordSource
from brew.data.transformer import Transformer
from brew.errors import DataError
from brew.layer import TRAIN, Context
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import Datum, LayerParameter, TransformationParameter
from brew.prototxt import parse

COUNT, BAD = 10, (0, 3, 4)  # records, and those among them that cannot be decoded
GOOD = [number for number in range(COUNT) if number not in BAD]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten records, as LMDB and as images, whose label is their number."""
    pixels = [np.random.default_rng(i).integers(0, 256, (3, 5, 5), np.uint8) for i in range(COUNT)]
    records = [
        (b"%02d" % i, Datum(channels=3, height=5, width=5, data=p.tobytes()[i in BAD :], label=i).SerializeToString())
        for i, p in enumerate(pixels)
    ]
    write_lmdb(tmp_path / "lmdb", records)
    for i, p in enumerate(pixels):
        Image.fromarray(p.transpose(1, 2, 0)).save(tmp_path / f"{i}.png")
    for i in BAD:
        (tmp_path / f"{i}.png").write_bytes((tmp_path / f"{i}.png").read_bytes()[:60])
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}\n" for i in range(COUNT)))
    return tmp_path


def layer(folder: Path, kind: str, fields: str) -> DataLayer:
    section, source = {"Data": ("data_param", "lmdb"), "ImageData": ("image_data_param", "list.txt")}[kind]
    root = f'root_folder: "{folder}/"' if kind == "ImageData" else ""
    text = f"""name: "d" type: "{kind}" top: "data" top: "label" {section} {{ source: "{source}" {root} {fields} }}
      transform_param {{ crop_size: 3 mirror: true }}"""
    document = parse(text, LayerParameter, "net.prototxt")
    made = layer_class(kind)(document.message, Context(phase=TRAIN, seed=1, folder=folder, place=document.place))
    assert isinstance(made, DataLayer)
    return made


def batches(source: DataLayer, count: int) -> list[tuple[bytes, list[int]]]:
    """Pixels and labels."""
    made = []
    for _ in range(count):
        pixels, labels = source.next_batch()
        made.append((pixels.tobytes(), labels.astype(int).tolist()))
    source.close()
    return made


@pytest.mark.parametrize("kind", ["Data", "ImageData"])
def test_the_batch_is_filled_with_the_next_records(folder: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    source = layer(folder, kind, "batch_size: 4 max_bad_records: 3")
    assert source.infer_shapes([]) == [(4, 3, 3, 3), (4,)]
    labels = [label for _, batch in batches(source, 14) for label in batch]
    assert labels == GOOD * 8
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 3  # though each has come up in eight epochs
    for number, (bad, message) in enumerate(zip(BAD, told, strict=True), 1):
        assert message.startswith(f"layer d: bad record {number} of at most 3 is passed over: ")
        assert (f"record '{bad:02d}'" if kind == "Data" else f"{folder}/{bad}.png") in message
        assert ("it says 3 x 5 x 5" if kind == "Data" else "list.txt") in message


@pytest.mark.parametrize("shuffle", ["false", "true"])
@pytest.mark.parametrize("kind", ["Data", "ImageData"])
def test_a_resume_makes_the_same_batches(folder: Path, kind: str, shuffle: str) -> None:
    fields = f"batch_size: 4 max_bad_records: 3 shuffle: {shuffle}"
    straight = batches(layer(folder, kind, fields), 9)
    assert not {label for _, labels in straight for label in labels} & set(BAD)
    for stop in range(1, 9):
        first, again = layer(folder, kind, fields), layer(folder, kind, fields)
        before = batches(first, stop)
        again.restore(first.state())
        assert before + batches(again, 9 - stop) == straight


@pytest.mark.parametrize("kind", ["Data", "ImageData"])
@pytest.mark.parametrize(("most", "hint"), [(0, "max_bad_records in the layer"), (2, "bad record number 3")])
def test_one_more_than_may_be_is_an_error(folder: Path, kind: str, most: int, hint: str) -> None:
    source = layer(folder, kind, f"batch_size: 4 max_bad_records: {most}")
    with pytest.raises(DataError, match=hint) as caught:
        batches(source, 9)
    source.close()
    assert caught.value.place is not None


@pytest.mark.parametrize("kind", ["Data", "ImageData"])
def test_when_all_are_bad_it_ends(folder: Path, kind: str) -> None:
    write_lmdb(folder / "lmdb", [(b"a", b"no datum"), (b"b", b"")], overwrite=True)
    (folder / "list.txt").write_text("0.png 0\n3.png 3\n")
    source = layer(folder, kind, "batch_size: 4 max_bad_records: 99")
    for ask in (lambda: source.infer_shapes([]), source.next_batch):
        with pytest.raises(DataError, match="no other record is any better"):
            ask()
    source.close()


@pytest.mark.parametrize("kind", ["Data", "ImageData"])
def test_windows_of_good_records_are_those_of_a_layer_where_none_is_bad(folder: Path, kind: str) -> None:
    """Whatever the size of the batch: a record has its own number, though others before it are passed over."""
    found = []
    for size in (1, 2, 3, 5, 7):
        source = layer(folder, kind, f"batch_size: {size} max_bad_records: 3")
        source.infer_shapes([])
        records = [
            (x.tobytes(), int(label))
            for _ in range(-(-21 // size))
            for x, label in zip(*source.next_batch(), strict=True)
        ]
        found.append(records[:21])
        source.close()
    assert [label for _, label in found[0]] == GOOD * 3
    assert all(records == found[0] for records in found)
    shuffled = np.random.default_rng(0).integers(0, 256, (3, 5, 5), np.uint8)
    for i in BAD:  # now these are good, too
        Image.fromarray(shuffled.transpose(1, 2, 0)).save(folder / f"{i}.png")
    whole = [
        (b"%02d" % i, Datum(channels=3, height=5, width=5, data=p.tobytes(), label=i).SerializeToString())
        for i, p in enumerate(np.random.default_rng(i).integers(0, 256, (3, 5, 5), np.uint8) for i in range(COUNT))
    ]
    write_lmdb(folder / "lmdb", whole, overwrite=True)
    source = layer(folder, kind, "batch_size: 10")
    source.infer_shapes([])
    every = [(x.tobytes(), int(label)) for _ in range(3) for x, label in zip(*source.next_batch(), strict=True)]
    source.close()
    assert [record for record in every if record[1] not in BAD] == found[0]


def test_ten_are_told_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    def read(number: int) -> int:
        if number % 2:
            raise DataError(f"number {number}")
        return number

    bad = BadRecords(150, "d")
    good, made, places = bad.read(iter(range(10**6)), 131, read, key=lambda n: n, epoch=lambda: 10**6)
    assert good == made == places == list(range(0, 262, 2))
    assert len(caplog.messages) == 11
    assert caplog.messages[9].endswith("number 19; more of them are counted only")
    assert caplog.messages[10] == "layer d: 100 bad records of at most 150 so far"


def encoded_source(values: list[bytes | Exception], batch_size: int, most: int) -> RecordSource:
    """A source of records with these values, JPEGs or none, again and again up to an error that stands in their place."""

    def records() -> Generator[tuple[bytes, bytes], None, None]:
        for number in itertools.count():
            value = values[number % len(values)]
            if isinstance(value, Exception):
                raise value
            yield b"%02d" % (number % len(values)), value

    database = SimpleNamespace(path=Path("db"), length=len(values), close=lambda: None)
    transformer = Transformer(parse("", TransformationParameter).message, Context(phase=TRAIN, seed=1), "d", "Data")
    bad, cache = BadRecords(most, "d"), ImageCache(0, "d")
    return RecordSource(database, records(), transformer, batch_size, 0, None, bad, cache)  # type: ignore[arg-type]


def jpeg(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(stream, "JPEG")
    return Datum(data=stream.getvalue(), encoded=True, label=number).SerializeToString()


def test_a_bad_record_in_every_batch_for_ever() -> None:
    """Records that were read ahead are neither lost nor heaped up."""
    source, batch = (
        encoded_source([b"no Datum", *map(jpeg, range(4)), b"\xff", *map(jpeg, range(4, 9))], 5, 2),
        Batch("f4", 2),
    )
    expected = itertools.cycle(range(9))
    for _ in range(1500):
        source.begin(batch)()
        assert batch.tops[1].tolist() == list(itertools.islice(expected, 5))
    source.close()


def test_an_error_behind_a_bad_record_comes_when_it_is_reached() -> None:
    values = [*map(jpeg, range(4)), b"no Datum", *map(jpeg, range(4, 7)), DataError("the disk is gone")]
    source, batch = encoded_source(values, 4, 3), Batch("f4", 2)
    source.begin(batch)()
    assert batch.tops[1].tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="the disk is gone"):
        source.begin(batch)()
    source.close()
