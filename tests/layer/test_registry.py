"""Layer types by name; and docs/writing-a-layer.md, whose package is built and used as it is printed."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import NetError
from brew.graph import foreign
from brew.layer import registry
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.reports import catalogue

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-layer.md").read_text()
FILES = dict(re.findall(r"^```(?:toml|python)\n# brew-bend/(\S+)\n(.*?)^```", PAGE, re.M | re.S))

Install = Callable[[dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts files on the path as a package that is installed, with its entry points, and forgets it afterwards."""

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        project = tomllib.loads(files["pyproject.toml"])["project"]
        folder = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        ]
        (folder / "entry_points.txt").write_text("\n".join(groups))
        registry._entry_points.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            for cls in [c for c in registry._layers.values() if c.__module__ == name]:
                del registry._layers[cls.type]
            del sys.modules[name]
    registry._entry_points.cache_clear()


def entry_point(value: str) -> dict[str, str]:
    return {"pyproject.toml": f'[project]\nname = "x"\nversion = "1"\n[project.entry-points."brew.layers"]\n{value}\n'}


def test_the_page_holds_the_whole_package() -> None:
    listed = re.search(r"^```\n((?:brew-bend/\S+\n)+)```", PAGE, re.M)
    assert listed is not None
    assert [line.removeprefix("brew-bend/") for line in listed[1].split()] == list(FILES)


def test_the_package_of_the_page_works(install: Install, device: str) -> None:
    install(FILES)
    assert "Bend" in brew.layer_type_list()
    assert "brew_bend" not in sys.modules  # named, and not imported before a net needs it
    text = """
        force_backward: true
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
        layer { name: "bend" type: "Bend" bottom: "x" top: "y" prelu_param { filler { value: 2 } } }
    """
    net = Net(prototxt.parse(text, NetParameter), brew.TRAIN, device=device)
    x = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_allclose(net.forward(x=x)["y"], x / (1 + 2 * abs(x)), rtol=1e-6)
    dx = net.backward(y=np.ones_like(x))["x"]
    np.testing.assert_allclose(dx, (1 + 2 * abs(x)) ** -2.0, rtol=1e-5)
    da = net.params["bend"][0].diff
    np.testing.assert_allclose(da, -(x * abs(x) * dx).sum(axis=(0, 2)), rtol=1e-4, atol=1e-6)


def test_the_tests_of_the_page_pass(install: Install, device: str) -> None:
    install(FILES)
    module = importlib.import_module("test_brew_bend")
    tests = [getattr(module, name) for name in dir(module) if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test(device)


def test_the_tests_of_the_page_can_fail(install: Install, device: str) -> None:
    wrong = FILES["brew_bend.py"].replace("io.dw[0] -=", "io.dw[0] +=").replace("sum -= dy[i]", "sum += dy[i]")
    install({**FILES, "brew_bend.py": wrong})
    with pytest.raises(AssertionError, match="gradient of parameter 0"):
        importlib.import_module("test_brew_bend").test_gradient(device)


def test_the_errors_and_the_catalogue_know_it(install: Install) -> None:
    install(FILES)
    text = """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }
        layer { name: "bend" type: "Bend" bottom: "x" top: "y" }
    """
    with pytest.raises(NetError, match=r'layer "bend" \(Bend\): expects a bottom with an axis of channels'):
        Net(prototxt.parse(text, NetParameter), brew.TRAIN, device="cpu")
    entry = catalogue.entry("Bend")
    assert entry.line == "y = x / (1 + a |x|), with a learned a for each channel."
    assert "filler" in [field.name for field in entry.messages["prelu_param"]]
    assert foreign.unknown_layer_hint("Bent").startswith('did you mean "Bend"')
    assert foreign.unknown_layer_hint("Nothing like it") == "brew layers lists all types"


def test_an_entry_point_is_named_after_its_type(install: Install) -> None:
    install(entry_point('Bends = "brew_bend:Bend"') | {"brew_bend.py": FILES["brew_bend.py"]})
    with pytest.raises(ValueError, match=r'"Bends" of group "brew\.layers" gives a layer of type "Bend"'):
        registry.layer_class("Bends")


def test_our_own_types_come_first(install: Install) -> None:
    install(entry_point('ReLU = "nowhere:ReLU"'))
    cls = registry.layer_class("ReLU")
    assert cls is not None
    assert cls.__module__ == "brew.layers.relu"


def test_two_classes_of_one_type_are_refused() -> None:
    assert "ReLU" in brew.layer_type_list()
    with pytest.raises(ValueError, match=r"layer type 'ReLU' is already brew\.layers\.relu\.ReLU"):

        @registry.register_layer
        class _Other(brew.Layer):
            type = "ReLU"
