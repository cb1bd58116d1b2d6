"""Which layers of a NetParameter exist: include and exclude rules by phase, level and stage (Caffe's FilterNet)."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf import text_format

from brew.errors import NetError
from brew.proto.brew_pb2 import TEST, TRAIN, LayerParameter, NetState, NetStateRule
from brew.prototxt.placed import PlacedLayer

_NAMES = {TRAIN: "TRAIN", TEST: "TEST"}


def merged_state(phase: int, *states: NetState, level: int | None = None, stages: Iterable[str] = ()) -> NetState:
    """`phase` overlaid by each state in turn; stages add up, as protobuf merges."""
    result = NetState(phase=phase)  # type: ignore[arg-type]
    for state in states:
        result.MergeFrom(state)
    if level is not None:
        result.level = level
    result.stage.extend(stages)
    return result


def state_text(state: NetState) -> str:
    """The state in words.

    >>> state_text(NetState(phase=1, stage=["val", "x"], level=2))
    'TEST with stage "val" and "x" at level 2'
    """
    stages = " and ".join(f'"{stage}"' for stage in state.stage)
    level = f" at level {state.level}" if state.level else ""
    return f"{_NAMES[state.phase]}{f' with stage {stages}' if stages else ''}{level}"


def absence(source: PlacedLayer, state: NetState) -> str:
    """Why a layer does not exist in `state`, and in which it would."""
    param = source.param
    kind, rules = ("include", param.include) if param.include else ("exclude", param.exclude)
    written = " ".join(f"{kind} {{ {text_format.MessageToString(rule, as_one_line=True)} }}" for rule in rules)
    wanted = [stage for rule in param.include for stage in rule.stage if stage not in state.stage]
    if any(not rule.HasField("phase") or rule.phase == state.phase for rule in param.include) and wanted:
        asks = f'--stage {wanted[0]}, or a solver\'s train_state or test_state {{ stage: "{wanted[0]}" }}, asks for it'
    elif not param.bottom and _by_phase(param, state):
        asks = f"{_NAMES[state.phase]} needs a data layer too: include {{ phase: {_NAMES[state.phase]} }}"
    else:
        asks = "rules that fit this state would let it in"
    return f"{written} keeps it out of {state_text(state)}; {asks}"


def _by_phase(param: LayerParameter, state: NetState) -> bool:
    """Whether the layer is missing because of the phase."""
    if param.include:
        return all(rule.HasField("phase") and rule.phase != state.phase for rule in param.include)
    return any(rule.HasField("phase") for rule in param.exclude)


def filter_layers(layers: Iterable[PlacedLayer], state: NetState) -> list[PlacedLayer]:
    """The layers that exist in `state`."""
    return [source for source in layers if exists(source, state)]


def exists(source: PlacedLayer, state: NetState) -> bool:
    """Whether the layer is there in `state`; NetError where it has rules of both kinds."""
    param = source.param
    if param.include and param.exclude:
        raise NetError(
            f'layer "{param.name}" ({param.type}): has include and exclude rules; use one kind',
            place=source.place("exclude", 0),
        )
    if param.include:
        return any(_meets(rule, state) for rule in param.include)
    return not any(_meets(rule, state) for rule in param.exclude)


def _meets(rule: NetStateRule, state: NetState) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)
