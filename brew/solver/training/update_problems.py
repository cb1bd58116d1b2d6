"""The fields for rates, updates and averages: each mistake in them as a `Problem`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from brew.proto.brew_pb2 import SolverParameter
from brew.solver.update.rule import UpdateRule, rule_class

from .learning_rate import warmup_length


class Problem(NamedTuple):
    """A mistake in a solver's message, the path of the field, and the remedy."""

    message: str
    path: tuple[str | int, ...]
    hint: str | None


def rate_problems(param: SolverParameter) -> Iterator[Problem]:
    """Mistakes in the fields of learning rate policies and warm-ups that are not in BVLC Caffe."""
    for field in ("min_lr", "warmup_start_lr", "rampup_lr", "warmup_iter", "rampup_interval", "cycle_iter"):
        yield from _wrong(param, field, getattr(param, field) >= 0, "0 or more")
    yield from _wrong(param, "cycle_mult", param.cycle_mult >= 1, "at least 1")
    yield from _wrong(param, "warmup_fraction", 0 <= param.warmup_fraction <= 1, "between 0 and 1")
    for field in ("start_div", "final_div"):
        yield from _wrong(param, field, getattr(param, field) > 0, "above 0")
    judged = param.lr_policy != "multifixed" and param.HasField("base_lr") and param.base_lr >= 0
    if judged and param.base_lr < param.min_lr < math.inf:
        yield Problem(f"min_lr {param.min_lr:g} is above base_lr {param.base_lr:g}", ("min_lr",), None)
    if param.lr_policy == "cosine" and param.cycle_mult != 1 and not param.cycle_iter:
        yield Problem("cycle_mult has no cycle_iter to multiply", ("cycle_mult",), "cycle_iter: 10000, say")
    if param.lr_policy == "plateau":
        yield from _plateau(param)
    if param.lr_policy == "multifixed":
        yield from _stages(param)
    yield from _warmup(param)


def _wrong(param: SolverParameter, field: str, right: bool, wanted: str) -> Iterator[Problem]:
    """A number that is not `right`, or not finite."""
    value = getattr(param, field)
    if not (right and math.isfinite(value)):
        yield Problem(f"{field} must be {wanted}, it is {value:g}", (field,), None)


def _plateau(param: SolverParameter) -> Iterator[Problem]:
    if not param.plateau_winsize:
        hint = "a plateau_winsize for each drop of the rate: plateau_winsize: 10000, say"
        yield Problem('lr_policy "plateau" reads plateau_winsize, which is missing', ("lr_policy",), hint)
    for i, size in enumerate(param.plateau_winsize):
        if size < 1:
            yield Problem(f"plateau_winsize must be at least 1, it is {size}", ("plateau_winsize", i), None)


def _stages(param: SolverParameter) -> Iterator[Problem]:
    rates, ends = param.stagelr, param.stageiter
    if len(rates) != len(ends) or not rates:
        what = f"{len(rates)} stagelr and {len(ends)} stageiter"
        yield Problem(f'lr_policy "multifixed" has {what}', ("lr_policy",), "a stagelr and a stageiter for each stage")
    for i, rate in enumerate(rates):
        if not (rate >= 0 and math.isfinite(rate)):
            yield Problem(f"stagelr must be 0 or more, it is {rate:g}", ("stagelr", i), None)
    for i in range(1, len(ends)):
        if ends[i] <= ends[i - 1]:
            yield Problem(f"stageiter must rise: {ends[i]} comes after {ends[i - 1]}", ("stageiter", i), None)


def _warmup(param: SolverParameter) -> Iterator[Problem]:
    length = warmup_length(param)
    if not length:
        return
    field = "warmup_iter" if param.warmup_iter > 0 else "rampup_interval"
    if param.warmup_iter > 0 and param.rampup_interval > 0:
        hint = "warmup_iter is linear, rampup_interval quadratic"
        yield Problem("warmup_iter and rampup_interval are both given", ("rampup_interval",), hint)
    if 0 < param.max_iter < length:
        yield Problem(f"the warm-up of {length} iterations is longer than max_iter {param.max_iter}", (field,), None)
    if param.lr_policy == "onecycle":
        yield Problem(f'lr_policy "onecycle" warms up by itself, {field} is {length}', (field,), "see warmup_fraction")
    if not param.HasField("base_lr"):
        yield Problem(f"{field} leads up to base_lr, which is missing", (field,), None)


def update_problems(param: SolverParameter) -> Iterator[Problem]:
    """Mistakes in the fields of update rules, clipping and averaging that are not in BVLC Caffe."""
    rule = rule_class(param.type)
    for field in ("local_gw_ratio", "larc_eta"):
        yield from _wrong(param, field, getattr(param, field) > 0, "above 0")
    yield from _wrong(param, "clip_value", param.clip_value != 0, "above 0, or negative for none")
    yield from _wrong(param, "ema_decay", 0 <= param.ema_decay < 1, "from 0 to below 1")
    if rule is None:
        return
    if rule.below_one:
        for field in ("momentum", "momentum2"):
            yield from _wrong(param, field, 0 <= getattr(param, field) < 1, f"from 0 to below 1 with {rule.type}")
    if rule.always_decoupled and param.HasField("decoupled_weight_decay") and not param.decoupled_weight_decay:
        yield Problem(f"{rule.type} decays weights beside the rule in any case", ("decoupled_weight_decay",), None)
    yield from _local_rates(param, rule)


def _local_rates(param: SolverParameter, rule: type[UpdateRule]) -> Iterator[Problem]:
    """LARS and LARC."""
    lars = rule.type == "LARS"
    if lars and param.HasField("local_lr_auto") and not param.local_lr_auto:
        yield Problem("LARS is local_lr_auto: true, it is false", ("local_lr_auto",), 'type: "SGD" has it off')
    if param.larc and (param.local_lr_auto or lars):
        what = "type LARS" if lars else "local_lr_auto"
        yield Problem(f"larc and {what} are two rates for each parameter", ("larc",), "choose one")
    for field in ("local_lr_auto", "larc"):
        if getattr(param, field) and not rule.takes_local_rate:
            hint = "SGD and Nesterov have it; LAMB is the like for Adam"
            yield Problem(f"{rule.type} has no {field}: its step does not grow with the gradient", (field,), hint)
    if param.larc_policy not in ("scale", "clip"):
        yield Problem(f'unknown larc_policy "{param.larc_policy}"', ("larc_policy",), "scale or clip")
    if param.larc and param.momentum >= 1:
        yield Problem(f"larc needs a momentum below 1, it is {param.momentum:g}", ("momentum",), None)
