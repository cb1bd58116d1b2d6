"""The hints of the public face, as a type checker sees them."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import brew

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("layers", "solvers", "proto", "tools", "model_zoo")


def checked(text: str, folder: Path) -> str:
    """mypy's words on `text`, over the package as the wheel lays it out."""
    package = folder / "brew"
    if not package.exists():
        shutil.copytree(ROOT / "brew", package)
        for room in ROOMS:
            shutil.copytree(ROOT / room, package / room)
    (folder / "hints.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--follow-imports",
        "silent",
    ]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), "hints.py"],
        cwd=folder, env={"PATH": "", "MYPYPATH": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.mypy
def test_hints_are_what_a_program_relies_on(tmp_path: Path) -> None:
    text = Path(__file__).with_name("hints.py").read_text()
    assert checked(text, tmp_path) == "Success: no issues found in 1 source file\n"
    wrong = text.replace("assert_type(one.label, str)", "assert_type(one.label, int)")
    assert 'Expression is of type "str", not "int"' in checked(wrong, tmp_path)


def test_the_package_is_typed_and_its_names_are_all_there_for_a_type_checker() -> None:
    assert (ROOT / "brew" / "py.typed").is_file()
    tree = ast.parse((ROOT / "brew" / "__init__.py").read_text())
    typed = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for line in ast.walk(node)
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert typed | {"TRAIN", "TEST"} == set(brew.__all__)
    assert all(hasattr(brew, name) for name in brew.__all__)
