"""Make brew_descriptor.bin and brew_pb2.pyi anew from brew.proto (for developers; protoc 29).

    python proto/regenerate.py            writes both files
    python proto/regenerate.py --check    exit 1 where the committed files are not what brew.proto gives

The compiler comes with the dependency group `schema` (grpcio-tools 1.71.2, protoc 29): the descriptor it writes is
read by every protobuf runtime from 5.29 on.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

HERE = Path(__file__).parent
OUTPUTS = ("brew_descriptor.bin", "brew_pb2.pyi")
STUB_HEAD = "# Made by regenerate.py from brew.proto.\n# ruff: noqa\n# fmt: off\n"
MISSING = "grpcio-tools is missing: `pip install --group schema`, or `uv sync --group schema`"


def has_protoc() -> bool:
    """Whether the protoc of grpcio-tools is installed."""
    return importlib.util.find_spec("grpc_tools") is not None


def generate(folder: Path) -> None:
    """Compile brew.proto into the two files of OUTPUTS in `folder`; RuntimeError when protoc refuses."""
    protoc = importlib.import_module("grpc_tools.protoc")
    whole = folder / "brew.set"
    options = [f"-I{HERE}", f"--descriptor_set_out={whole}", f"--pyi_out={folder}", "brew.proto"]
    if protoc.main(["protoc", *options]) != 0:
        raise RuntimeError(f"protoc refused {HERE / 'brew.proto'}; its message stands above")
    file = FileDescriptorSet.FromString(whole.read_bytes()).file[0]
    whole.unlink()
    lean = without_json_names(file)
    (folder / "brew_descriptor.bin").write_bytes(lean.SerializeToString(deterministic=True))
    stub = folder / "brew_pb2.pyi"
    stub.write_text(STUB_HEAD + stub.read_text("utf-8").replace("_Mapping]", "_Mapping[str, object]]"), "utf-8")


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """`file` without the JSON spelling of each field, which the runtime derives by itself."""
    waiting = list(file.message_type)
    while waiting:
        message = waiting.pop()
        waiting.extend(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")
    return file


def stale(folder: Path) -> list[str]:
    """Names of the OUTPUTS in `folder` that differ from the committed ones."""
    return [name for name in OUTPUTS if (folder / name).read_bytes() != (HERE / name).read_bytes()]


def main(arguments: list[str]) -> int:
    """Run as a script; 0 when all is well."""
    if not has_protoc():
        print(MISSING, file=sys.stderr)
        return 1
    if "--check" not in arguments:
        generate(HERE)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        old = stale(Path(folder))
    if old:
        print(f"out of date: {', '.join(old)}; run `python proto/regenerate.py`", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
