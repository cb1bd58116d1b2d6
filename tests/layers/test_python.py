from __future__ import annotations

import itertools
import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from brew.checks.files import check
from brew.checks.states import Options
from brew.errors import NetError, blamed
from brew.layer import TEST, TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import read
from brew.testing import check_gradient, run_layer
from brew.tools import cli
from brew.tools.parts.report import as_brew_error

CLASSES = """
import numpy as np
from brew.python_layer import PythonLayer


class Times(PythonLayer):
    '''param_str times the bottom.'''

    calls = []

    def setup(self, bottom, top):
        self.factor = float(self.param_str or 2)
        Times.calls.append(("setup", self.phase, bottom[0].shape))

    def reshape(self, bottom, top):
        Times.calls.append(("reshape", bottom[0].shape))
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * top[0].diff


class Weighted(PythonLayer):
    '''Elementwise w * x + b with both learned; w starts at 3.'''

    def setup(self, bottom, top):
        self.blobs.add_blob(bottom[0].channels)
        self.blobs.add_blob(bottom[0].channels)
        self.blobs[0].data[...] = 3

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data * bottom[0].data + self.blobs[1].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        self.blobs[1].diff[...] += top[0].diff.sum(0)
        bottom[0].diff[...] = self.blobs[0].data * top[0].diff


class Counter(PythonLayer):
    '''Brings data: in call k, k rows that hold k.'''

    def setup(self, bottom, top):
        self.number = 0

    def reshape(self, bottom, top):
        self.number += 1
        top[0].reshape(self.number, 2)

    def forward(self, bottom, top):
        top[0].data[...] = self.number


class Constant(PythonLayer):
    '''Writes its top once, when it is shaped.'''

    def setup(self, bottom, top):
        top[0].reshape(3)
        top[0].data[...] = 5

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        pass


class Fails(Times):
    def forward(self, bottom, top):
        helper = np.zeros(3)
        helper[7] = 1  # the line that fails


class Meddles(Times):
    def forward(self, bottom, top):
        bottom[0].reshape(9, 9)


class Uneven(Times):
    def reshape(self, bottom, top):
        top[0].reshape(9, 9)


class Lopsided(Times):
    def setup(self, bottom, top):
        self.blobs.add_blob(2)
        self.blobs[0].data[...] = [1, 2]


class Random(Times):
    def setup(self, bottom, top):
        self.factor = 1
        self.blobs.add_blob(4, 5, filler={"type": "xavier"})


class NoReshape(PythonLayer):
    pass


class Stranger:
    pass
"""

names = (f"classes_{i}" for i in itertools.count())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a new module beside the prototxt, which nothing else finds."""
    name = next(names)
    (tmp_path / f"{name}.py").write_text(CLASSES)
    yield name
    sys.modules.pop(name, None)


def layer(module, cls, param_str="", bottom='bottom: "x"', top='top: "y"'):
    param = f'module: "{module}" layer: "{cls}" param_str: "{param_str}"'
    return f'layer {{ name: "p" type: "Python" {bottom} {top}\n  python_param {{ {param} }} }}\n'


INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def net(tmp_path, text, device="cpu", phase=TRAIN):
    (tmp_path / "net.prototxt").write_text(text)
    return Net(read(tmp_path / "net.prototxt", NetParameter), phase, device=device)


def test_forward_and_backward(tmp_path, module, device):
    made = net(tmp_path, "force_backward: true\n" + INPUT + layer(module, "Times", "2.5"), device)
    made.forward(x=X)
    assert np.array_equal(made.blobs["y"].data, 2.5 * X)
    made.backward(y=X + 1)
    assert np.array_equal(made.blobs["x"].diff, 2.5 * (X + 1))


def test_setup_once_and_reshape_when_shapes_change(tmp_path, module, device):
    made = net(tmp_path, INPUT + layer(module, "Times"), device, TEST)
    calls = sys.modules[module].Times.calls
    assert calls == [("setup", TEST, (2, 3)), ("reshape", (2, 3))]
    for rows in (5, 1, 2):
        made.blobs["x"].reshape(rows, 4)
        values = np.full((rows, 4), rows)
        made.forward(x=values)
        assert np.array_equal(made.blobs["y"].data, 2 * values)
    assert [c for c in calls if c[0] == "setup"] == calls[:1]
    assert ("reshape", (5, 4)) in calls


def test_in_place(tmp_path, module, device):
    text = "force_backward: true\n" + INPUT + layer(module, "Times", "3", top='top: "x"')
    made = net(tmp_path, text, device)
    made.blobs["x"].data[...] = X
    made.run_forward()
    assert np.array_equal(made.blobs["x"].data, 3 * X)
    made.blobs["x"].diff[...] = X
    made.run_backward()
    assert np.array_equal(made.blobs["x"].diff, 3 * X)


def test_data_of_a_new_shape_in_every_pass(tmp_path, module, device):
    text = layer(module, "Counter", bottom="") + layer(module, "Times", bottom='bottom: "y"', top='top: "z"')
    made = net(tmp_path, text.replace('"p"', '"q"', 1), device)
    for _ in range(3):
        made.forward()
        count = int(made.blobs["y"].data[0, 0])
        assert made.blobs["z"].shape == (count, 2)
        assert np.array_equal(made.blobs["z"].data, np.full((count, 2), 2 * count))
    assert count == 4  # once when the net was built


def test_what_reshape_writes_into_a_top_stays(tmp_path, module, device):
    made = net(tmp_path, layer(module, "Constant", bottom=""), device)
    for _ in range(2):
        made.forward()
        assert made.blobs["y"].data.tolist() == [5, 5, 5]


def test_parameters_are_the_nets(tmp_path, module, device):
    made = net(tmp_path, "force_backward: true\n" + INPUT + layer(module, "Weighted"), device)
    weight, bias = made.params["p"]
    assert weight.data.tolist() == [3, 3, 3]
    weight.data[...] = [1, 2, 3]
    bias.data[...] = 1
    made.forward(x=X)
    assert np.array_equal(made.blobs["y"].data, X * np.float32([1, 2, 3]) + 1)
    made.clear_param_diffs()
    for times in (1, 2):  # gradients of parameters add up
        made.backward(y=np.ones((2, 3)))
        assert np.array_equal(weight.diff, times * X.sum(0))
        assert bias.diff.tolist() == [2 * times] * 3
    made.save(tmp_path / "w.caffemodel")
    again = net(tmp_path, INPUT + layer(module, "Weighted"), device)
    again.copy_from(tmp_path / "w.caffemodel")
    again.forward(x=X)
    assert np.array_equal(again.blobs["y"].data, made.blobs["y"].data)


def test_gradient(tmp_path, module, device, monkeypatch):
    monkeypatch.chdir(tmp_path)  # found in the working directory
    for cls in ("Times", "Weighted"):
        param = f'type: "Python" top: "y" python_param {{ module: "{module}" layer: "{cls}" }}'
        check_gradient(param, [np.random.default_rng(0).standard_normal((2, 3))], device=device)


def test_types_and_fillers(tmp_path, module, monkeypatch):
    monkeypatch.chdir(tmp_path)
    param = f'type: "Python" top: "y" python_param {{ module: "{module}" layer: "Random" }}'
    run = run_layer(param, [X], dtype=np.float64)
    assert run.tops[0].dtype == np.float64
    assert 0 < np.abs(run.params[0]).max() <= np.sqrt(3 / 5)


def error(tmp_path, text, kind=NetError):
    with pytest.raises(kind) as caught:
        net(tmp_path, text).forward()
    return caught.value


def test_an_error_of_the_class_reaches_the_caller_as_it_is(tmp_path, module):
    found = error(tmp_path, INPUT + layer(module, "Fails"), IndexError)
    line = CLASSES.splitlines().index("        helper[7] = 1  # the line that fails") + 1
    [note] = found.__notes__
    assert note.startswith(f"{tmp_path / 'net.prototxt'}:3:")
    assert 'layer "p" (Python): Fails.forward raised IndexError: index 7' in note
    assert f"(at {tmp_path / module}.py:{line})" in note
    innermost = traceback.extract_tb(found.__traceback__)[-1]
    assert (innermost.filename, innermost.lineno) == (f"{tmp_path / module}.py", line)
    told = blamed(found)
    assert isinstance(told, NetError)
    assert str(told) == note


@pytest.mark.parametrize("method", ["__init__", "setup", "reshape", "forward", "backward"])
def test_errors_of_every_method_come_as_they_are(tmp_path, module, method):
    text = f"class Raises(Times):\n    def {method}(self, *args):\n        raise MyError(7)\n"
    with (tmp_path / f"{module}.py").open("a") as file:
        file.write("\n\nclass MyError(RuntimeError):\n    pass\n\n\n" + text)
    with pytest.raises(RuntimeError) as caught:
        made = net(tmp_path, "force_backward: true\n" + INPUT + layer(module, "Raises"))
        made.forward()
        made.backward(y=X)
    assert type(caught.value).__name__ == "MyError"
    assert caught.value.args == (7,)
    assert f"Raises.{method} raised MyError: 7" in caught.value.__notes__[0]


def test_a_method_that_is_missing(tmp_path, module):
    found = error(tmp_path, INPUT + layer(module, "NoReshape"), NotImplementedError)
    assert str(found) == "a Python layer needs reshape(self, bottom, top)"
    assert "NoReshape.reshape raised" in found.__notes__[0]


def test_check_and_the_command_line_tell_it_in_one_block(tmp_path, module):
    text = INPUT + layer(module, "Fails").replace("Fails", "NoReshape")
    (tmp_path / "net.prototxt").write_text(text)
    [finding] = [f for f in check(str(tmp_path / "net.prototxt"), Options()) if f.severity == "error"]
    assert "NoReshape.reshape raised NotImplementedError" in finding.message
    assert finding.place.line == 3
    result = CliRunner().invoke(cli.brew, ["show", str(tmp_path / "net.prototxt")])
    told = as_brew_error(result.exception)
    assert isinstance(told, NetError)
    assert "NoReshape.reshape raised NotImplementedError" in told.message


@pytest.mark.parametrize(
    ("cls", "what"),
    [
        ("Tmies", 'has no class "Tmies" (did you mean "Times"?)'),
        (
            "Stranger",
            "is no class on the base caffe.Layer (brew.python_layer.PythonLayer) (class Stranger(caffe.Layer)",
        ),
        ("np", "is no class on the base caffe.Layer"),
        ("Meddles", 'Meddles.forward changed the shape of bottom "x" from 2 x 3 to 9 x 9; a layer gives its tops'),
        ("", "python_param.layer is needed"),
    ],
)
def test_what_is_wrong_with_the_class(tmp_path, module, cls, what):
    found = error(tmp_path, INPUT + layer(module, cls))
    assert what in str(found)
    assert f"{tmp_path / 'net.prototxt'}:" in str(found)


def test_a_shape_in_place_stays(tmp_path, module):
    found = error(tmp_path, INPUT + layer(module, "Uneven", top='top: "x"'))
    assert 'Uneven.reshape changed the shape of bottom "x" from 2 x 3 to 9 x 9' in str(found)


def test_the_phase_is_a_number_that_prints_as_its_name(tmp_path, module):
    for phase, name in ((TRAIN, "TRAIN"), (TEST, "TEST")):
        seen = net(tmp_path, INPUT + layer(module, "Times"), phase=phase).layers[1].instance.phase
        assert seen == phase
        assert isinstance(seen, int)
        assert (str(seen), f"{seen}", f"{seen:d}", {phase: 1}[seen]) == (name, name, str(phase), 1)


def test_a_net_s_layer_passes_on_to_the_object(tmp_path, module):
    found = net(tmp_path, INPUT + layer(module, "Times", "4")).layers[1]
    assert found.factor == found.instance.factor == 4
    assert found.type == found.instance.type == "Python"
    assert found.instance.param_str == found.instance.param_str_ == "4"
    with pytest.raises(AttributeError, match="'Times' object has no attribute 'roidb'"):
        found.roidb  # noqa: B018


def test_parameters_start_as_setup_left_them(tmp_path, module, device):
    made = net(tmp_path, INPUT + layer(module, "Lopsided"), device)
    assert made.params["p"][0].data.tolist() == [1, 2]


@pytest.mark.parametrize("text", ["print 'loaded'\n", "import cPickle as pickle\n", "if 1:\n\tx = 1\n        y = 2\n"])
def test_a_module_in_python_2(text, tmp_path):
    (tmp_path / "old_layers.py").write_text(text)
    found = error(tmp_path, INPUT + layer("old_layers", "A"))
    assert "brew run --py2 -m brew train ..., translates it" in found.hint


def test_a_module_that_is_not_there_or_does_not_load(tmp_path):
    found = error(tmp_path, INPUT + layer("nowhere_to_be_found", "A"))
    assert 'there is no module "nowhere_to_be_found"; looked along sys.path, in' in str(found)
    assert str(tmp_path) in str(found)
    (tmp_path / "needs_more.py").write_text("import nowhere_to_be_found\n")
    found = error(tmp_path, INPUT + layer("needs_more", "A"))
    assert 'module "needs_more" cannot be imported: ModuleNotFoundError' in str(found)
    assert "needs_more.py:1)" in str(found)
    assert str(tmp_path) not in sys.path


CAFFE_S = """
import caffe

class Ones(caffe.Layer):
    def setup(self, bottom, top):
        top[0].reshape(2)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        if self.param_str == "raise":
            raise RuntimeError("no more")
        top[0].data[...] = 1
"""


def test_a_layer_written_for_caffe_in_the_commands_and_without_them(tmp_path):
    (tmp_path / "ones_of_caffe.py").write_text(CAFFE_S)
    (tmp_path / "net.prototxt").write_text(layer("ones_of_caffe", "Ones", bottom=""))
    alone = [sys.executable, "-c", "import brew; brew.Net('net.prototxt', brew.TEST)"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert "No module named 'caffe'" in done.stderr
    assert "(brew.install_as_caffe() gives it one)" in done.stderr
    command = [sys.executable, "-m", "brew", "time", "--model", "net.prototxt", "--iterations", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    (tmp_path / "net.prototxt").write_text(layer("ones_of_caffe", "Ones", "raise", bottom=""))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3
    assert 'error[B120]: layer "p" (Python): Ones.forward raised RuntimeError: no more (at' in done.stderr
    assert "Traceback" not in done.stderr
