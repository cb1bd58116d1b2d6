"""Blocks of a net's picture that follow one another unchanged: found, drawn once, framed."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from google.protobuf import text_format

from brew.proto.brew_pb2 import NetParameter
from brew.reports.drawing.cards import cards_of
from brew.reports.drawing.picture import Picture, draw
from brew.reports.drawing.repeats import folded
from brew.reports.drawing.svg import svg

ZOO = Path(__file__).parents[2] / "model_zoo"


def net(text: str) -> NetParameter:
    return text_format.Parse(text, NetParameter())


def overlaps(picture: Picture) -> bool:
    return any(
        min(a.x + a.width, b.x + b.width) > max(a.x, b.x) and min(a.y + a.height, b.y + b.height) > max(a.y, b.y)
        for a, b in combinations(picture.cards, 2)
    )


def chain(*blocks: str) -> str:
    """A net of these blocks, in which "<" is the blob before a block, and "*" the block's number."""
    texts = ['layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 } } }']
    before = "in"
    for number, block in enumerate(blocks):
        texts.append(block.replace("<", before).replace("*", str(number)))
        before = f"out{number}"
    return "\n".join(texts)


BOTTLENECK = """
layer { name: "b*_a" type: "Convolution" bottom: "<" top: "b*_a" convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "b*_relu" type: "ReLU" bottom: "b*_a" top: "b*_a" }
layer { name: "b*_b" type: "Convolution" bottom: "b*_a" top: "b*_b" convolution_param { num_output: 9 kernel_size: 3 } }
layer { name: "out*" type: "Eltwise" bottom: "<" bottom: "b*_b" top: "out*" }
"""
LAST = 'layer { name: "fc" type: "InnerProduct" bottom: "<" top: "fc" inner_product_param { num_output: 2 } }'


def shown_once(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Titles of the cards that are left, and how often each block stands and up to where."""
    cards, links, blocks = folded(*cards_of(net(text).layer))
    assert all(link.source < link.target < len(cards) for link in links)
    return [card.parts[0].title for card in cards], [(block.count, block.last) for block in blocks]


def test_copies_of_a_block_are_drawn_once() -> None:
    titles, blocks = shown_once(chain(*[BOTTLENECK] * 23, LAST))
    assert titles == ["in", "b0_a", "b0_b", "out0", "fc"]
    assert blocks == [(23, "b22_a")]
    _, links, _ = folded(*cards_of(net(chain(*[BOTTLENECK] * 23, LAST)).layer))
    assert {(link.source, link.target) for link in links} == {(0, 1), (1, 2), (0, 3), (2, 3), (3, 4)}


def test_blocks_that_differ_stay_apart() -> None:
    wide = BOTTLENECK.replace("num_output: 9", "num_output: 99")
    titles, blocks = shown_once(chain(BOTTLENECK, BOTTLENECK, BOTTLENECK, wide, wide, wide, LAST))
    assert titles == ["in", "b0_a", "b0_b", "out0", "b3_a", "b3_b", "out3", "fc"]
    assert [count for count, _ in blocks] == [3, 3]
    _, blocks = shown_once(chain(BOTTLENECK, wide, BOTTLENECK, wide, BOTTLENECK, wide))
    assert [count for count, _ in blocks] == [3]  # a block of two


def test_what_is_read_from_elsewhere_is_no_copy() -> None:
    """A link from the middle of the run to what is behind it would be lost."""
    head = 'layer { name: "head" type: "Pooling" bottom: "out1" top: "head" pooling_param { kernel_size: 2 } }'
    titles, _ = shown_once(chain(*[BOTTLENECK] * 4, LAST + head))
    assert "out1" in titles
    far = BOTTLENECK.replace('bottom: "b*_b"', 'bottom: "in"')
    assert len(shown_once(chain(*[far] * 4))[0]) == 1 + 4 * 3  # each reads further back than the one before


def test_a_block_has_a_frame_and_no_strangers_in_it() -> None:
    parsed = net((ZOO / "resnet50" / "train_val.prototxt").read_text())
    for direction in ("TB", "LR", "BT"):
        picture = draw(parsed.layer, direction=direction, repeats=True)
        assert [frame.text.split(",")[0] for frame in picture.frames] == ["x 2", "x 3", "x 5", "x 2"]
        assert not overlaps(picture)
        for frame in picture.frames:
            inside = [
                p for p in picture.cards
                if p.x >= frame.x and p.x + p.width <= frame.x + frame.width
                and p.y >= frame.y and p.y + p.height <= frame.y + frame.height
            ]  # fmt: skip
            assert len(inside) == 4
        text = svg(picture)
        assert text.count("stroke-dasharray") == 4 and ">x 5, to res4f<" in text
    assert not draw(parsed.layer).frames
