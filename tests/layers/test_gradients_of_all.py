"""Every type with a backward has it checked against differences of forward, in double, on the CPU and on CUDA.

The checks stand in the types' own tests; here it is seen, on their syntax, that none lacks one.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import brew
from brew.layer import Layer
from brew.layer.data_layer import DataLayer
from brew.layer.registry import layer_class, stem

# What has neither bottoms to give a gradient to nor parameters: values come out of them, from a file or a filler.
SOURCES = {"DummyData", "Input"}


def gradient_checks(source: str) -> list[ast.Call]:
    """The calls of check_gradient in tests that take `device`, and hand it on."""
    calls = []
    for test in ast.parse(source).body:
        if not isinstance(test, ast.FunctionDef) or "device" not in {a.arg for a in test.args.args}:
            continue
        for call in ast.walk(test):
            named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check_gradient"
            if named and any(k.arg == "device" and ast.unparse(k.value) == "device" for k in call.keywords):
                calls.append(call)
    return calls


def has_backward(cls: type[Layer]) -> bool:
    """Whether anything can get a gradient from it: a bottom or a learned parameter."""
    if issubclass(cls, DataLayer) or cls.type in SOURCES:
        return False
    if cls.declare_params is not Layer.declare_params:
        return True
    return not set(range(cls.bottoms.most or cls.bottoms.least)) <= set(cls.no_gradient)


@pytest.mark.parametrize("type_name", [t for t in brew.layer_type_list() if has_backward(layer_class(t))])
def test_a_backward_is_checked_numerically_on_both_devices(type_name: str) -> None:
    path = Path(__file__).with_name(f"test_{stem(type_name)}.py")
    assert gradient_checks(path.read_text()), f"{path.name}: no check_gradient(..., device=device)"


def test_types_without_a_backward() -> None:
    none = [t for t in brew.layer_type_list() if not has_backward(layer_class(t))]
    assert none == [
        "Accuracy", "ArgMax", "Data", "DummyData", "HDF5Data", "HDF5Output", "ImageData", "Input", "MemoryData",
        "Threshold", "WindowData",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "test",
    [
        "def test_it(device):\n    run_layer('', [], device=device)",
        "def test_it(device):\n    check_gradient('', [])",
        "def test_it():\n    check_gradient('', [], device='cpu')",
    ],
)
def test_the_rule_on_checks_can_fail(test: str) -> None:
    assert not gradient_checks(test)
