"""The arguments of a Net: the orders pycaffe has taken them in, and what is no phase."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.errors import UsageError
from brew.net.net import Net

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [3, 2] } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "only" type: "Softmax" bottom: "ip" top: "soft" include { phase: TEST } }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


@pytest.mark.parametrize("phase", [brew.TEST, 1, np.int64(1), "test", "TEST", "Test"])
def test_a_phase_in_every_order_and_word(phase: object, path: Path):
    weights = path.with_name("w.caffemodel")
    first = Net(str(path), phase)
    first.save(weights)
    for net in (
        first, Net(path, phase=phase), Net(path, str(weights), phase), Net(path, weights, phase=phase),
        Net(path, phase, weights=weights), Net(path, phase, 0, [], weights), Net(path, None, phase), Net(path),
    ):  # fmt: skip
        assert net.phase == brew.TEST and "only" in net.layer_dict
    assert "only" not in Net(path, "train").layer_dict
    assert "only" not in Net(path, str(weights), "train").layer_dict


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("w", "tset"), {}, "Net: 'tset' is no phase (a phase is brew.TRAIN or brew.TEST, or \"train\" or \"test\")"),
        ((2,), {}, "Net: 2 is no phase"),
        ((), {"phase": -1}, "Net: -1 is no phase"),
        (("w", 1.0), {}, "Net: 1.0 is no phase"),
        (("w.caffemodel",), {}, "its second argument, 'w.caffemodel', is no phase; it takes (network, phase, level,"),
        (("w", 1, 0), {}, "its second argument, 'w', is no phase"),
        ((1, 0, "deploy"), {}, 'stages is a list of words, not "deploy" (stages=["deploy"])'),
        ((1,), {"stages": "deploy"}, "stages is a list"),
        ((1, 0, [], "w", 5), {}, "Net takes (network, phase, level, stages, weights); 6 were given"),
    ],
)  # fmt: skip
def test_what_is_no_phase(arguments: tuple[object, ...], options: dict[str, object], says: str, path: Path):
    with pytest.raises(UsageError, match=re.escape(says)):
        Net(path, *arguments, **options)  # type: ignore[arg-type]
