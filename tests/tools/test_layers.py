"""`brew layers`: every type on a line, one type in full, and docs/layers.md made from the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import brew
from brew import prototxt
from brew.proto.brew_pb2 import NetParameter
from brew.reports import catalogue

DOCS = Path(__file__).resolve().parents[2] / "docs" / "layers.md"


def test_the_list_has_a_line_for_each(brew_run: Callable[..., object]) -> None:
    lines = brew_run("layers").out.splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines] == brew.layer_type_list()
    assert all(len(line.split(maxsplit=1)[1]) > 5 for line in lines)


def test_one_type_in_full(brew_run: Callable[..., object]) -> None:
    out = brew_run("layers", "Pooling").out  # type: ignore[attr-defined]
    assert out.startswith("Pooling: The largest, the average")
    assert "round_mode      CEIL | FLOOR = CEIL  # of the output's size" in out
    assert "pooling_param { pool: MAX kernel_size: 3 stride: 2 }\n}" in out
    assert "Example" not in out


def test_a_type_there_is_none_of(brew_run: Callable[..., object]) -> None:
    outcome = brew_run("layers", "Poling")
    assert outcome.code == 2 and 'did you mean "Pooling"?' in outcome.err  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", brew.layer_type_list())
def test_every_entry_is_complete(name: str) -> None:
    item = catalogue.entry(name)
    [layer] = prototxt.parse(item.example, NetParameter).message.layer
    assert layer.type == name and (layer.bottom or layer.top)
    assert item.line.endswith(".") and ("Bottom" in item.text or "Top" in item.text)


def test_the_docs_are_current() -> None:
    assert DOCS.read_text("utf-8") == catalogue.markdown(), "brew layers --markdown > docs/layers.md"
