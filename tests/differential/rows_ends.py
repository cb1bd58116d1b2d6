"""Rows of the types that end a branch, and of those that begin one."""

from __future__ import annotations

from collections.abc import Callable

from .builder import Builder
from .case import Value
from .rows import Row, axes, filler

WEIGHTS = ("", "", "loss_weight: 0.5", "loss_weight: 2", "loss_weight: 0")


def _labelled(kind: str, message: str = "") -> Row:
    """A loss or a score over classes along axis 1."""

    def build(b: Builder, x: int) -> list[int]:
        v = b.value(x)
        label = b.labels((v.shape[0], *v.shape[2:]), v.shape[1])
        text = message
        tops = 1
        if kind in ("SoftmaxWithLoss", "InfogainLoss", "MultinomialLogisticLoss", "HingeLoss"):
            text += b.pick(*WEIGHTS)
        if kind in ("SoftmaxWithLoss", "InfogainLoss"):
            mode = b.pick("VALID", "FULL", "BATCH_SIZE", "NONE")
            ignored = f"ignore_label: {b.rng.randrange(v.shape[1])}" if b.chance(0.2) else ""
            text += f" loss_param {{ normalization: {mode} {ignored} }}"
        if kind == "SoftmaxWithLoss" and "loss_weight" not in text and b.chance(0.25):
            tops = 2
        if kind == "Accuracy":
            tops = b.pick(1, 1, 2)
            text += f" accuracy_param {{ top_k: {b.rng.randint(1, min(2, v.shape[1]))} }}"
        if kind == "HingeLoss":
            text += f" hinge_loss_param {{ norm: {b.pick('L1', 'L2')} }}"
        bottoms = [x, label]
        if kind == "InfogainLoss":
            bottoms.append(b.input((1, 1, v.shape[1], v.shape[1]), low=0.1))
        return b.add(kind, bottoms, text, tops=tops, most=5, smooth=kind != "Accuracy")

    whole = kind in ("HingeLoss", "MultinomialLogisticLoss")
    return Row(build, lambda v: _scores(v, whole))


def _scores(v: Value, whole: bool) -> bool:
    """Whether a value can be scores of classes: of whole items alone, where labels are one for each."""
    flat = len(v.shape) == 2 or (len(v.shape) > 2 and v.count == v.shape[0] * v.shape[1])
    return len(v.shape) >= 2 and (flat or not whole) and v.shape[1] > 1 and v.most <= 30 and not v.classes


def _multinomial(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    return b.add("MultinomialLogisticLoss", [x, b.labels(v.shape[:1], v.shape[1])], b.pick(*WEIGHTS), most=5)


def _hinge(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    text = f"{b.pick(*WEIGHTS)} hinge_loss_param {{ norm: {b.pick('L1', 'L2')} }}"
    return b.add("HingeLoss", [x, b.labels(v.shape[:1], v.shape[1])], text, most=5)


def _euclidean(b: Builder, x: int) -> list[int]:
    return b.add("EuclideanLoss", [x, b.like(x)], b.pick(*WEIGHTS), most=b.value(x).most ** 2)


def _contrastive(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    like = b.labels(v.shape[:1], 2)
    text = f"contrastive_loss_param {{ margin: {b.pick(1, 3)} legacy_version: {str(b.chance(0.3)).lower()} }}"
    return b.add("ContrastiveLoss", [x, b.like(x, fresh=True), like], text, most=5)


def _cross_entropy(b: Builder, x: int) -> list[int]:
    target = b.input(b.value(x).shape, classes=2)
    return b.add("SigmoidCrossEntropyLoss", [x, target], b.pick(*WEIGHTS), most=5)


def _silence(b: Builder, x: int) -> list[int]:
    return b.add("Silence", [x], tops=0)


def _hdf5_output(b: Builder, x: int) -> list[int]:
    label = b.labels(b.value(x).shape[:1], 3)
    return b.add("HDF5Output", [x, label], f'hdf5_output_param {{ file_name: "out_{len(b.case.ops)}.h5" }}', tops=0)


def _weighed(b: Builder, x: int) -> list[int]:
    """No loss, but counted as one: its elements."""
    kind = b.pick("Reduction", "Power", "InnerProduct")
    inner = f"inner_product_param {{ num_output: 1 weight_filler {{ {filler(b, 'small')} }} }}"
    text = {
        "Reduction": "reduction_param { operation: MEAN }",
        "Power": "power_param { scale: 0.2 }",
        "InnerProduct": inner,
    }
    return b.add(kind, [x], f"loss_weight: {b.pick(1, 0.5)} {text[kind]}", most=b.value(x).most)


ENDS: dict[str, Row] = {
    "Accuracy": _labelled("Accuracy"),
    "ContrastiveLoss": Row(_contrastive, lambda v: _scores(v, True)),
    "EuclideanLoss": Row(_euclidean, axes(1, limit=15)),
    "HDF5Output": Row(_hdf5_output, axes(1)),
    "HingeLoss": Row(_hinge, lambda v: _scores(v, True)),
    "InfogainLoss": _labelled("InfogainLoss"),
    "MultinomialLogisticLoss": Row(_multinomial, lambda v: _scores(v, True) and v.low is not None and v.low > 0),
    "SigmoidCrossEntropyLoss": Row(_cross_entropy, axes(1, limit=15)),
    "Silence": Row(_silence),
    "SoftmaxWithLoss": _labelled("SoftmaxWithLoss"),
}
LOSSES = {
    "SoftmaxWithLoss",
    "EuclideanLoss",
    "SigmoidCrossEntropyLoss",
    "HingeLoss",
    "InfogainLoss",
    "ContrastiveLoss",
    "MultinomialLogisticLoss",
}
WEIGHED = Row(_weighed, axes(2, limit=10))


# --- what reads nothing -----------------------------------------------------------------------------------------------


def _dummy(b: Builder, shape: tuple[int, ...]) -> list[int]:
    dims = " ".join(f"dim: {n}" for n in shape)
    # 0.75: a BatchNorm of such values has nothing but what float32 rounds of their sum
    kind = b.pick('type: "constant" value: 0.75', 'type: "gaussian" std: 1', 'type: "uniform" min: -1 max: 1')
    return b.add("DummyData", [], f"dummy_data_param {{ shape {{ {dims} }} data_filler {{ {kind} }} }}", most=2)


def _parameter(b: Builder, shape: tuple[int, ...]) -> list[int]:
    return b.add("Parameter", [], "parameter_param { shape { " + " ".join(f"dim: {n}" for n in shape) + " } }", most=1)


def _from_files(kind: str) -> Callable[[Builder, tuple[int, ...]], list[int]]:
    def build(b: Builder, shape: tuple[int, ...]) -> list[int]:
        batch, mirror = shape[0], str(b.chance(0.5)).lower()
        transform = f"transform_param {{ mirror: {mirror} scale: 0.01 mean_value: 100 crop_size: {b.pick(4, 5)} }}"
        text = {
            "Data": f'data_param {{ source: "some_lmdb" batch_size: {batch} backend: LMDB }} {transform}',
            "HDF5Data": f'hdf5_data_param {{ source: "some_files.txt" batch_size: {batch} }}',
            "ImageData": f'image_data_param {{ source: "some_list.txt" batch_size: {batch} }} {transform}',
            "WindowData": f'window_data_param {{ source: "some_windows.txt" batch_size: {batch} }} {transform}',
        }[kind]
        return b.add(kind, [], text, tops=2, most=2, smooth=[True, False])

    return build


def _memory(b: Builder, shape: tuple[int, ...]) -> list[int]:
    n, c, h, w = [*shape, 1, 1, 1][:4]
    return b.add(
        "MemoryData",
        [],
        f"memory_data_param {{ batch_size: {n} channels: {c} height: {h} width: {w} }}",
        tops=2,
        most=2,
    )


SOURCES = {
    "DummyData": _dummy,
    "MemoryData": _memory,
    "Parameter": _parameter,
    **{kind: _from_files(kind) for kind in ("Data", "HDF5Data", "ImageData", "WindowData")},
}
