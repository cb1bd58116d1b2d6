"""Layers added, removed, changed and moved; shapes; old formats and phases."""

from __future__ import annotations

from pathlib import Path

from brew import prototxt
from brew.graph.definition import define
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.reports.net_difference import NetDifference, net_difference, solver_difference

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 } } }\n'
FC = 'layer {{ name: "{0}" type: "InnerProduct" bottom: "data" top: "{0}"\n inner_product_param {{ num_output: {1} }} }}\n'
RULES = 'layer {{ name: "s" type: "Silence" bottom: "data" include {{ phase: {} }} {} }}\n'


def difference(old: str, new: str) -> NetDifference:
    documents = [prototxt.parse(text, NetParameter, file) for text, file in ((old, "a"), (new, "b"))]
    return net_difference(*(define(document) for document in documents))


def test_a_changed_field_has_both_places_and_the_shapes_it_makes():
    found = difference(INPUT + FC.format("x", 3), 'name: "n"\n' + INPUT + FC.format("x", 4))
    [layer] = found.layers
    assert (layer.name, layer.kind, layer.after) == ("x", "changed", None)
    [placed] = layer.changes
    assert placed.change.name == "inner_product_param.num_output"
    assert (str(placed.old_place), str(placed.new_place)) == ("a:3:24", "b:4:24")
    assert [(c.change.name, c.change.new) for c in found.fields] == [("name", '"n"')]
    assert found.shapes == (("x", (1, 3), (1, 4)),) and not found.equal


def test_added_removed_and_moved():
    a, b, c, d = (FC.format(name, 2) for name in "abcd")
    found = difference(INPUT + a + b + c, INPUT + c + a + d)
    assert [(x.name, x.kind, x.after) for x in found.layers] == [
        ("b", "removed", None), ("c", "changed", "data"), ("d", "added", None),
    ]  # fmt: skip
    assert str(found.layers[0].old).startswith("a:") and found.layers[0].new is None
    assert difference(INPUT + a, a.replace("data", "x") + INPUT).layers[0].after in ("", "a")


def test_layers_of_one_name_are_matched_by_their_rules():
    train, test = RULES.format("TRAIN", ""), RULES.format("TEST", "")
    assert [x.kind for x in difference(INPUT + train + test, INPUT + test).layers] == ["removed"]
    found = difference(INPUT + train + test, INPUT + train + RULES.format("TEST", "propagate_down: false"))
    assert [[c.change.name for c in x.changes] for x in found.layers] == [["propagate_down"]]


def test_the_same_net_in_an_old_format_is_equal():
    texts = Path(__file__).parents[1] / "prototxt" / "upgrade"
    nets = [define(texts / name) for name in ("v0.prototxt", "v1.prototxt", "today.prototxt")]
    for old in nets:
        for new in nets:
            found = net_difference(old, new)
            assert not found.layers and not found.fields


def test_a_net_without_known_shapes_is_compared_all_the_same():
    data = 'layer { name: "data" type: "HDF5Data" top: "data" hdf5_data_param { source: "none" batch_size: 2 } }'
    found = difference(data, data)
    assert found.equal and "its data is not there" in (found.shapes_unknown or "")


def test_solvers():
    old, new = (
        prototxt.parse(text, SolverParameter)
        for text in ('net: "n" base_lr: 0.1 solver_type: ADAM', 'net: "n" base_lr: 0.01 type: "Adam"')
    )
    found = solver_difference(old, new)
    assert [(c.change.name, c.change.old, c.change.new) for c in found.fields] == [("base_lr", "0.1", "0.01")]
