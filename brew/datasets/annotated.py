"""Pictures with boxes as records, in the layout that SSD's convert_annoset gives them, and SSD's map of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf import text_format

from brew.proto.brew_pb2 import AnnotatedDatum, AnnotationGroup, Datum, LabelMap

from .geometry import Placement
from .sources.items import Box

LABEL_MAP = "labelmap.prototxt"
BACKGROUND = "none_of_the_above"  # SSD's name of label 0 in a map of labels


def annotated_datum(datum: Datum, boxes: Iterable[Box], at: Placement) -> AnnotatedDatum:
    """The record of a picture, whose pixels were placed as `at` says, and its boxes, in shares of what is stored.

    Boxes of a class are a group, the groups in the order of their first boxes; those of a group are numbered from 0.
    Boxes of which nothing is left (of a picture that was cropped) are left out.
    """
    record = AnnotatedDatum(datum=datum, type=AnnotatedDatum.BBOX)
    groups: dict[int, AnnotationGroup] = {}
    for box in boxes:
        height, width = at.size if box.in_shares else (1, 1)
        left, top = at.point(box.left * width, box.top * height)
        right, bottom = at.point(box.right * width, box.bottom * height)
        if left >= right or top >= bottom:
            continue
        if box.label not in groups:
            groups[box.label] = record.annotation_group.add(group_label=box.label)
        group = groups[box.label]
        instance = group.annotation.add(instance_id=len(group.annotation))
        corners = instance.bbox
        corners.xmin, corners.ymin, corners.xmax, corners.ymax = left, top, right, bottom
        corners.difficult = box.difficult
    return record


def label_map(labels: Sequence[str]) -> str:
    """labelmap.prototxt: the names of the classes by number, the first of them that of the background."""
    made = LabelMap()
    for number, name in enumerate(labels):
        made.item.add(name=name if number else BACKGROUND, label=number, display_name=name)
    return text_format.MessageToString(made)
