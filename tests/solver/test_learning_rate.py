"""Schedules: the forks' and our own policies, warm-ups, floors, what "plateau" remembers; and mistakes in them."""

from __future__ import annotations

import math

import pytest
from google.protobuf import text_format

from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.solver.training.learning_rate import POLICIES, RateSchedule
from brew.solver.training.update_problems import rate_problems


def parameters(fields: str) -> SolverParameter:
    param: SolverParameter = text_format.Parse(fields, SolverParameter())
    return param


def rates(fields: str, count: int) -> list[float]:
    schedule = RateSchedule(parameters(fields))
    return [schedule.rate(i) for i in range(count)]


def half_cosine(high: float, low: float, part: float) -> float:
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * part))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # Intel: iterations up to and including stageiter; behind the last stage its rate stays.
        ('"multifixed" stagelr: 3 stageiter: 1 stagelr: 2 stageiter: 3 stagelr: 5 stageiter: 4', [3, 3, 2, 2, 5, 5]),
        ('"cosine" max_iter: 4', [8, half_cosine(8, 0, 0.25), 4, half_cosine(8, 0, 0.75), 0, 0]),
        ('"cosine" max_iter: 4 min_lr: 2', [8, half_cosine(8, 2, 0.25), 5, half_cosine(8, 2, 0.75), 2, 2]),
        ('"cosine" max_iter: 9 cycle_iter: 2', [8, 4, 8, 4, 8]),
        ('"cosine" max_iter: 9 cycle_iter: 2 cycle_mult: 2', [8, 4, 8, half_cosine(8, 0, 0.25), 4, half_cosine(8, 0, 0.75), 8]),
        ('"cosine" max_iter: 6 warmup_iter: 2', [0, 4, 8, half_cosine(8, 0, 0.25), 4]),  # joins where the warm-up ends
        # Smith and Topin, counted as PyTorch does: from 8 / 4 up to 8 at 0.5 * 7 - 1, down to 8 / 4 / 10 at 6.
        ('"onecycle" max_iter: 7 warmup_fraction: 0.5 start_div: 4 final_div: 10',
         [2, half_cosine(2, 8, 1 / 2.5), half_cosine(2, 8, 2 / 2.5), half_cosine(8, 0.2, 0.5 / 3.5),
          half_cosine(8, 0.2, 1.5 / 3.5), half_cosine(8, 0.2, 2.5 / 3.5), 0.2, 0.2]),
        ('"onecycle" max_iter: 2 warmup_fraction: 0 start_div: 4 final_div: 10', [half_cosine(8, 0.2, 0.5), 0.2]),
        ('"onecycle" max_iter: 1', [8 / 25 / 10000]),
        # Intel's warm-up is linear, NVIDIA's quadratic; the policy behind it counts from 0.
        ('"fixed" warmup_iter: 4 warmup_start_lr: 4', [4, 5, 6, 7, 8, 8]),
        ('"fixed" rampup_interval: 4 rampup_lr: 4', [4, 4.25, 5, 6.25, 8, 8]),
        ('"step" gamma: 0.5 stepsize: 3 warmup_iter: 2', [0, 4, 8, 4, 4, 4, 2]),
        ('"multistep" gamma: 0.5 stepvalue: 1 stepvalue: 2 warmup_iter: 3', [0, 8 / 3, 16 / 3, 4, 2, 2]),
        # NVIDIA's floor: poly falls to it, the others stop at it, a warm-up starts at it.
        ('"poly" power: 2 max_iter: 4 min_lr: 4', [8, 4 + 4 * 0.5625, 5, 4.25, 4]),
        ('"exp" gamma: 0.5 min_lr: 3', [8, 4, 3, 3]),
        ('"fixed" rampup_interval: 4 min_lr: 1', [1, 1, 2, 4.5, 8]),
    ],
)  # fmt: skip
def test_rates(fields: str, expected: list[float]) -> None:
    assert rates(f"base_lr: 8 lr_policy: {fields}", len(expected)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_without_a_floor_a_rate_is_what_caffe_makes_of_it() -> None:
    assert rates('base_lr: 8 lr_policy: "poly" power: 1 max_iter: 2', 4) == [8, 4, 0, -4]


def test_momentum_is_mended_in_a_linear_warm_up_only() -> None:
    linear = RateSchedule(parameters('base_lr: 8 lr_policy: "fixed" warmup_iter: 4'))
    assert [linear.momentum_scale(i) for i in range(6)] == [1, 1, 2, 1.5, 1, 1]
    quadratic = RateSchedule(parameters('base_lr: 8 lr_policy: "fixed" rampup_interval: 4'))
    assert [quadratic.momentum_scale(i) for i in range(6)] == [1] * 6


def test_momentum_is_not_mended_for_a_rise_that_the_floor_hides() -> None:
    schedule = RateSchedule(parameters('base_lr: 8 lr_policy: "fixed" warmup_iter: 8 min_lr: 3'))
    assert [schedule.rate(i) for i in range(6)] == [3, 3, 3, 3, 4, 5]
    assert [schedule.momentum_scale(i) for i in range(6)] == [1, 1, 1, 1, 4 / 3, 5 / 4]


def test_a_policy_that_is_changed_between_steps_counts() -> None:
    param = parameters('base_lr: 8 lr_policy: "fixed"')
    schedule = RateSchedule(param)
    assert schedule.rate(0) == 8
    param.lr_policy, param.gamma, param.stepsize, param.min_lr = "step", 0.5, 2, 3
    schedule.read_again()
    assert [schedule.rate(i) for i in range(1, 5)] == [8, 4, 4, 3]
    param.lr_policy, param.gamma = "plateau", 0.25
    param.plateau_winsize.append(1)
    schedule.read_again()
    assert schedule.reads_loss


PLATEAU = 'base_lr: 8 gamma: 0.5 lr_policy: "plateau" plateau_winsize: 2 plateau_winsize: 3'
LOSSES = [5, 4, 4, 4, 4, 3, 3, 3.5, 9, 9, 9, 9]
DROPS = [
    8,
    8,
    8,
    4,
    4,
    4,
    4,
    4,
    2,
    2,
    2,
    2,
]  # 2 after the 4 of iteration 1, 3 after the 3 of iteration 5; no window left


def test_plateau_counts_from_the_last_event() -> None:
    schedule = RateSchedule(parameters(PLATEAU))
    assert schedule.reads_loss
    assert [schedule.rate(i, loss) for i, loss in enumerate(LOSSES)] == DROPS
    assert (schedule.current_step, schedule.lowest_loss, schedule.last_event) == (2, 3, 8)
    with pytest.raises(ValueError, match="needs the smoothed loss"):
        schedule.rate(12)


def test_plateau_begins_behind_the_warm_up() -> None:
    schedule = RateSchedule(parameters(PLATEAU + " warmup_iter: 3"))
    assert [schedule.rate(i, 5) for i in range(6)] == pytest.approx([0, 8 / 3, 16 / 3, 8, 8, 4])


@pytest.mark.parametrize("stop", range(1, len(LOSSES)))
def test_plateau_goes_on_exactly(stop: int) -> None:
    first, second = RateSchedule(parameters(PLATEAU)), RateSchedule(parameters(PLATEAU))
    for i in range(stop):
        first.rate(i, LOSSES[i] + 0.1)  # not a float32: the state's is
    state = ResumeState()
    first.save(state)
    second.restore(first.current_step, stop, ResumeState.FromString(state.SerializeToString()))
    assert [second.rate(i, LOSSES[i] + 0.1) for i in range(stop, len(LOSSES))] == DROPS[stop:]


def test_plateau_from_caffes_state_waits_a_whole_window() -> None:
    schedule = RateSchedule(parameters(PLATEAU))
    schedule.restore(1, 100, None)
    assert [schedule.rate(i, 5) for i in range(100, 104)] == [4, 4, 4, 2]


def test_multistep_goes_on_from_its_step() -> None:
    schedule = RateSchedule(parameters('base_lr: 8 gamma: 0.5 lr_policy: "multistep" stepvalue: 3 stepvalue: 5'))
    schedule.restore(1, 4, None)
    assert [schedule.rate(i) for i in (4, 5)] == [4, 2]
    assert schedule.last_rate == 2
    state = ResumeState()
    schedule.save(state)
    assert state == ResumeState()


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ('lr_policy: "plateau"', 'lr_policy "plateau" reads plateau_winsize, which is missing', ("lr_policy",)),
        ('lr_policy: "plateau" plateau_winsize: 5 plateau_winsize: 0', "plateau_winsize must be at least 1", ("plateau_winsize", 1)),
        ('lr_policy: "multifixed" stagelr: 1', 'lr_policy "multifixed" has 1 stagelr and 0 stageiter', ("lr_policy",)),
        ('lr_policy: "multifixed"', 'lr_policy "multifixed" has 0 stagelr and 0 stageiter', ("lr_policy",)),
        ('lr_policy: "multifixed" stagelr: -1 stageiter: 4', "stagelr must be 0 or more, it is -1", ("stagelr", 0)),
        ('lr_policy: "multifixed" stagelr: 1 stagelr: 2 stageiter: 4 stageiter: 4', "stageiter must rise: 4 comes after 4", ("stageiter", 1)),
        ("warmup_iter: 11", "the warm-up of 11 iterations is longer than max_iter 10", ("warmup_iter",)),
        ("rampup_interval: 11", "the warm-up of 11 iterations is longer", ("rampup_interval",)),
        ("warmup_iter: -1", "warmup_iter must be 0 or more, it is -1", ("warmup_iter",)),
        ("warmup_iter: 2 rampup_interval: 2", "warmup_iter and rampup_interval are both given", ("rampup_interval",)),
        ('lr_policy: "onecycle" warmup_iter: 2', 'lr_policy "onecycle" warms up by itself', ("warmup_iter",)),
        ("warmup_start_lr: inf", "warmup_start_lr must be 0 or more, it is inf", ("warmup_start_lr",)),
        ("min_lr: 2", "min_lr 2 is above base_lr 1", ("min_lr",)),
        ('lr_policy: "cosine" cycle_mult: 0.5 cycle_iter: 3', "cycle_mult must be at least 1, it is 0.5", ("cycle_mult",)),
        ('lr_policy: "cosine" cycle_mult: 2', "cycle_mult has no cycle_iter to multiply", ("cycle_mult",)),
        ("cycle_iter: -1", "cycle_iter must be 0 or more, it is -1", ("cycle_iter",)),
        ("warmup_fraction: 1.5", "warmup_fraction must be between 0 and 1, it is 1.5", ("warmup_fraction",)),
        ("start_div: 0", "start_div must be above 0, it is 0", ("start_div",)),
        ("final_div: nan", "final_div must be above 0, it is nan", ("final_div",)),
    ],
)  # fmt: skip
def test_mistakes_are_named(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    fields = fields if "lr_policy" in fields else f'{fields} lr_policy: "fixed"'
    ((said, where, _),) = rate_problems(parameters(f"base_lr: 1 max_iter: 10 {fields}"))
    assert said.startswith(message)
    assert where == path


EVERY_FIELD = """base_lr: 1 max_iter: 40 gamma: 0.5 stepsize: 3 power: 2 stepvalue: 4 plateau_winsize: 6 stagelr: 0.2
    stagelr: 0.1 stageiter: 10 stageiter: 20 cycle_iter: 8 cycle_mult: 2 warmup_fraction: 0.25 start_div: 10 final_div: 5"""


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_reads_what_it_says(name: str) -> None:
    def course(text: str) -> list[float]:
        schedule = RateSchedule(parameters(f'{text} lr_policy: "{name}"'))
        return [schedule.rate(i, 5) for i in range(40)]

    words, plain, read = EVERY_FIELD.split(), course(EVERY_FIELD), set()
    for i in range(4, len(words), 2):  # behind base_lr and max_iter
        number = f"{float(words[i + 1]) / 2 if '.' in words[i + 1] else int(words[i + 1]) + 1}"
        if course(" ".join([*words[: i + 1], number, *words[i + 2 :]])) != plain:
            read.add(words[i].removesuffix(":"))
    assert read == set(POLICIES[name].reads)


@pytest.mark.parametrize("base", [-1, "nan"])
def test_a_floor_is_not_held_against_a_rate_that_is_wrong_itself(base: object) -> None:
    assert list(rate_problems(parameters(f'base_lr: {base} lr_policy: "fixed" min_lr: 0.1'))) == []


def test_a_warm_up_needs_a_rate_to_reach() -> None:
    fields = 'lr_policy: "multifixed" stagelr: 1 stageiter: 4 warmup_iter: 2'
    assert [said for said, _, _ in rate_problems(parameters(fields))] == [
        "warmup_iter leads up to base_lr, which is missing"
    ]
    assert list(rate_problems(parameters("base_lr: 2 " + fields))) == []
