"""Which series of a run a panel shows: by Brew's words for the usual ones, by name, or by pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from brew.errors import UsageError, did_you_mean

from .series import Run

_TOP_K = re.compile(r"top[-_ ]?\d")
_TITLES = {"lr": "learning rate", "rate": "learning rate", "speed": "images per second"}


def _is_loss(name: str) -> bool:
    return name == "train/loss" or (name.startswith("test") and "loss" in _output(name))


def _is_accuracy(name: str) -> bool:
    output = _output(name)
    return not name.startswith("train/output/") and ("acc" in output or _TOP_K.search(output) is not None)


_WORDS: dict[str, Callable[[str], bool]] = {
    "loss": _is_loss,
    "accuracy": _is_accuracy,
    "lr": lambda name: name == "train/rate",
    "rate": lambda name: name == "train/rate",
    "speed": lambda name: name in ("train/images_per_second", "train/iterations_per_second"),
    "all": lambda name: True,
}


def usual(runs: Sequence[Run]) -> list[str]:
    """What is drawn when nobody says: loss, accuracy, other outputs of the test nets, and a rate that changes."""
    known = names(runs)
    chosen = [word for word in ("loss", "accuracy") if any(map(_WORDS[word], known))]
    taken = [name for word in chosen for name in known if _WORDS[word](name)]
    others = [name for name in known if name.startswith("test") and name not in taken]
    if others and len({_output(name) for name in others}) <= 4:
        chosen += list(dict.fromkeys(_output(name) for name in others))
    if any(len(set(run.series["train/rate"].values)) > 1 for run in runs if "train/rate" in run.series):
        chosen.append("lr")
    return chosen or known[:1]


def names(runs: Sequence[Run]) -> list[str]:
    """Of all series, once each: those of training, then those of tests."""
    found = dict.fromkeys(name for run in runs for name in run.series)
    return sorted(found, key=lambda name: name.startswith("test"))


def chosen(what: str, runs: Sequence[Run]) -> list[str]:
    """The series that `what` stands for: a word (loss, accuracy, lr, speed, all), a name as of a series or an output,
    a pattern ("test0/*"), or a part of names. UsageError where there is none."""
    known = names(runs)
    if what.lower() in _WORDS and (found := [name for name in known if _WORDS[what.lower()](name)]):
        return found
    for fits in (
        lambda name: what == name,
        lambda name: what.lower() == _output(name),
        lambda name: fnmatchcase(name.lower(), what.lower()),
        lambda name: what.lower() in name.lower(),
    ):
        if found := [name for name in known if fits(name)]:
            return found
    hint = did_you_mean(what, [*known, *(_output(name) for name in known), *_WORDS])
    raise UsageError(f'no series is called "{what}"', hint=hint or f"there are {', '.join(known)}")


def title(what: str) -> str:
    """What a panel is headed with."""
    return _TITLES.get(what.lower(), what)


def _output(name: str) -> str:
    """accuracy of test0/accuracy, in small letters."""
    return name.partition("/")[2].removeprefix("output/").lower()
