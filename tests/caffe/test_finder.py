"""`import caffe` gives Brew before anything on sys.path, and caffe_pb2 files that protobuf refuses give way."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import brew
import brew.caffe
import brew.proto.caffe_pb2
from brew.caffe import finder
from brew.errors import UsageError

# The beginning of what protoc 2 and 3 have generated, which makes descriptors that are not in the pool.
OLD = (
    "from google.protobuf import descriptor as _descriptor\n"
    "DESCRIPTOR = _descriptor.FieldDescriptor(name='x', full_name='caffe.X.x', index=0, number=1, type=1, cpp_type=1,"
    " label=1, has_default_value=False, default_value=0, message_type=None, enum_type=None, containing_type=None,"
    " is_extension=False, extension_scope=None)\n"
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`caffe` is Brew; a folder that stands first on sys.path, with a caffe of another kind in it."""
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / "__init__.py").write_text("raise ImportError('the wrong caffe')")
    before = {name for name in sys.modules}
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.syspath_prepend(str(tmp_path))
    brew.install_as_caffe()
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("caffe") or name.endswith("caffe_pb2") or "model_libs" in name:
            del sys.modules[name]


def test_it_is_the_very_same_module(installed: Path) -> None:
    caffe = importlib.import_module("caffe")
    assert caffe is brew.caffe
    assert importlib.import_module("caffe._caffe") is importlib.import_module("brew.caffe._caffe")
    assert importlib.import_module("caffe.pycaffe").Net is caffe.Net
    assert importlib.import_module("caffe.proto.caffe_pb2") is brew.proto.caffe_pb2
    assert caffe.proto.caffe_pb2 is brew.proto.caffe_pb2
    assert importlib.import_module("caffe_pb2") is brew.proto.caffe_pb2
    assert importlib.reload(caffe) is caffe
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("caffe.nothing")


def test_installing_twice_is_installing_once(installed: Path) -> None:
    length = len(sys.meta_path)
    brew.install_as_caffe()
    assert len(sys.meta_path) == length


def test_another_caffe_that_is_imported_already_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "caffe.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    other = importlib.import_module("caffe")
    try:
        with pytest.raises(UsageError, match=r"another caffe has been imported, from .*caffe\.py"):
            brew.install_as_caffe()
        assert importlib.import_module("caffe") is other
    finally:
        del sys.modules["caffe"]


def test_a_module_that_only_a_fork_has_is_taken_from_there(installed: Path) -> None:
    (installed / "caffe" / "model_libs.py").write_text(
        "from .proto import caffe_pb2\nfrom caffe import TEST\nX = TEST\n"
    )
    from brew.caffe import Net

    libs = importlib.import_module("caffe.model_libs")
    assert libs.X == 1 and libs.caffe_pb2 is brew.proto.caffe_pb2
    assert importlib.import_module("caffe").model_libs is libs
    (installed / "caffe" / "net.py").write_text("raise ImportError('not this one')")
    assert importlib.import_module("caffe.net").Net is Net


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (OLD, "Descriptors cannot be created directly"),
        ("from google.protobuf import gone", "cannot import name 'gone'"),
    ],
)
def test_a_generated_file_that_protobuf_refuses_gives_way(
    text: str, reason: str, installed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (installed / "tool").mkdir()
    (installed / "tool" / "__init__.py").write_text("from . import caffe_pb2")
    (installed / "tool" / "caffe_pb2.py").write_text(text)
    with caplog.at_level(logging.WARNING, "brew"):
        tool = importlib.import_module("tool")
        importlib.import_module("tool.caffe_pb2")
    del sys.modules["tool"]
    assert tool.caffe_pb2 is brew.proto.caffe_pb2
    [record] = caplog.records
    assert f"tool/caffe_pb2.py: protobuf refuses it ({reason}" in record.message and "Brew's messages" in record.message


def test_one_that_works_stays(installed: Path) -> None:
    (installed / "own").mkdir()
    (installed / "own" / "caffe_pb2.py").write_text("MINE = 1")
    assert importlib.import_module("own.caffe_pb2").MINE == 1
    del sys.modules["own"]


def test_nothing_changes_where_it_is_not_installed() -> None:
    spec = importlib.util.find_spec("caffe")  # this folder, in a run of the tests
    assert spec is None or not isinstance(spec.loader, finder._Alias)
    assert finder._Finder not in sys.meta_path
