"""The schema: every field and enum of Caffe's, unchanged; and the classes made from it."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from brew.proto import brew_pb2, caffe_pb2, regenerate

FACTS = Path(__file__).parents[1] / "fixtures" / "facts"
PROTO = Path(regenerate.__file__).with_name("brew.proto")
LABELS = {1: "optional", 2: "required", 3: "repeated"}
OURS = {"SourceState", "NamedChoice", "CarriedState", "ResumeState"}
# Of records with boxes; their bytes are held in tests/datasets/test_annotated.py.
SSDS = {"AnnotatedDatum", "AnnotationGroup", "Annotation", "NormalizedBBox", "LabelMap", "LabelMapItem"}
# Fields that forks add to Caffe's messages, under their own numbers.
FORKS = {
    "resize_param": 8, "noise_param": 9, "emit_constraint": 10, "crop_h": 11, "crop_w": 12, "distort_param": 13,
    "expand_param": 14, "random_resize_param": 15, "random_aspect_ratio_param": 16,
}  # fmt: skip
OUR_ENUMS = {
    "TransformationParameter.InterpolationAlgo",
    "SolverParameter.BestMode",
    "SolverParameter.OnNan",
    "SolverParameter.Choose",
}

# message, field, number, type, label, default, options
Row = tuple[str, str, int, str, str, str, str]


def committed() -> FileDescriptorProto:
    return FileDescriptorProto.FromString(PROTO.with_name("brew_descriptor.bin").read_bytes())


def ours() -> set[str]:
    """Messages that Caffe has not: OURS, those of SSD, and those of layers that Caffe lacks."""
    [layer] = [message for message in committed().message_type if message.name == "LayerParameter"]
    [transform] = [message for message in committed().message_type if message.name == "TransformationParameter"]
    added = {type_name(f) for f in layer.field if f.number >= 10000 and f.type_name}
    added |= {type_name(f) for f in transform.field if f.type_name} - {"TransformationParameter.InterpolationAlgo"}
    return OURS | SSDS | added | {"SaltPepperParameter"}


def type_name(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return field.type_name.removeprefix(".brew.")
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def plain(default: str, type: str) -> str:
    """A default in one spelling: numbers as Python has them."""
    return str(float(default)) if default and type in ("float", "double") else default


def described() -> dict[tuple[str, str], Row]:
    """The fields of the committed descriptor."""
    rows = {}
    for message in committed().message_type:
        for f in message.field:
            kind = type_name(f)
            options = "packed" if f.options.packed else ""
            default = plain(f.default_value, kind)
            rows[message.name, f.name] = (message.name, f.name, f.number, kind, LABELS[f.label], default, options)
    return rows


def facts() -> Iterator[Row]:
    for line in (FACTS / "caffe_fields.tsv").read_text().splitlines()[1:]:
        message, field, number, kind, label, default, options = (line.split("\t") + [""] * 3)[:7]
        yield message, field, int(number), kind, label, plain(default, kind), options


def test_every_field_of_caffes_is_there_unchanged() -> None:
    found = described()
    rows = list(facts())
    assert len(rows) == 423
    assert [found.get((row[0], row[1])) for row in rows] == rows


def test_whatever_else_is_there_is_numbered_from_10000() -> None:
    known = {row[:2] for row in facts()}
    own = {key: row for key, row in described().items() if key not in known and key[0] not in ours()}
    assert {key[0] for key in own} == {
        "NetParameter", "LayerParameter", "SolverState", "SolverParameter", "DataParameter", "ImageDataParameter",
        "TransformationParameter",
    }  # fmt: skip
    assert {row[1]: row[2] for row in own.values() if row[2] < 10000} == FORKS
    assert {message.name for message in committed().message_type} == ours() | {row[0] for row in facts()}


def nested_enums(messages: list[DescriptorProto]) -> dict[str, str]:
    return {
        f"{message.name}.{enum.name}": " ".join(f"{v.name}={v.number}" for v in enum.value)
        for message in messages
        for enum in message.enum_type
    }


def test_every_enum_of_caffes_is_there_unchanged() -> None:
    file = committed()
    found = nested_enums(list(file.message_type))
    found |= {e.name: " ".join(f"{v.name}={v.number}" for v in e.value) for e in file.enum_type}
    expected = dict(line.split("\t") for line in (FACTS / "caffe_enums.tsv").read_text().splitlines()[1:])
    theirs = {name: re.sub(r" \w+=10\d{3}", "", values) for name, values in found.items()
              if name not in OUR_ENUMS and name.partition(".")[0] not in ours()}  # fmt: skip
    assert theirs == expected


def test_the_descriptor_says_what_the_text_says() -> None:
    """Without protoc: every field line of brew.proto against the committed descriptor, one to one."""
    text = re.sub(r"//[^\n]*", "", PROTO.read_text("utf-8"))
    field = re.compile(
        r"(optional|required|repeated)\s+([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*"
        r"(?:\[\s*(?:default\s*=\s*(?:\"(\w*)\"|([\w.+-]+))|(packed)\s*=\s*true)\s*\])?\s*;"
    )
    written = {}
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        for label, kind, title, number, word, value, packed in field.findall(body):
            default = plain(word or value, kind)
            written[name, title] = (name, title, int(number), kind.split(".")[-1], label, default, packed)
    found = {key: (*row[:3], row[3].split(".")[-1], *row[4:]) for key, row in described().items()}
    assert written == found
    assert len(re.findall(r"=\s*\d+\s*[\[;]", text)) == len(found) + sum(
        values.count("=") for values in nested_enums(list(committed().message_type)).values()
    ) + len(brew_pb2.Phase.keys())


if regenerate.has_protoc():  # the dependency group `schema`; the lint job of CI has it

    def test_the_committed_files_are_what_protoc_makes(tmp_path: Path) -> None:
        regenerate.generate(tmp_path)
        assert regenerate.stale(tmp_path) == []

else:

    def test_without_protoc_regenerating_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
        assert regenerate.main([]) == 1
        assert "--group schema" in capsys.readouterr().err


def test_stale_files_are_found(tmp_path: Path) -> None:
    for name in regenerate.OUTPUTS:
        (tmp_path / name).write_bytes(PROTO.with_name(name).read_bytes())
    assert regenerate.stale(tmp_path) == []
    (tmp_path / "brew_descriptor.bin").write_bytes(b"")
    assert regenerate.stale(tmp_path) == ["brew_descriptor.bin"]


def test_the_module_offers_what_protoc_would() -> None:
    assert (brew_pb2.TRAIN, brew_pb2.TEST, brew_pb2.Phase.Name(1)) == (0, 1, "TEST")
    assert brew_pb2.PoolingParameter.AVE == brew_pb2.PoolingParameter.PoolMethod.Value("AVE") == 1
    assert brew_pb2.DESCRIPTOR.package == "brew"
    assert set(dir(caffe_pb2)) >= {"NetParameter", "SolverParameter", "Phase", "TRAIN", "TEST"}
    assert caffe_pb2.NetParameter is brew_pb2.NetParameter
    assert caffe_pb2.TEST == 1


def test_the_stub_names_every_message() -> None:
    classes = set(re.findall(r"^class (\w+)\(", PROTO.with_name("brew_pb2.pyi").read_text(), re.MULTILINE))
    assert classes == {*brew_pb2.DESCRIPTOR.message_types_by_name, "Phase"}


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_messages_are_copied_and_pickled(clone: object) -> None:
    net = brew_pb2.NetParameter(name="n", state=brew_pb2.NetState(phase=brew_pb2.TRAIN))
    net.layer.add(name="p").pooling_param.pool = brew_pb2.PoolingParameter.AVE
    for message in (net, net.layer[0], brew_pb2.SolverState()):
        assert callable(clone)
        other = clone(message)
        assert type(other) is type(message)
        assert other == message
        assert other is not message


def test_another_schema_of_the_same_name_does_not_clash() -> None:
    """Two schemas of package brew in protobuf's common pool would be refused; ours is not in it."""
    from google.protobuf import descriptor_pool

    other = FileDescriptorProto(name="elsewhere/brew.proto", package="brew")
    other.message_type.add(name="BlobProto")
    descriptor_pool.Default().AddSerializedFile(other.SerializeToString())
    assert brew_pb2.BlobProto(num=1).num == 1
