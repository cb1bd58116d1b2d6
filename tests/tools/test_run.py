"""`brew run`: a script, a module or a prompt, as python runs them, with Brew as caffe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import caffe
from caffe.proto import caffe_pb2
print(__name__, __file__, sys.argv[2:], caffe.Net.__module__, sys.modules["__main__"].caffe is caffe)
class Kept: pass
import pickle
pickle.dumps(Kept())
"""


def brew_run(*arguments: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "brew", "run", *arguments], cwd=folder, input=stdin, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with another caffe in it, in a folder of its own."""
    (tmp_path / "root" / "caffe").mkdir(parents=True)
    (tmp_path / "root" / "caffe" / "__init__.py").write_text("raise SystemExit('the wrong caffe')")
    return tmp_path


def test_a_script_gets_brew_and_its_own_arguments(folder: Path) -> None:
    (folder / "s.py").write_text(SCRIPT)
    done = brew_run("s.py", str(folder / "root"), "-v", "--gpu=0", "--", "-m", folder=folder)
    assert done.stderr == ""
    assert done.stdout == "__main__ s.py ['-v', '--gpu=0', '--', '-m'] brew.caffe.net True\n"
    assert done.returncode == 0


def test_the_log_is_shown_as_far_as_glogs_environment_says(folder: Path) -> None:
    (folder / "n.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }'
    )
    text = "import os, sys\nos.environ.update(l.split('=') for l in sys.argv[1:])\nimport caffe\ncaffe.log('hello')\ncaffe.set_mode_gpu()"
    (folder / "s.py").write_text(text)
    shown = brew_run("s.py", folder=folder).stderr
    assert "] hello" in shown and "s.py:4]" in shown
    assert "hello" not in brew_run("s.py", "GLOG_minloglevel=1", folder=folder).stderr
    assert brew_run("s.py", "GLOG_minloglevel=2", folder=folder).stderr == ""


def test_names_that_numpy_has_dropped_are_there(folder: Path) -> None:
    (folder / "s.py").write_text("import numpy as np\nfor _ in range(2): print(np.zeros(2, np.float).dtype, 3 / 2)")
    done = brew_run("s.py", folder=folder)
    assert done.stdout == "float64 1.5\n" * 2
    assert done.stderr == "numpy.float is gone: float stands for it\n"


def test_its_folder_is_where_it_finds_modules(folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "there" / "beside.py").write_text("X = 5")
    (folder / "there" / "s.py").write_text("import sys, beside\nprint(beside.X, sys.path[0])")
    done = brew_run(str(folder / "there" / "s.py"), folder=folder)
    assert done.stdout == f"5 {folder / 'there'}\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("raise SystemExit('enough')", 1, "enough\n"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
    ],
)
def test_exit_codes_are_the_scripts(text: str, code: int, said: str, folder: Path) -> None:
    (folder / "s.py").write_text(text)
    done = brew_run("s.py", folder=folder)
    assert done.returncode == code and done.stderr.endswith(said)


def test_a_traceback_is_the_scripts(folder: Path) -> None:
    text = "def f():\n    import caffe\n    caffe.Net('none.prototxt', 1)\nf()\n"
    (folder / "s.py").write_text(text)
    done = brew_run("s.py", folder=folder)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", '  File "s.py", line 4, in <module>']
    assert lines[-1].startswith("brew.errors.InputError: none.prototxt: no such file")
    assert "tools/run.py" not in done.stderr and "internal error" not in done.stderr


def test_a_hook_of_the_script_for_errors_is_called(folder: Path) -> None:
    (folder / "s.py").write_text("import sys\nsys.excepthook = lambda t, e, b: print('hook', e)\nraise ValueError(8)")
    done = brew_run("s.py", folder=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("hook 8\n", "", 1)


def test_a_mistake_of_syntax_is_shown_where_it_is(folder: Path) -> None:
    (folder / "s.py").write_text("print 1\n")
    done = brew_run("s.py", folder=folder)
    assert done.returncode == 1 and 'File "s.py", line 1' in done.stderr and "SyntaxError" in done.stderr


def test_a_module(folder: Path) -> None:
    (folder / "mod.py").write_text("import sys, caffe\nprint(__name__, sys.argv[1:], caffe.__name__, sys.path[0])")
    for spelling in (["-m", "mod"], ["-mmod"], ["--module", "mod"]):
        done = brew_run(*spelling, "-q", "--x=1", folder=folder)
        assert done.stdout == f"__main__ ['-q', '--x=1'] brew.caffe {folder}\n", done.stderr


def test_a_prompt(folder: Path) -> None:
    done = brew_run("-i", folder=folder, stdin="import caffe\nprint('it is', caffe.__name__)\n")
    assert "it is brew.caffe" in done.stdout and done.returncode == 0
    (folder / "s.py").write_text("x = 41")
    done = brew_run("-i", "s.py", folder=folder, stdin="print('it is', x + 1)\n")
    assert "it is 42" in done.stdout and done.returncode == 0


def test_mistakes_of_the_caller(folder: Path) -> None:
    for arguments, said in (((), "nothing to run"), (("none.py",), "none.py: no such script")):
        done = brew_run(*arguments, folder=folder)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
