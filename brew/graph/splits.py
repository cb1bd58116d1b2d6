"""Split insertion: a top with several uses gets a Split layer, so that every blob has one reader.

Names are Caffe's (they show in `net.blobs`, saved weights and logs): layer `<blob>_<layer>_<top>_split`, tops
`<blob>_<layer>_<top>_split_<k>`. A nonzero loss weight counts as a use and moves to the split's first top.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from brew.errors import NetError, did_you_mean
from brew.proto.brew_pb2 import LayerParameter, NetState
from brew.prototxt.placed import PlacedLayer

from .states import absence, state_text

Top = tuple[int, int]  # (layer number, top number)

_SUGGESTED = 50  # errors that get a hint with similar names; finding them takes time with the size of the net
_LISTED = 20  # blobs that a hint names, the last ones


@dataclass(frozen=True, slots=True)
class Absent:
    """The state a net is in, and the layers that are not there in it: for errors."""

    state: NetState
    layers: Sequence[PlacedLayer]

    @classmethod
    def of(cls, state: NetState, every: Sequence[PlacedLayer], there: Sequence[PlacedLayer]) -> Absent:
        """`every` layer of the net but for those that are `there`."""
        kept = {id(source.param) for source in there}
        return cls(state, [source for source in every if id(source.param) not in kept])


def insert_splits(
    layers: Sequence[PlacedLayer], unknown: list[NetError] | None = None, absent: Absent | None = None
) -> list[PlacedLayer]:
    """The layers with Splits between them.

    A bottom that names no earlier top raises its NetError, which speaks of `absent` layers too. Where the list
    `unknown` is given, all go there instead and these bottoms stay as they are.
    """
    reads, uses, errors = _uses(layers, absent)
    if unknown is not None:
        unknown.extend(errors)
    elif errors:
        raise errors[0]
    next_split: Counter[Top] = Counter()
    result: list[PlacedLayer] = []
    for number, source in enumerate(layers):
        param = LayerParameter()
        param.CopyFrom(source.param)
        for b in range(len(param.bottom)):
            top = reads.get((number, b))
            if top is not None and uses[top] > 1:
                param.bottom[b] = f"{_split_name(layers, top)}_{_take(next_split, top)}"
        result.append(PlacedLayer(param, source.place, tuple(source.param.bottom)))
        for t in range(len(param.top)):
            if uses[number, t] > 1:
                result.append(_split(layers, (number, t), uses[number, t], param, next_split, source))
    return result


def _uses(
    layers: Sequence[PlacedLayer], absent: Absent | None
) -> tuple[dict[tuple[int, int], Top], Counter[Top], list[NetError]]:
    """For every (layer, bottom) the top it reads; for every top how often it is used; errors for unknown bottoms."""
    newest: dict[str, Top] = {}
    reads: dict[tuple[int, int], Top] = {}
    uses: Counter[Top] = Counter()
    errors: list[NetError] = []
    makers: Mapping[str, list[int]] = {}
    for number, source in enumerate(layers):
        param = source.param
        for b, name in enumerate(param.bottom):
            if name not in newest:
                makers = makers or _makers(layers)
                later = [layers[n].param.name for n in makers[name][bisect(makers[name], number) :][:1]]
                near = len(errors) < _SUGGESTED
                errors.append(_unknown_bottom(source, b, newest, later, absent, near=near))
                continue
            reads[number, b] = newest[name]
            uses[newest[name]] += 1
        for t, name in enumerate(param.top):
            newest[name] = (number, t)
            if t < len(param.loss_weight) and param.loss_weight[t]:
                uses[number, t] += 1
    return reads, uses, errors


def _makers(layers: Sequence[PlacedLayer]) -> Mapping[str, list[int]]:
    """By the name of a blob, the numbers of the layers that make it."""
    makers: defaultdict[str, list[int]] = defaultdict(list)
    for number, source in enumerate(layers):
        for name in source.param.top:
            makers[name].append(number)
    return makers


def _unknown_bottom(
    source: PlacedLayer, b: int, known: dict[str, Top], later: Sequence[str], absent: Absent | None, *, near: bool
) -> NetError:
    """`later` are the layers further down that make the blob; `near` says whether to look for names like it."""
    name = source.param.bottom[b]
    elsewhere = [s for s in (absent.layers if absent else ()) if name in s.param.top]
    if later:
        hint = f'layer "{later[0]}", further down, makes it; a layer can only read what stands above it'
    elif absent is not None and elsewhere:
        hint = f'layer "{elsewhere[0].param.name}" makes it, but {absence(elsewhere[0], absent.state)}'
    else:
        few = [*islice(reversed(known), _LISTED)][::-1]
        listed = f"blobs so far: {'... ' * (len(known) > _LISTED)}{', '.join(few) or 'none'}"
        hint = (did_you_mean(name, known) if near else None) or listed
    where = f" in {state_text(absent.state)}" if absent is not None and elsewhere and not later else ""
    text = f'layer "{source.param.name}" ({source.param.type}): no layer above makes its bottom "{name}"{where}'
    return NetError(text, place=source.place("bottom", b), hint=hint)


def _split_name(layers: Sequence[PlacedLayer], top: Top) -> str:
    param = layers[top[0]].param
    return f"{param.top[top[1]]}_{param.name}_{top[1]}_split"


def _take(counter: Counter[Top], top: Top) -> int:
    counter[top] += 1
    return counter[top] - 1


def _split(
    layers: Sequence[PlacedLayer],
    top: Top,
    uses: int,
    owner: LayerParameter,
    next_split: Counter[Top],
    source: PlacedLayer,
) -> PlacedLayer:
    name = _split_name(layers, top)
    split = LayerParameter(name=name, type="Split", bottom=[owner.top[top[1]]])
    split.top.extend(f"{name}_{k}" for k in range(uses))
    weight = owner.loss_weight[top[1]] if top[1] < len(owner.loss_weight) else 0.0
    if weight:
        split.loss_weight.extend([weight] + [0.0] * (uses - 1))
        owner.loss_weight[top[1]] = 0.0
        next_split[top] += 1  # the first copy is the loss
    return PlacedLayer(split, source.place, tuple(split.bottom))
