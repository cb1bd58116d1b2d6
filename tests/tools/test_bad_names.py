"""Names from the files of strangers: what would move a cursor, hide or reorder text reaches no terminal and no log."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.errors import InputError, Place
from brew.net.net import Net
from brew.plain_text import one_line, plain
from brew.tools.parts.log import GlogFormatter, TerminalFormatter
from brew.tools.parts.output import fitting
from brew.tools.parts.report import block
from brew.tools.parts.table import render

Run = Callable[..., Any]

EVIL = "\x1b[8mhidden\x1b]0;title\x07\x9b2J\u202egnp\u2066\u200b\ufeff\r\x00\x7f\u2028"
WRITTEN = r"\033[8mhidden\033]0;title\007\302\2332J\342\200\256gnp"  # in a prototxt
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def test_plain_leaves_letters_and_nothing_else() -> None:
    letters = "conv1 é Ω 画像\u3000\u00a0 😀\n\tend"
    assert plain(letters) == letters
    assert not UNSAFE.search(plain(EVIL + "\udcff"))
    assert plain("\x1b[8m\u202e") == "\\x1b[8m\\u202e"
    assert one_line("a\nb\tc\r") == "a\\nb\\tc\\r"


def test_what_a_stream_cannot_say_is_written_out() -> None:
    class Ascii:
        encoding = "ascii"

    assert fitting("é画", Ascii()) == "\\xe9\\u753b"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "formatter", [GlogFormatter(), TerminalFormatter(colour=True), TerminalFormatter(colour=False)]
)
def test_log_lines(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("brew", logging.INFO, "net.py", 1, "layer %s", (EVIL,), None)
    assert not UNSAFE.search(formatter.format(record))


def test_errors_with_colours_of_our_own_alone() -> None:
    error = InputError(f"no {EVIL}", place=Place(EVIL, 1, 1), hint=EVIL)
    assert not UNSAFE.search(block(error))
    assert not UNSAFE.search(re.sub(r"\x1b\[(0|1|31|33)m", "", block(error, colour=True)))
    assert "\\x1b[8m" in block(error, colour=True)


def test_an_excerpt_is_harmless_and_short(tmp_path: Path) -> None:
    line = "a" * 300_000 + EVIL.replace("\r", "").replace("\u2028", "") + "b" * 300_000
    (tmp_path / "x").write_text(line)
    for column in (1, 300_000, 300_030, 600_000):
        shown = block(InputError("no", place=Place(str(tmp_path / "x"), 1, column), hint="h"))
        assert not UNSAFE.search(shown) and len(shown) < 1500, column
    (tmp_path / "x").write_text("1234567890" * 100 + " BAD " + "1234567890" * 100)
    first, second = block(InputError("no", place=Place(str(tmp_path / "x"), 1, 1002))).splitlines()[-2:]
    assert first[second.index("^") :].startswith("BAD") and second.strip(" |") == "^^^"


def test_tables_keep_their_columns() -> None:
    lines = render(["layer", "n"], [["a\nb\x1b[8m", "1"], ["c", "2"]], right=[1])
    assert len(lines) == 4 and len({len(line) for line in lines[1:]}) == 1


NET = f"""name: "{WRITTEN}"
layer {{ name: "{WRITTEN}d" type: "DummyData" top: "{WRITTEN}" top: "t" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 dim: 4 }} }} }}
layer {{ name: "{WRITTEN}" type: "InnerProduct" bottom: "{WRITTEN}" top: "{WRITTEN}y" inner_product_param {{ num_output: 4 }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "{WRITTEN}y" bottom: "t" top: "{WRITTEN}loss" }}
"""
SOLVER = 'net: "net.prototxt" test_iter: 1 test_interval: 1 display: 1 base_lr: 0 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "s"'


VERBS: list[tuple[str, ...]] = [
    ("train", "--solver", "solver.prototxt", "--metrics", "m.jsonl", "-v"),
    ("train", "--solver", "solver.prototxt", "--set", "debug_info=true"),
    ("test", "--model", "net.prototxt", "--iterations", "1"), ("time", "--model", "net.prototxt", "--iterations", "1"),
    ("show", "net.prototxt"), ("check", "net.prototxt"), ("check", "--json", "net.prototxt"),
    ("deploy", "net.prototxt", "-"), ("deploy", "net.prototxt", "out"), ("diff", "net.prototxt", "other.prototxt"),
    ("diff", "--json", "net.prototxt", "other.prototxt"), ("upgrade", "net", "net.prototxt", "out"),
    ("show", "broken.prototxt"), ("--traceback", "show", "broken.prototxt"),
]  # fmt: skip
NAMED: list[tuple[str, ...]] = [
    ("show", EVIL.replace("\0", "")), ("train", "--solver", EVIL.replace("\0", "")),
    ("data", "check", EVIL.replace("\0", "")), (EVIL.replace("\0", ""),), ("train", "--" + EVIL.replace("\0", "")),
]  # fmt: skip


def said(verb: tuple[str, ...]) -> str:
    return " ".join(verb[:2]).encode("ascii", "ignore").decode().replace("\x1b", "")


@pytest.mark.parametrize("verb", [*VERBS, *NAMED], ids=said)
def test_no_verb_lets_them_through(verb: tuple[str, ...], brew_run: Run, folder: Path) -> None:
    Path("net.prototxt").write_text(NET)
    Path("other.prototxt").write_text(NET.replace("dim: 3", "dim: 5").replace("gnp", "png"))
    Path("solver.prototxt").write_text(SOLVER)
    Path("broken.prototxt").write_text(NET + '\nlayer { name: "x" type: "\x1b[8m\u202e" }')
    done = brew_run(*verb)
    assert not UNSAFE.search(done.out), done.out
    assert not UNSAFE.search(done.err), done.err
    assert done.code != 70
    for path in (Path("m.jsonl"), Path("out")):
        if path.exists():
            assert not UNSAFE.search(path.read_text()), path
    if path.suffix == ".jsonl":
        assert [json.loads(line) for line in path.read_text().splitlines()]


# --- a line break or a tab in a name ------------------------------------------------------------------------------------

BROKEN = r"\nINJECTED, loss = 1\tSHIFTED"  # in a prototxt
ASTRAY = re.compile(r"^([IWEF]\d{4} .*?\] )?\s*(INJECTED|SMUGGLED)|\tSHIFTED", re.MULTILINE)
BROKEN_NET = NET.replace(WRITTEN, BROKEN)
OTHERS: list[tuple[str, ...]] = [
    ("show", "--plan", "net.prototxt"), ("show", "--all", "net.prototxt"),
    ("check", "--weights", "w.caffemodel", "net.prototxt"), ("diff", "w.caffemodel", "v.caffemodel"),
    ("test", "--model", "net.prototxt", "--weights", "v.caffemodel", "--iterations", "1"),
    ("test", "--model", "net.prototxt", "--weights", "v.caffemodel", "--ignore-mismatched", "--iterations", "1"),
    ("time", "--model", "net.prototxt", "--iterations", "1", "--json"),
    ("train", "--solver", "solver.prototxt", "--weights", "v.caffemodel"),
    ("data", "check", "a\nSMUGGLED"), ("show", "a\nSMUGGLED"), ("a\nSMUGGLED",), ("show", "--phase", "a\nSMUGGLED", "net.prototxt"),
]  # fmt: skip


@pytest.mark.parametrize("verb", [*VERBS, *OTHERS], ids=said)
def test_they_make_no_line_and_no_column(verb: tuple[str, ...], brew_run: Run, folder: Path) -> None:
    Path("net.prototxt").write_text(BROKEN_NET)
    Path("other.prototxt").write_text(BROKEN_NET.replace("dim: 3", "dim: 5").replace("SHIFTED", "SHIFTED.."))
    Path("solver.prototxt").write_text(SOLVER)
    Path("broken.prototxt").write_text(BROKEN_NET + f'\nlayer {{ name: "{BROKEN}z" type: "{BROKEN}" }}')
    Net("net.prototxt").save("w.caffemodel")
    Net("other.prototxt").save("v.caffemodel")
    done = brew_run(*verb)
    assert not ASTRAY.search(done.out), done.out
    assert not ASTRAY.search(done.err), done.err
    assert done.code != 70
    for path in (Path("m.jsonl"), Path("out")):
        if path.exists():
            assert not ASTRAY.search(path.read_text()), path


MISTAKES = {
    "twice": BROKEN_NET + f'layer {{ name: "{BROKEN}" type: "ReLU" bottom: "{BROKEN}y" top: "{BROKEN}2" }}',
    "no such bottom": BROKEN_NET + f'layer {{ name: "x" type: "ReLU" bottom: "{BROKEN}0" top: "x" }}',
    "not in place": BROKEN_NET + f'layer {{ name: "x" type: "Softmax" bottom: "{BROKEN}y" top: "{BROKEN}" }}',
    "another shape": BROKEN_NET.replace("dim: 4", "dim: 7"),
    "no field": BROKEN_NET.replace("num_output: 4", f'num_output: 4 weight_filler {{ type: "{BROKEN}" }}'),
    "arity": BROKEN_NET + f'layer {{ name: "{BROKEN}3" type: "Concat" top: "{BROKEN}4" }}',
    "shared": BROKEN_NET.replace("inner_product_param", f'param {{ name: "{BROKEN}" }} param {{ name: "{BROKEN}" }} inner_product_param'),
    "file": f'layer {{ name: "{BROKEN}" type: "Data" top: "{BROKEN}" data_param {{ source: "{BROKEN}" batch_size: 1 }} }}',
    "list": f'layer {{ name: "{BROKEN}" type: "ImageData" top: "d" top: "l" image_data_param {{ source: "{BROKEN}" batch_size: 1 }} }}',
}  # fmt: skip


@pytest.mark.parametrize("verb", ["check", "show", "train"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_message_about_a_layer_or_a_blob_has_them(mistake: str, verb: str, brew_run: Run, folder: Path) -> None:
    Path("net.prototxt").write_text(MISTAKES[mistake])
    Path("solver.prototxt").write_text(SOLVER)
    options = ("--solver", "solver.prototxt") if verb == "train" else ("net.prototxt",)
    done = brew_run(verb, *options)
    assert "INJECTED" in done.out + done.err
    assert not ASTRAY.search(done.out + done.err), done.out + done.err
    assert done.code != 70
