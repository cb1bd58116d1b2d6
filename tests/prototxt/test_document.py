"""Reading prototxt: what Caffe reads, what it refuses, where, and with which advice."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path

import pytest
from google.protobuf import text_format

from brew.errors import InputError, Place, PrototxtError
from brew.proto.brew_pb2 import TRAIN, BlobProto, LayerParameter, NetParameter, PoolingParameter, SolverParameter
from brew.prototxt import LARGEST_FILE, Document, override, parse, read, to_text

DATA = Path(__file__).parents[1] / "fixtures"

NET = """\
name: "tiny"  # a comment
layer {
  name: "data" type: "DummyData", top: 'data';
  dummy_data_param { shape: { dim: [2, 0x3] dim: 010 } }
}
layer: <
  name: "con" "v"
  type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2. decay_mult: -.5e-1f }
  include [ { phase: TRAIN }, { phase: 1 } ]
  convolution_param { num_output: 4 kernel_size: 3 kernel_size: 5 bias_term: t }
>
"""


def test_the_language_of_caffe() -> None:
    net = parse(NET, NetParameter).message
    assert net == text_format.Parse(NET, NetParameter())
    assert list(net.layer[0].dummy_data_param.shape[0].dim) == [2, 3, 8]
    assert net.layer[1].name == "conv"
    assert net.layer[1].param[1].decay_mult == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("name",), (1, 1)),
        (("layer", 1), (6, 1)),
        (("layer", 1, "param", 1, "decay_mult"), (9, 44)),
        (("layer", 1, "include", 1), (10, 31)),
        (("layer", 1, "include", 1, "phase"), (10, 33)),
        (("layer", 0, "dummy_data_param", "shape", 0, "dim", 2), (4, 45)),
        (("layer", 1, "convolution_param", "kernel_size", 1), (11, 52)),
        (("layer", 1, "convolution_param", "stride"), (11, 3)),
        (("layer", 7, "name"), (0, 0)),
        ((), (0, 0)),
    ],
)
def test_every_field_has_its_place(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert parse(NET, NetParameter, "net.prototxt").place(*path) == Place("net.prototxt", *place)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("layer {\n  num_ouput: 5 }", 2, 3, 'LayerParameter has no field "num_ouput"'),
        ('layer { type: "Convolution"\n num_output: 5 }', 2, 2, "inside convolution_param { }"),
        ("layer { convolution_param { kernal_size: 5 } }", 1, 29, 'did you mean "kernel_size"'),
        ('layer { pooling_param { pool: MAX\n top: "x" }', 2, 2, 'is a "}" missing before it'),
        ('layer { name: "a"\nlayer { name: "b" }', 2, 1, 'is a "}" missing before it'),
        ("base_lr: 0.1", 1, 1, "this looks like a solver file"),
        ("layer { pooling_param { pool: MAXX } }", 1, 31, "one of MAX, AVE, STOCHASTIC, not MAXX"),
        ("layer { pooling_param { pool: ave } }", 1, 31, 'did you mean "AVE"'),
        ('layer { name: "a type: "ReLU" }', 1, 25, 'is a quote missing in "a type: "?'),
        ('layers { name: "a" type: "ReLU" }', 1, 26, 'with type: "ReLU" write "layer"'),
        ('layer { pooling_param { pool: "AVE" } }', 1, 31, "without quotes"),
        ("layer { pooling_param { pool: 3 } }", 1, 31, "one of MAX, AVE, STOCHASTIC, not 3"),
        ("layer { convolution_param { num_output: 12x } }", 1, 41, "whole number, 0 or more, not 12x"),
        ("layer { convolution_param { num_output: -1 } }", 1, 41, "from 0 to 4294967295, not -1"),
        ("layer { convolution_param { axis: 99999999999 } }", 1, 35, "from -2147483648 to 2147483647"),
        ("layer { convolution_param { pad: " + "9" * 5000 + " } }", 1, 34, "from 0 to 4294967295"),
        ("layer { power_param { scale: nan } }", 1, 30, "must be finite, not nan"),
        ("layer { power_param { scale: -inf } }", 1, 30, "must be finite, not -inf"),
        ("layer { power_param { scale: 1e39 } }", 1, 30, "PowerParameter.scale"),
        ("layer { power_param { scale: 01 } }", 1, 30, "octal"),
        ("name: tiny", 1, 7, "must be a string in quotes, not tiny"),
        ("force_backward: 2", 1, 17, "must be true or false, not 2"),
        ("layer: 5", 1, 8, "must be a message: layer { ... }, not 5"),
        ('name "x"', 1, 6, 'expected ":" after "name"'),
        ('name = "x"', 1, 6, "a value follows a colon"),
        ('name: "a"\nname: "b"', 2, 1, "given twice; the first stands at t.prototxt:1:1"),
        ('layer {\n  name: "a"\n\n', 1, 7, "never closed; the file ends at line 4"),
        ("layer { > ", 1, 9, 'not ">"'),
        ("}", 1, 1, "closes nothing"),
        ("input_dim: [1, 2", 1, 17, "the end of the file"),
        ("input_dim: [1,]", 1, 15, "whole number"),
        ("input_dim: 1,;", 1, 14, 'not ";"'),
        ("name:", 1, 6, "not the end of the file"),
        ("// a comment", 1, 1, "comments start with #"),
        ('name: "a\n"', 1, 7, "no closing quote"),
        ('name: "\\q"', 1, 7, "unknown escape"),
        ('name: "\\xff"', 1, 7, "not UTF-8"),
        ("\n  \x00", 2, 3, "U+0000"),
        ("\u00a0", 1, 1, "U+00A0"),
        ("layer { clip_param { min: 0 } }", 1, 9, 'needs a value for "max"'),
        ("layer { " * 100_000, 1, 9, 'no field "layer"'),
        ("[" * 100_000, 1, 1, 'not "["'),
    ],
)
def test_a_mistake_has_its_place_and_advice(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        parse(text, NetParameter, "t.prototxt")
    assert caught.value.place == Place("t.prototxt", line, column)
    assert said in str(caught.value)


def test_numbers_somebody_computed_may_be_anything() -> None:
    assert math.isnan(parse("data: nan data: inf", BlobProto).message.data[0])
    assert parse("clip_param { min: -inf max: infinity }", LayerParameter).message.clip_param.max == math.inf


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("net.caffemodel", b"\x0a\x05LeNet\xa2\x06\x10\x00\x00\x01\x02", "binary file of 14 bytes"),
        ("net.prototxt", b"<!DOCTYPE html><html>", "an HTML page"),
        ("net.prototxt", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("net.prototxt", b"\x1f\x8b\x08\x00", "a gzip file"),
        ("net.prototxt", b'name: "a"\nlayer { name: "\xe9" }', "net.prototxt:2:16: byte 0xe9 is not UTF-8"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, name: str, raw: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(PrototxtError, match=said):
        read(tmp_path / name, NetParameter)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "solver.prototxt").write_bytes(b"")
    with pytest.raises(InputError, match="did you mean"):
        read(tmp_path / "slover.prototxt", SolverParameter)
    with pytest.raises(InputError, match="folder"):
        read(tmp_path, SolverParameter)
    with pytest.raises(InputError, match="empty"):
        read("", SolverParameter)
    with pytest.raises(InputError, match="cannot be read"):
        read("a\0b", SolverParameter)


def test_a_file_beyond_the_limit_is_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    with file.open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    with pytest.raises(PrototxtError, match="up to 64 MiB"):
        read(file, NetParameter)


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_bytes(b'\xef\xbb\xbfname: "a"\r\n\r\nforce_backward: true\r\n')
    document: Document[NetParameter] = read(file, NetParameter)
    assert document.message == NetParameter(name="a", force_backward=True)
    assert document.place("force_backward") == Place(str(file), 3, 1)


FILES = [path for path in sorted(DATA.glob("**/*.prototxt")) if "faults" not in path.parts]  # those have mistakes


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_agrees_with_protobuf(file: Path) -> None:
    kind = SolverParameter if "solver" in file.name else NetParameter
    expected = text_format.Parse(file.read_text(), kind())
    assert read(file, kind).message == expected
    assert parse(to_text(expected), kind).message == expected


def test_mutated_text_is_read_or_refused() -> None:
    """Nothing but PrototxtError ever comes out, and what is read protobuf reads to the same message."""
    rng = random.Random(1701)
    alphabet = "{}<>[]:,;\"'\\#\n 019.-+exfAz_/\0é"
    octal_enum = re.compile(r"phase:\s*0[0-9]")  # which C++ reads as Brew does, Python not at all
    read_too = 0
    for _ in range(1500):
        text = list(NET)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text[at : at + rng.randint(0, 2)] = rng.choice(alphabet)
        try:
            net = parse("".join(text), NetParameter).message
        except PrototxtError as error:
            assert error.place
            assert error.place.line
        else:
            if not octal_enum.search("".join(text)):
                assert net == text_format.Parse("".join(text), NetParameter())
            read_too += 1
    assert read_too > 50


def test_escapes_agree_with_protobuf() -> None:
    text = r'name: "\a\b\f\n\r\t\v\\\'\"\101\x41\x4é\7"'
    assert parse(text, NetParameter).message == text_format.Parse(text, NetParameter())
    assert parse(r'name: "\u00e9\U0001F600"', NetParameter).message.name == "é\U0001f600"


def test_text_is_short_and_in_caffes_order() -> None:
    layer = LayerParameter(top=["b"], bottom=["a"], type="Pooling", name="p")
    layer.pooling_param.pool = PoolingParameter.AVE
    layer.param.add().lr_mult = 0.01
    lines = to_text(layer).split()
    assert lines[::2][:4] == ["name:", "type:", "bottom:", "top:"]
    assert "0.01" in lines
    assert "AVE" in lines


def test_settings() -> None:
    solver = SolverParameter(stepvalue=[9], base_lr=1.0, test_net=["old"])
    settings = ("base_lr=0.01", "stepvalue=10,20", "snapshot_prefix=out/a b", "net_param.name='n'", "solver_mode=CPU")
    for setting in (*settings, "train_state.phase=TRAIN", "test_net=new", 'train_state.stage=["x", "y"]'):
        override(solver, setting)
    assert solver.base_lr == pytest.approx(0.01)
    assert list(solver.stepvalue) == [10, 20]
    assert (solver.snapshot_prefix, solver.net_param.name) == ("out/a b", "n")
    assert (solver.train_state.phase, list(solver.train_state.stage)) == (TRAIN, ["x", "y"])
    assert list(solver.test_net) == ["new"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("base_rl=1", 'did you mean "base_lr"'),
        ("base_lr", "field=value"),
        ("max_iter=1e3", "whole number"),
        ("max_iter=5 base_lr: 3", "one field"),
        ("test_iter.x=1", "cannot go through"),
        ("net_param.nam=x", 'did you mean "name"'),
        ("solver_mode=TPU", "one of CPU, GPU"),
    ],
)
def test_a_wrong_setting_changes_nothing(setting: str, said: str) -> None:
    solver = SolverParameter(base_lr=1.0)
    with pytest.raises(PrototxtError) as caught:
        override(solver, setting)
    assert caught.value.place == Place(f"--set {setting}")
    assert said in str(caught.value)
    assert solver == SolverParameter(base_lr=1.0)


@pytest.mark.parametrize(("word", "mode"), [("true", PoolingParameter.CEIL), ("0", PoolingParameter.FLOOR)])
def test_a_forks_word_for_a_field_of_caffes(word: str, mode: int) -> None:
    net = parse(f"layer {{\n pooling_param {{ pad: 1 ceil_mode: {word} }} }}", NetParameter)
    pooling = net.message.layer[0].pooling_param
    assert pooling.HasField("round_mode") and pooling.round_mode == mode
    assert net.place("layer", 0, "pooling_param", "round_mode") == Place("<string>", 2, 25)
    assert net.foreign == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("ceil_mode: CEIL", "PoolingParameter.ceil_mode must be true or false, not CEIL"),
        ("ceil_mode { }", 'expected ":" after "ceil_mode"'),
        ("round_mode: CEIL ceil_mode: true", "ceil_mode, which is round_mode, is given twice; the first stands at"),
        ("ceil_mode: true round_mode: CEIL", "round_mode is given twice; the first stands at"),
        ("ceil_mode: true ceil_mode: true", "is given twice"),
    ],
)
def test_a_forks_word_is_checked_as_any_other(fields: str, says: str) -> None:
    with pytest.raises(PrototxtError, match=re.escape(says)):
        parse(f"layer {{ pooling_param {{ {fields} }} }}", NetParameter)


@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "shift-jis", "euc-kr", "cp1251", "utf-8-sig", "utf-8"])
def test_comments_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    words = {"latin-1": "café", "gbk": "这是注释表", "shift-jis": "これは表", "euc-kr": "주석", "cp1251": "слой"}
    word = words.get(encoding, "café 这是")
    text = f'# {word}\nname: "a" # {word}\nlayer {{ # {word}\n  name: "b" }}# {word}'
    (tmp_path / "net.prototxt").write_bytes(text.encode(encoding))
    net = read(tmp_path / "net.prototxt", NetParameter)
    assert net.message == parse('name: "a" layer { name: "b" }', NetParameter).message
    assert net.place("layer", 0, "name").line == 4


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b'name: "a"\nlayer { name: "\xe9" } # \xe9', "2:16: byte 0xe9"),
        (b"# \xe9\nname: '\xc0'", "2:8: byte 0xc0"),
        (b"# \xe9\nname: \xff", "2:7: byte 0xff"),
        (b"# \xe9\nlayers { \xa0 }", "2:10: byte 0xa0"),
    ],
)
def test_other_bytes_outside_of_comments(tmp_path: Path, raw: bytes, where: str) -> None:
    (tmp_path / "n").write_bytes(raw)
    with pytest.raises(PrototxtError, match=f":{where} is not UTF-8 text") as caught:
        read(tmp_path / "n", NetParameter)
    assert caught.value.hint == "save the file as UTF-8"
