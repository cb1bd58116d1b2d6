from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Buffer, Implementation, Layer, Param, Wanted, registry
from brew.testing import check_gradient, run_layer

X = np.array([[1.0, -2.0], [3.0, 0.5]])


class _Square(Layer):
    """y = w * x^2, right in every respect; the tests below break one each."""

    type = "Square"
    reads = frozenset("x")

    def infer_shapes(self, bottom):
        return [bottom[0]]

    def declare_params(self, bottom):
        return [Param(())]


class _CPU(Implementation[_Square]):
    def prepare(self, shapes, wanted):
        return {"scratch": Buffer(shapes.x[0])}

    def forward(self, io):
        np.multiply(io.x[0], io.x[0], out=io.work["scratch"])
        np.multiply(io.work["scratch"], io.w[0], out=io.y[0])

    def backward(self, io):
        if io.dw[0] is not None:
            io.dw[0] += np.vdot(io.dy[0], io.x[0] * io.x[0])
        np.multiply(2 * io.w[0] * io.x[0], io.dy[0], out=io.dx[0])


@pytest.fixture
def install(monkeypatch):
    """Puts a layer type with this implementation into the registry, for one test."""

    def put(implementation, **facts):
        layer = type("Square", (_Square,), facts)
        layer.runs_on("cpu")(implementation)
        monkeypatch.setitem(registry._layers, "Square", layer)

    return put


def check(**options):
    check_gradient('type: "Square"', [X], params=[1.5], **options)


def test_a_right_layer_passes(install):
    install(_CPU)
    check()
    check(exhaustive=True)
    run = run_layer('type: "Square"', [X], params=[2], top_diffs=[np.ones((2, 2))])
    assert run.tops[0].tolist() == [[2, 8], [18, 0.5]]
    assert run.bottom_diffs[0].tolist() == [[4, -8], [12, 2]]
    assert run.param_diffs[0] == 14.25
    assert run.tops[0].dtype == np.float32


def test_a_wrong_element_is_named(install):
    class Wrong(_CPU):
        def backward(self, io):
            super().backward(io)
            io.dx[0][1, 0] += 0.01

    install(Wrong)
    with pytest.raises(AssertionError, match='gradient of bottom 0 of "Square": backward'):
        check()
    with pytest.raises(AssertionError, match=r'gradient of bottom 0 of "Square" at \[1, 0\]: backward'):
        check(exhaustive=True)
    check(check_bottoms=[])  # the parameter is right


def test_overwritten_parameter_gradients_show(install):
    class Overwrites(_CPU):
        def backward(self, io):
            io.dw[0][...] = 0
            super().backward(io)

    install(Overwrites)
    with pytest.raises(AssertionError, match="gradient of parameter 0"):
        check()


def test_a_forgotten_gradient_shows(install):
    class Forgets(_CPU):
        def backward(self, io):
            io.dw[0] += np.vdot(io.dy[0], io.x[0] * io.x[0])

    install(Forgets)
    with pytest.raises(AssertionError, match="gradient of bottom 0"):
        check()


def test_values_that_are_not_declared_read_are_spoilt(install):
    install(_CPU, reads=frozenset("y"))
    with pytest.raises(AssertionError, match="gradient of bottom 0"):
        check()


def test_scratch_does_not_last_from_forward_to_backward(install):
    class Relies(_CPU):
        def backward(self, io):
            super().backward(io)
            io.dx[0][...] += 0 * io.work["scratch"]

    install(Relies)
    with pytest.raises(AssertionError, match="gradient of bottom 0"):
        check()


def test_unwanted_gradients_are_none(install):
    install(_CPU)
    want = Wanted(bottoms=(True,), params=(False,))
    run = run_layer('type: "Square"', [X], params=[1], top_diffs=[X], want=want)
    assert run.param_diffs == [None]
    assert run.bottom_diffs[0] is not None


def test_without_gradients_of_tops_only_forward_runs(install):
    install(_CPU)
    run = run_layer('type: "Square"', [X], params=[1])
    assert run.bottom_diffs == [] and run.param_diffs == []


def test_layers_that_cannot_run_in_place_say_so(install):
    install(_CPU)
    with pytest.raises(NetError, match="cannot run in place"):
        run_layer('type: "Square" bottom: "a" top: "a"', [X])


def test_arity_types_and_shapes_are_checked(install):
    install(_CPU)
    with pytest.raises(ValueError, match="Square takes exactly 1 bottoms, not 2"):
        run_layer('type: "Square"', [X, X])
    with pytest.raises(ValueError, match="no layer type 'Sqare'"):
        run_layer('type: "Sqare"', [X])
    with pytest.raises(ValueError, match=r"shape \(2,\) where \(\) belongs"):
        run_layer('type: "Square"', [X], params=[[1, 2]])
