"""The modules that a script of Python 2 imports, and `brew run --py2`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brew.caffe.python2.loading import Python2Finder

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
sys.path.insert(0, "lib")
import beside, caffe
from old.layer import Half
from old import math3
import new
print "script", beside.NAME, sys.argv[1:], math3.half(7), new.half(7), caffe.TEST, __name__
net = caffe.Net("net.prototxt", caffe.TEST)
print net.forward(x=[[3, 8]])["y"].tolist(), net.layers[1].calls
"""
FILES = {
    "s.py": SCRIPT,
    "beside.py": "NAME = 0777\n",
    "fails.py": "def f():\n    raise KeyError, 'gone'\nf()\n",
    "lib/old/__init__.py": "",
    "lib/old/layer.py": (
        "import caffe\nfrom helper import halved\n"
        "class Half(caffe.Layer):\n    def setup(self, bottom, top): self.calls = 0\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top):\n        self.calls += 1\n"
        "        print 'phase', self.phase\n        top[0].data[...] = halved(bottom[0].data)\n"
    ),
    "lib/old/helper.py": "def halved(x): return x / 2\n",  # Python 3 parses it
    "lib/old/math3.py": "def half(x): return x / 2\n",
    "site/new-1.0.dist-info/METADATA": "",
    "site/new.py": "def half(x): return x / 2\n",
    "net.prototxt": (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }\n'
        'layer { name: "half" type: "Python" bottom: "x" top: "y" python_param { module: "old.layer" layer: "Half" } }'
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def brew_run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(folder / "site")])
    return subprocess.run(
        [sys.executable, "-m", "brew", "run", *arguments], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip


def test_a_script_its_modules_and_its_layers(folder: Path) -> None:
    done = brew_run("--py2", "s.py", "a", "--py2", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("script 511 ['a', '--py2'] 3 3.5 1 __main__\nphase TEST\n[[1.5, 4.0]] 1\n")
    told = [line for line in done.stderr.splitlines() if "translated" in line]
    assert told[0].startswith("s.py: translated from Python 2: print x 2")
    assert sorted(Path(line.split(": ")[0]).name for line in told) == [
        "beside.py", "helper.py", "layer.py", "math3.py", "s.py",
    ]  # fmt: skip


def test_a_traceback_shows_the_script_s_lines(folder: Path) -> None:
    done = brew_run("--py2", "fails.py", folder=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:4] == [
        "Traceback (most recent call last):",
        '  File "fails.py", line 3, in <module>',
        "    f()",
    ]
    assert "raise KeyError, 'gone'" in done.stderr
    assert done.stderr.splitlines()[-1] == "KeyError: 'gone'"


def test_a_module(folder: Path) -> None:
    (folder / "tool").mkdir()
    (folder / "tool" / "__init__.py").write_text("")
    (folder / "tool" / "__main__.py").write_text("import sys, part\nprint part.X / 2, sys.argv[1:], xrange(1)[0]\n")
    (folder / "tool" / "part.py").write_text("X = 7L\n")
    done = brew_run("--py2", "-m", "tool", "a", folder=folder)
    assert done.stdout == "3 ['a'] 0\n", done.stderr


def test_numbers_of_numpy_in_a_list(folder: Path) -> None:
    (folder / "printed.py").write_text(
        "import numpy as np\nprint [np.float32(0.5), np.int64(3)], str((np.float64(2),))\n"
    )
    assert brew_run("--py2", "printed.py", folder=folder).stdout == "[0.5, 3] (2.0,)\n"


def test_a_script_in_a_package_s_folder_is_in_no_package(folder: Path) -> None:
    (folder / "lib/old/main.py").write_text("import helper, math3\nprint helper.halved(7), math3.half(7)\n")
    done = brew_run("--py2", "lib/old/main.py", folder=folder)
    assert done.stdout == "3 3\n", done.stderr


def test_numbers_of_numpy_in_a_list_are_written_as_numbers(folder: Path) -> None:
    (folder / "n.py").write_text("import numpy as np\nprint str(dict(mean=[np.float64(104.5)])), [np.int64(3)]\n")
    assert brew_run("--py2", "n.py", folder=folder).stdout == "{'mean': [104.5]} [3]\n"


def test_without_the_option_it_is_python_3(folder: Path) -> None:
    done = brew_run("s.py", folder=folder)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert done.stderr.splitlines()[-1] == "s.py is Python 2: brew run --py2 translates it"


@pytest.fixture
def path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setattr(sys, "path", [str(folder), str(folder / "lib"), str(folder / "site"), *sys.path])
    yield sys.path


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("name", "under", "translated"),
    [
        ("beside", ".", True),  # in the script's folder
        ("old", "elsewhere", True),  # in a folder of sys.path where Python 2 is
        ("new", ".", False),  # installed
        ("json", ".", False),  # Python's own
        ("brew.net.net", ".", False),
        ("numpy", ".", False),
        ("nowhere", ".", False),
    ],
)
def test_what_is_translated(name: str, under: str, translated: bool, folder: Path) -> None:
    finder = Python2Finder(folder / under, print)
    package = __import__(name.rpartition(".")[0], fromlist=["x"]).__path__ if "." in name else None
    assert (finder.find_spec(name, package) is not None) == translated
