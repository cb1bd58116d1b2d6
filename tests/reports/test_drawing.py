"""Pictures of nets: what stands on cards, how they are linked, that nothing overlaps, and the files."""

from __future__ import annotations

import io
import random
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from brew.errors import UsageError
from brew.proto.brew_pb2 import NetParameter
from brew.reports.drawing.cards import Card, Link, cards_of
from brew.reports.drawing.columns import fold
from brew.reports.drawing.picture import Picture, draw
from brew.reports.drawing.png import image
from brew.reports.drawing.rows import GAP, place, ranks_of
from brew.reports.drawing.svg import svg

ROOT = Path(__file__).resolve().parents[2]

SMALL = """
layer { name: "both" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 64 } }
layer { name: "both" type: "Data" top: "data" top: "label" include { phase: TEST } data_param { batch_size: 100 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 20 kernel_size: 5 stride: 2 pad_h: 1 pad_w: 2 group: 4 dilation: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_h: 1 kernel_w: 3 } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "pool" bottom: "seen" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" }
"""


def net(text: str) -> NetParameter:
    return text_format.Parse(text, NetParameter())


def zoo(name: str) -> NetParameter:
    return net((ROOT / "model_zoo" / name / "train_val.prototxt").read_text())


# --- cards -----------------------------------------------------------------------------------------------------------


def test_cards_and_links_of_a_net() -> None:
    cards, links = cards_of(net(SMALL).layer)
    assert [[(part.title, part.detail) for part in card.parts] for card in cards] == [
        [("both", "Data · batch 64")],
        [("both", "Data · batch 100")],
        [("conv", "Convolution · 20 · 5 x 5 · stride 2 · pad 1 x 2 · dilation 3 · group 4"), ("relu", "ReLU")],
        [("pool", "Pooling · ave 1 x 3")],
        [("seen", "input")],
        [("sum", "Eltwise · sum")],
        [("loss", "SoftmaxWithLoss")],
    ]
    assert links == [
        Link(0, 2, "data"), Link(1, 2, "data"), Link(2, 3), Link(2, 5), Link(3, 5), Link(4, 5), Link(5, 6),
        Link(0, 6, "label"), Link(1, 6, "label"),
    ]  # fmt: skip


def test_rates_stand_on_cards_on_demand() -> None:
    cards, _ = cards_of(net(SMALL).layer, rates=True)
    assert cards[2].parts[0].detail.endswith("· lr x 1, 2")


def test_names_cannot_leave_their_line() -> None:
    cards, _ = cards_of(net('layer { name: "a\\nb\\033[8m" type: "Input" top: "x" }').layer)
    assert cards[0].parts[0].title == "a\\nb\\x1b[8m"


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_node_stands_below_all_it_reads_and_a_source_right_above_its_reader() -> None:
    links = [(0, 1), (1, 2), (0, 2), (2, 4), (3, 4)]
    assert ranks_of(5, links) == [0, 1, 2, 2, 3]


def test_crossings_that_can_be_avoided_are() -> None:
    links = [(0, 3), (1, 2)]
    rows = place([(10, 10)] * 4, links, ranks_of(4, links))
    across = [x for x, _ in rows.middles]
    assert (across[0] < across[1]) == (across[3] < across[2])


def test_a_straight_line_is_straight() -> None:
    links = [(0, 1), (1, 2)]
    rows = place([(80, 20), (30, 20), (50, 20)], links, ranks_of(3, links))
    assert rows.middles == [(40, 10), (40, 70), (40, 130)]
    assert rows.routes == [[(40, 20), (40, 60)], [(40, 80), (40, 120)]]
    assert (rows.breadth, rows.length) == (80, 140)


@pytest.mark.parametrize("seed", range(8))
def test_nodes_keep_apart_and_links_lead_down(seed: int) -> None:
    rand = random.Random(seed)
    count = 25
    links = sorted({tuple(sorted(rand.sample(range(count), 2))) for _ in range(40)})
    sizes = [(rand.uniform(10, 90), rand.uniform(10, 40)) for _ in range(count)]
    ranks = ranks_of(count, links)
    rows = place(sizes, links, ranks)
    for a, b in combinations(range(count), 2):
        if ranks[a] == ranks[b]:
            apart = abs(rows.middles[a][0] - rows.middles[b][0]) - (sizes[a][0] + sizes[b][0]) / 2
            assert apart > GAP - 1e-6
    for route in rows.routes:
        assert [along for _, along in route] == sorted(along for _, along in route)
    lefts = [x - across / 2 for (x, _), (across, _) in zip(rows.middles, sizes, strict=True)]
    assert min(lefts) > -1e-6


# --- columns ---------------------------------------------------------------------------------------------------------


def chain(count: int) -> tuple[list[Card], list[Link]]:
    text = "".join(f'layer {{ name: "l{i}" type: "AbsVal" bottom: "l{i - 1}" top: "l{i}" }}' for i in range(1, count))
    return cards_of(net(text).layer)


def test_a_short_net_is_one_column() -> None:
    cards, links = chain(6)
    [column] = fold(cards, links, [(100, 40)] * 6, 1.5)
    assert (column.cards, column.links, column.entry, column.exit) == (cards, links, None, None)


def test_a_long_net_is_folded_and_each_card_stands_once() -> None:
    cards, links = chain(60)
    columns = fold(cards, links, [(100, 40)] * 60, 1.5)
    assert len(columns) > 3
    assert [card for column in columns for card in column.cards if card.parts] == cards
    for before, after in pairwise(columns):
        assert before.exit is not None
        assert after.entry is not None
        assert before.ranks()[before.exit] == max(before.ranks())


def test_what_passes_a_fold_beside_the_trunk_is_named() -> None:
    cards, links = chain(60)
    columns = fold(cards, [*links, Link(0, 58, "label"), Link(0, 59, "label")], [(100, 40)] * 60, 1.5)
    small = [card.parts[0].title for card in columns[-1].cards if card.small]
    assert small == ["label", "label"]  # for two rows
    assert not any(card.small for column in columns[:-1] for card in column.cards)


# --- pictures --------------------------------------------------------------------------------------------------------


def overlaps(picture: Picture) -> list[tuple[str, str]]:
    return [
        (a.card.parts[0].title, b.card.parts[0].title)
        for a, b in combinations(picture.cards, 2)
        if min(a.x + a.width, b.x + b.width) > max(a.x, b.x) and min(a.y + a.height, b.y + b.height) > max(a.y, b.y)
    ]


@pytest.mark.parametrize("direction", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("name", ["lenet", "googlenet", "resnet50"])
def test_a_net_of_the_zoo_fits_a_page(name: str, direction: str) -> None:
    parsed = zoo(name)
    picture = draw(parsed.layer, direction=direction)
    shown = [part.title for placed in picture.cards if not placed.card.small for part in placed.card.parts]
    assert sorted(shown) == sorted(layer.name for layer in parsed.layer)
    assert overlaps(picture) == []
    assert all(p.x >= 0 and p.y >= 0 for p in picture.cards)
    assert all(p.x + p.width <= picture.width and p.y + p.height <= picture.height for p in picture.cards)
    assert 0.4 < picture.width / picture.height < 3
    points = [p for curve in picture.curves for p in (curve.start, *(q for piece in curve.pieces for q in piece))]
    assert all(-1 <= x <= picture.width + 1 and -1 <= y <= picture.height + 1 for x, y in points)


def test_directions() -> None:
    def first_and_last(direction: str) -> tuple[float, float, float, float]:
        cards = draw(net(SMALL).layer, direction=direction).cards
        return cards[0].x, cards[0].y, cards[-1].x, cards[-1].y

    x, y, u, v = first_and_last("LR")
    assert x < u
    x, y, u, v = first_and_last("RL")
    assert x > u
    x, y, u, v = first_and_last("TB")
    assert y < v
    x, y, u, v = first_and_last("BT")
    assert y > v


def test_without_folds_it_is_one_strip() -> None:
    picture = draw(zoo("resnet50").layer, direction="TB", folded=False)
    assert picture.height > 10 * picture.width


def test_a_net_without_layers() -> None:
    assert "<svg" in svg(draw([]))


# --- files -----------------------------------------------------------------------------------------------------------


def test_svg_is_xml_with_all_names() -> None:
    parsed = net(SMALL.replace('name: "relu"', 'name: "<relu>&"'))
    root = ElementTree.fromstring(svg(draw(parsed.layer), "a < b\x01"))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"conv", "ReLU   <relu>&", "Pooling · ave 1 x 3", "label"} <= texts
    assert root.findtext("{http://www.w3.org/2000/svg}title") == r"a < b\x01"


def test_png_has_the_cards_where_they_belong() -> None:
    picture = draw(net(SMALL).layer)
    drawn = Image.open(io.BytesIO(image(picture)))
    assert drawn.format == "PNG"
    assert drawn.size == (pytest.approx(picture.width * 1.5, abs=2), pytest.approx(picture.height * 1.5, abs=2))
    conv = next(p for p in picture.cards if p.card.parts[0].title == "conv")
    pixels = np.asarray(drawn)
    assert pixels[int(conv.y * 1.5) + 5, int((conv.x + conv.width / 2) * 1.5)].tolist() == [0xFF, 0xE3, 0xE3]
    assert pixels[1, 1].tolist() == [255, 255, 255]
    assert (pixels < 60).all(2).any()  # letters


def test_large_pictures_are_drawn_smaller() -> None:
    drawn = Image.open(io.BytesIO(image(Picture(20000, 3000), "jpg")))
    assert drawn.format == "JPEG"
    assert drawn.width * drawn.height < 16e6


def test_an_unknown_kind_of_image() -> None:
    with pytest.raises(UsageError, match=r'no image is written as "\.xyz"; known are png, jpg'):
        image(Picture(10, 10), "xyz")
