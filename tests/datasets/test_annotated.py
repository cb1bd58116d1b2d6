from __future__ import annotations

from google.protobuf import text_format

from brew.datasets.annotated import annotated_datum, label_map
from brew.datasets.geometry import placement
from brew.datasets.sources.items import Box
from brew.proto.brew_pb2 import AnnotatedDatum, Datum, LabelMap

AT = placement((4, 8), None, "warp")


def test_a_record_has_the_bytes_that_ssd_writes() -> None:
    """The fields' numbers stand here as SSD's program writes them: type, groups, instances, corners, difficult."""
    boxes = [
        Box(7, 2, 1, 4, 2),
        Box(2, 0, 0, 8, 4, difficult=True),
        Box(7, 0.5, 0.5, 0.75, 1, in_shares=True),
        Box(3, 9, 0, 12, 4),
    ]
    record = annotated_datum(Datum(label=-1), boxes, AT).SerializeToString()
    half, quarter, three, one, none = (
        bytes.fromhex(v) for v in ("0000003f", "0000803e", "0000403f", "0000803f", "00000000")
    )
    first = b"\x08\x00\x12\x16\x0d" + quarter + b"\x15" + quarter + b"\x1d" + half + b"\x25" + half + b"0\x00"
    second = b"\x08\x01\x12\x16\x0d" + half + b"\x15" + half + b"\x1d" + three + b"\x25" + one + b"0\x00"
    whole = b"\x08\x00\x12\x16\x0d" + none + b"\x15" + none + b"\x1d" + one + b"\x25" + one + b"0\x01"
    groups = b"\x1a\x3a\x08\x07\x12\x1a" + first + b"\x12\x1a" + second + b"\x1a\x1e\x08\x02\x12\x1a" + whole
    datum = Datum(label=-1).SerializeToString()
    assert record == b"\x0a" + bytes([len(datum)]) + datum + b"\x10\x00" + groups
    assert AnnotatedDatum.FromString(record).annotation_group[1].annotation[0].bbox.difficult


def test_a_picture_without_objects_has_no_groups() -> None:
    assert annotated_datum(Datum(), [], AT).SerializeToString() == b"\x0a\x00\x10\x00"


def test_the_map_of_labels_begins_with_the_background() -> None:
    text = label_map(["background", "RBC", 'a "b"'])
    made = text_format.Parse(text, LabelMap())
    assert [(item.name, item.label, item.display_name) for item in made.item] == [
        ("none_of_the_above", 0, "background"),
        ("RBC", 1, "RBC"),
        ('a "b"', 2, 'a "b"'),
    ]
