r"""Paths with escapes in them, such as "run\new", are errors where they stand; every text of the schema is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from brew import prototxt
from brew.errors import PrototxtError
from brew.proto import brew_pb2
from brew.proto.brew_pb2 import LayerParameter, NetParameter, SolverParameter
from brew.prototxt.paths import PATHS

# Texts that are no paths. A new field of the schema belongs here or in PATHS.
OTHERS = {
    "type", "name", "input", "engine", "stage", "not_stage", "bottom", "top", "lr_policy", "regularization_type",
    "larc_policy", "best", "max_time", "max_memory", "weights_sha256", "brew_version", "average_sha256", "layer", "dtype",
    "value", "crop_mode", "det_crop_mode", "module", "param_str", "param", "solver_type", "draws_with",
    "test_metrics", "display_name",
}  # fmt: skip


def texts() -> dict[str, list[str]]:
    """The messages that have a field of text, by the field's name."""
    found: dict[str, list[str]] = {}
    for message in brew_pb2.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            if field.type == FieldDescriptor.TYPE_STRING:
                found.setdefault(field.name, []).append(message.name)
    return found


def test_every_text_is_a_path_or_is_none() -> None:
    assert set(texts()) <= PATHS | OTHERS
    assert set(texts()) >= PATHS
    assert not PATHS & OTHERS


@pytest.mark.parametrize(
    ("message", "field"), [(message, field) for field in sorted(PATHS) for message in texts()[field]]
)
def test_every_path_with_a_control_character(message: str, field: str) -> None:
    kind = getattr(brew_pb2, message)
    for escape, shown in ((r"run\new", r"\n"), (r"a\tb", r"\t"), (r"a\rb", r"\r"), (r"a\033b", r"\033")):
        with pytest.raises(PrototxtError) as caught:
            prototxt.parse(f'{field}: "{escape}"', kind)
        assert f"{message}.{field} has a character that no path should have, {shown} (code" in str(caught.value)
        assert (caught.value.place and caught.value.place.line) == 1
        assert escape.replace("\\", "/") in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["run/new", r"run\\new", "a b", "données/été", "数据", "C:/data/new"])
def test_paths_that_are_right(text: str) -> None:
    parsed = prototxt.parse(f'snapshot_prefix: "{text}"', SolverParameter).message
    assert parsed.snapshot_prefix == text.replace("\\\\", "\\")


def test_other_texts_may_have_them() -> None:
    param = prototxt.parse(r'python_param { param_str: "a:\n  1" }', LayerParameter).message
    assert param.python_param.param_str == "a:\n  1"


def test_a_check_finds_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text('layer { data_param { source: "a\\new" }\n  transform_param { mean_file: "b\\tmp" } }')
    problems: list[PrototxtError] = []
    prototxt.read(path, NetParameter, problems)
    assert [problem.place and problem.place.line for problem in problems] == [1, 2]
