"""Fields that mean the same are no change, whatever is written."""

from __future__ import annotations

import pytest

from brew import prototxt
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt.difference import changes


def found(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    messages = (prototxt.parse(text, LayerParameter).message for text in (old, new))
    return [(change.name, change.old, change.new) for change in changes(*messages)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("convolution_param { group: 1 bias_term: true }", ""),
        ("pooling_param { }", "pooling_param { pool: MAX }"),
        ("param { }", "param { lr_mult: 1 }"),
        ("convolution_param { stride: 1 }", ""),
        ("convolution_param { pad: 0 pad: 0 dilation: 1 }", ""),
        ("convolution_param { stride: 2 }", "convolution_param { stride: 2 stride: 2 }"),
        ("param { lr_mult: 1 } param { decay_mult: 1 lr_mult: 1 }", ""),
        ("param { lr_mult: 2 } param { lr_mult: 1 }", "param { lr_mult: 2 }"),
        ("convolution_param { weight_filler { } }", ""),
        ('inner_product_param { bias_filler { type: "constant" value: 0 } }', ""),
        ('scale_param { filler { type: "constant" value: 1 } bias_filler { value: 0 } }', ""),
        ("prelu_param { filler { value: 0.25 } }", ""),
        ("convolution_param { kernel_size: [3, 3] }", "convolution_param { kernel_size: 3 kernel_size: 3 }"),
    ],
)
def test_what_means_the_same(old: str, new: str):
    assert found(old, new) == found(new, old) == []


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("convolution_param { num_output: 4 }", "convolution_param { num_output: 8 }",
         ("convolution_param.num_output", "4", "8")),
        ("", 'name: "x"', ("name", None, '"x"')),
        ("pooling_param { pool: AVE }", "", ("pooling_param.pool", "AVE", "MAX")),
        ("param { } param { lr_mult: 2 }", "param { } param { lr_mult: 0.1 }", ("param[1].lr_mult", "2", "0.1")),
        ("param { }", "param { } param { decay_mult: 0 }", ("param[1]", None, "{ decay_mult: 0.0 }")),
        ("bottom: 'a'", "bottom: 'a' bottom: 'b'", ("bottom", '"a"', '"a", "b"')),
        ("include { phase: TRAIN }", "include { }", ("include[0].phase", "TRAIN", None)),
        ("batch_norm_param { use_global_stats: false }", "", ("batch_norm_param.use_global_stats", "false", None)),
        ("convolution_param { stride: 2 }", "", ("convolution_param.stride", "2", None)),
        ("convolution_param { stride: 1 stride: 2 }", "", ("convolution_param.stride", "1, 2", None)),
        ("inner_product_param { bias_filler { value: 1 } }", "", ("inner_product_param.bias_filler", "{ value: 1.0 }", None)),
        ("scale_param { filler { } }", "", ("scale_param.filler", "{  }", None)),
    ],
)  # fmt: skip
def test_what_does_not(old: str, new: str, change: tuple[str, str | None, str | None]):
    assert found(old, new) == [change]
    name, before, after = change
    assert found(new, old) == [(name, after, before)]
