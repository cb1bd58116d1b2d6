"""Rows of the types with parameters or windows: convolutions, products, normalisations, pooling, recurrence."""

from __future__ import annotations

from .builder import Builder, Misfit
from .rows import Row, axes, filler

CHANNELS = (1, 2, 3, 4, 5, 8, 8, 8, 13, 16, 16, 16, 17, 24, 32)  # whole blocks of 8 and 16 often


def flag(value: bool) -> str:
    return str(value).lower()


def _window(b: Builder, size: tuple[int, ...], *, same: float = 0.4) -> tuple[str, bool]:
    """Kernel, stride, pad and dilation for planes of this size; whether the planes keep their size."""
    kernel = b.pick(1, 3, 3, 3, 2, 5)
    if b.chance(same):
        kernel = b.pick(1, 3)
        return f"kernel_size: {kernel} pad: {kernel // 2}", True
    pad = b.rng.randint(0, kernel // 2)
    if len(size) == 2 and b.chance(0.15):
        h, w = b.rng.randint(1, 3), b.rng.randint(1, 3)
        return f"kernel_h: {h} kernel_w: {w} stride_h: {b.pick(1, 2)} stride_w: {b.pick(1, 2)}", False
    dilation = " dilation: 2" if b.chance(0.15) else ""
    return f"kernel_size: {kernel} pad: {pad} stride: {b.pick(1, 1, 1, 2, 3)}{dilation}", False


def convolution(b: Builder, x: int, kind: str = "Convolution", *, same: float = 0.4, outputs: int = 0) -> list[int]:
    """A convolution, or a deconvolution: plain, grouped or depthwise, over one bottom or two."""
    v = b.value(x)
    channels = v.shape[1]
    out = outputs or b.rng.choice(CHANNELS)
    group = 1
    draw = b.rng.random()
    if draw < 0.15 and not outputs:
        group = channels
        out = channels * b.pick(1, 1, 2)
    elif draw < 0.3:
        group = b.rng.choice([g for g in (1, 2, 3, 4, 8) if channels % g == 0 and out % g == 0])
    window, _ = _window(b, v.shape[2:], same=same)
    bottoms = [x, b.like(x)] if b.chance(0.05) else [x]
    text = (
        f"num_output: {out} group: {group} bias_term: {flag(b.chance(0.7))} {window} "
        f"weight_filler {{ {filler(b)} }} bias_filler {{ {filler(b, 'small')} }}"
    )
    most = 2.0 * max(b.value(n).most for n in bottoms)
    return b.add(kind, bottoms, f"convolution_param {{ {text} }}", tops=len(bottoms), most=most)


def _deconvolution(b: Builder, x: int) -> list[int]:
    return convolution(b, x, "Deconvolution")


def _im2col(b: Builder, x: int) -> list[int]:
    window, _ = _window(b, b.value(x).shape[2:])
    return b.add("Im2col", [x], f"convolution_param {{ {window} }}", most=b.value(x).most)


def inner_product(b: Builder, x: int) -> list[int]:
    """A product with a matrix."""
    v = b.value(x)
    axis = b.pick(1, 1, 1, *range(1, len(v.shape)))
    text = (
        f"num_output: {b.rng.choice(CHANNELS)} axis: {axis} transpose: {flag(b.chance(0.25))} bias_term: {flag(b.chance(0.7))} "
        f"weight_filler {{ {filler(b)} }} bias_filler {{ {filler(b, 'small')} }}"
    )
    return b.add("InnerProduct", [x], f"inner_product_param {{ {text} }}", most=2 * v.most)


def _embed(b: Builder, x: int) -> list[int]:
    rows = b.pick(3, 5)
    index = b.labels(b.value(x).shape[: b.pick(1, 1, 2, 3)], rows)
    text = f"num_output: {b.rng.choice(CHANNELS)} input_dim: {rows} bias_term: {flag(b.chance(0.5))}"
    text += f" weight_filler {{ {filler(b, 'small')} }} bias_filler {{ {filler(b, 'small')} }}"
    return b.add("Embed", [index], f"embed_param {{ {text} }}", most=1.2)


def batch_norm(b: Builder, x: int) -> list[int]:
    """Statistics of the batch, or those that are stored."""
    v = b.value(x)
    terms = v.count // (v.shape[1] if len(v.shape) > 1 else v.shape[0])
    eps = b.pick(1e-5, 1e-3) if terms >= 8 else 0.1
    stored = f"use_global_stats: {flag(b.chance(0.5))}" if b.chance(0.4) else ""
    text = f"batch_norm_param {{ {stored} eps: {eps} moving_average_fraction: {b.pick(0.999, 0.9)} }}"
    return b.add("BatchNorm", [x], text, most=max(3.0, 2 * v.most))


def scale(b: Builder, x: int, kind: str = "Scale") -> list[int]:
    """Scale or Bias: one number for each channel, or what else the axes say; or a second bottom."""
    v, field = b.value(x), kind.lower()
    n = len(v.shape)
    axis, number = (1, 1) if n > 1 and b.chance(0.65) else (b.rng.randrange(n), -2)
    if number == -2:
        number = b.pick(-1, *range(0, n - axis + 1))
    most = v.most * 2 + 1
    bias = f"bias_term: true bias_filler {{ {filler(b, 'small')} }}" if kind == "Scale" and b.chance(0.6) else ""
    if b.chance(0.15):
        part = v.shape[axis:] if number == -1 else v.shape[axis : axis + number]
        if not part:
            raise Misfit("a scalar bottom")
        able = [m for m in b.smooth() if b.value(m).shape == part and b.value(m).most <= 3]
        other = b.rng.choice(able) if able and b.chance(0.6) else b.input(part)
        return b.add(kind, [x, other], f"{field}_param {{ axis: {axis} {bias} }}", most=most)
    around = "around" if kind == "Scale" else "small"
    text = f"axis: {axis} num_axes: {number} filler {{ {filler(b, around)} }} {bias}"
    return b.add(kind, [x], f"{field}_param {{ {text} }}", most=most)


def _bias(b: Builder, x: int) -> list[int]:
    return scale(b, x, "Bias")


def _lrn(b: Builder, x: int) -> list[int]:
    text = f"local_size: {b.pick(3, 5, 1)} alpha: {b.pick(0.1, 1, 0.01)} beta: {b.pick(0.75, 0.5)} k: {b.pick(1, 2)} "
    text += f"norm_region: {b.pick('ACROSS_CHANNELS', 'ACROSS_CHANNELS', 'WITHIN_CHANNEL')}"
    return b.add("LRN", [x], f"lrn_param {{ {text} }}", most=b.value(x).most)


def _mvn(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    across = b.chance(0.4) or len(v.shape) == 2
    terms = v.count // (v.shape[0] if across else v.shape[0] * v.shape[1])
    eps = 1e-6 if terms >= 6 else 0.5
    text = f"mvn_param {{ across_channels: {flag(across)} normalize_variance: {flag(b.chance(0.7))} eps: {eps} }}"
    return b.add("MVN", [x], text, most=max(3.0, v.most))


def pooling(b: Builder, x: int) -> list[int]:
    """Pooling of one of its three kinds."""
    method, tops = b.pick("MAX", "MAX", "AVE", "AVE", "STOCHASTIC"), 1
    if method == "STOCHASTIC" and (b.value(x).low or -1) < 0:
        method = "MAX"
    if b.chance(0.15):
        text = "global_pooling: true"
    else:
        kernel = b.pick(1, 2, 3)
        pad = b.rng.randint(0, kernel // 2) if method != "STOCHASTIC" else 0
        text = (
            f"kernel_size: {kernel} stride: {b.rng.randint(1, kernel)} pad: {pad} round_mode: {b.pick('CEIL', 'FLOOR')}"
        )
    if method == "MAX" and b.chance(0.15):
        tops = 2
    v = b.value(x)
    low = v.low if method != "STOCHASTIC" and ("pad: 0" in text or "global" in text) else None
    return b.add(
        "Pooling",
        [x],
        f"pooling_param {{ pool: {method} {text} }}",
        tops=tops,
        most=v.most,
        low=low,
        smooth=[True, False][:tops],
    )


def _spp(b: Builder, x: int) -> list[int]:
    text = f"spp_param {{ pyramid_height: {b.pick(1, 2, 2) if min(b.value(x).shape[2:]) >= 4 else 1} pool: {b.pick('MAX', 'AVE')} }}"
    return b.add("SPP", [x], text, most=b.value(x).most)


def _recurrent(kind: str, states: int) -> Row:
    def build(b: Builder, x: int) -> list[int]:
        v, hidden = b.value(x), b.pick(1, 3, 5)
        cont = b.input(v.shape[:2], classes=2)
        bottoms, exposed = [x, cont], b.chance(0.3)
        if b.chance(0.3):
            bottoms.append(b.input((v.shape[1], b.pick(1, 3))))
        if exposed:
            bottoms += [b.input((1, v.shape[1], hidden)) for _ in range(states)]
        text = f"num_output: {hidden} expose_hidden: {flag(exposed)} weight_filler {{ {filler(b, 'small')} }} bias_filler {{ {filler(b, 'small')} }}"
        return b.add(kind, bottoms, f"recurrent_param {{ {text} }}", tops=1 + states * exposed, most=1.0)

    return Row(build, axes(2, 5, limit=8))


def _lstm_unit(b: Builder, x: int) -> list[int]:
    v = b.value(x)
    if v.shape[0] == 1 and v.shape[2] % 4 == 0 and b.chance(0.5):  # the gates
        streams, hidden, gates = v.shape[1], v.shape[2] // 4, x
        state = b.input((1, streams, hidden))
    elif v.shape[0] == 1:
        streams, hidden, state = v.shape[1], v.shape[2], x
        gates = b.input((1, streams, 4 * hidden))
    else:
        raise Misfit("not one step")
    cont = b.input((1, streams), classes=2)
    return b.add("LSTMUnit", [state, gates, cont], tops=2, most=max(1.5, b.value(state).most + 1))


LEARNED: dict[str, Row] = {
    "BatchNorm": Row(batch_norm, axes(1)),
    "Bias": Row(_bias, axes(1)),
    "Convolution": Row(convolution, axes(3, 5)),
    "Deconvolution": Row(_deconvolution, axes(3, 5)),
    "Embed": Row(_embed, axes(1)),
    "Im2col": Row(_im2col, axes(3, 5)),
    "InnerProduct": Row(inner_product, axes(2)),
    "LRN": Row(_lrn, axes(4, 4)),
    "LSTM": _recurrent("LSTM", 2),
    "LSTMUnit": Row(_lstm_unit, lambda v: len(v.shape) == 3 and v.shape[0] == 1 and v.most <= 8 and not v.classes),
    "MVN": Row(_mvn, axes(2)),
    "Pooling": Row(pooling, axes(4, 4)),
    "RNN": _recurrent("RNN", 1),
    "SPP": Row(_spp, axes(4, 4)),
    "Scale": Row(scale, axes(1)),
}
