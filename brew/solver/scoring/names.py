"""The metrics by name: what each is of, and which of them a list on the command line asks for.

Names are stable: they stand in metrics.jsonl, in TensorBoard and in logs. docs/pictures.md has every definition.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from brew.errors import UsageError, did_you_mean

from .heads import CLASSES, LABELS, VALUES, Head

# By name: the tasks that a metric is for.
METRICS = {
    "accuracy": (CLASSES, LABELS),
    "top5": (CLASSES,),
    "precision": (CLASSES, LABELS),
    "recall": (CLASSES, LABELS),
    "f1": (CLASSES, LABELS),
    "precision_micro": (CLASSES, LABELS),
    "recall_micro": (CLASSES, LABELS),
    "f1_micro": (CLASSES, LABELS),
    "exact_match": (LABELS,),
    "auc": (CLASSES, LABELS),
    "ap": (CLASSES, LABELS),
    "pixel_accuracy": (CLASSES,),
    "mean_iou": (CLASSES,),
    "mae": (VALUES,),
    "rmse": (VALUES,),
    "r2": (VALUES,),
}
TABLES = ("per_class", "confusion")  # what `brew test` prints besides, when it is asked
_TOP_K = re.compile(r"top([1-9]\d{0,6})")
_SEGMENTED = ("pixel_accuracy", "mean_iou", "f1")
_PLAIN = ("accuracy", "top5", "precision", "recall", "f1", "auc", "ap")
_MANY = ("accuracy", "exact_match", "precision", "recall", "f1", "f1_micro", "auc", "ap")


def parse(asked: Sequence[str]) -> list[str]:
    """The names in a list, in small letters; UsageError for one that is no metric.

    >>> parse(["F1", "top3", "all"])
    ['f1', 'top3', 'all']
    """
    names = [name.lower().replace("-", "_") for name in asked]
    for name in names:
        if name not in METRICS and name not in (*TABLES, "all") and not _TOP_K.fullmatch(name):
            known = [*METRICS, *TABLES, "all"]
            hint = did_you_mean(name, known)
            raise UsageError(f'no metric is called "{name}"', hint=hint or f"there are {', '.join(known)}")
    return names


def listed(text: str) -> list[str]:
    """The names between commas; UsageError as `parse`."""
    return parse([name.strip() for name in text.split(",") if name.strip()])


def wanted(names: Sequence[str], task: str, classes: int, places: int) -> list[str]:
    """Those of `names` that are for a head of this task; "all" are the usual ones for it.

    `classes` is the number of scores of a place, of which an item has `places`: more than one are a segmentation.
    """
    if task == VALUES:
        usual: Sequence[str] = ("mae", "rmse", "r2")
    elif task == LABELS:
        usual = _MANY if classes > 1 else tuple(name for name in _MANY if name not in ("exact_match", "f1_micro"))
    else:
        usual = _SEGMENTED if places > 1 else [name for name in _PLAIN if name != "top5" or classes > 5]
    chosen = [each for name in names for each in (usual if name == "all" else [name])]
    return [name for name in dict.fromkeys(chosen) if _is_for(name, task)]


def top_k(name: str) -> int | None:
    """5 of top5, None of other names."""
    match = _TOP_K.fullmatch(name)
    return int(match[1]) if match else None


def check(names: Sequence[str], heads: Sequence[Head]) -> None:
    """UsageError for a metric that is for none of the heads."""
    for name in names:
        if name not in (*TABLES, "all") and not any(_is_for(name, head.task) for head in heads):
            tasks = " and ".join(dict.fromkeys(head.task for head in heads))
            fit = [each for each in METRICS if any(_is_for(each, head.task) for head in heads)]
            raise UsageError(f'"{name}" is no metric for {tasks}', hint=f"there are {', '.join(fit)}")


def among(outputs: Container[str], name: str) -> str:
    """What a metric is called beside the outputs of a test net: by its name, unless one of them has it."""
    return f"metric/{name}" if name in outputs else name


def _is_for(name: str, task: str) -> bool:
    return task in METRICS[name] if name in METRICS else top_k(name) is not None and task == CLASSES
