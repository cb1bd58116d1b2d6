"""Common mistakes in nets, which are allowed and run. One rule a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from brew.layer import TEST, TRAIN
from brew.layer.data_layer import DataLayer
from brew.proto.brew_pb2 import LayerParameter

from .rules import Note, Rules
from .view import View, facts, is_loss

NET_RULES: Rules[View] = Rules()

_OF_IMAGES = ("Convolution", "Deconvolution", "InnerProduct", "Pooling", "LRN", "BatchNorm", "Scale", "Dropout", "ReLU")
_COMPUTING = {
    "Convolution", "Deconvolution", "InnerProduct", "Embed", "Pooling", "LRN", "BatchNorm", "Scale", "Bias", "Dropout",
    "ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "Concat", "Eltwise", "Flatten", "Reshape", "Crop", "MVN", "Im2col",
}  # fmt: skip


@NET_RULES.add("B201")
def lonely_batch_norm(view: View) -> Iterator[Note]:
    """A BatchNorm without a Scale after it: BatchNorm only normalises, scale and shift are another layer."""
    for number, _ in view.of_type("BatchNorm"):
        readers = [view.param(reader).type for reader, _ in view.readers[number, 0]]
        if readers and not {"Scale", "Bias"} & set(readers):
            yield view.note(
                number, "no Scale reads what it makes, so nothing brings back scale and shift",
                hint='add layer { type: "Scale" scale_param { bias_term: true } } behind it, in place',
            )  # fmt: skip


@NET_RULES.add("B202")
def global_stats(view: View) -> Iterator[Note]:
    """`use_global_stats` set against the phase: left out, it is false in TRAIN and true in TEST, which is right."""
    for number, param in view.of_type("BatchNorm"):
        norm = param.batch_norm_param
        if not norm.HasField("use_global_stats") or norm.use_global_stats == (view.phase == TEST):
            continue
        if view.phase == TEST:
            what = "use_global_stats: false makes tests depend on the batch: the averages of the training go unused"
        elif view.trains:
            what = "use_global_stats: true in training: averages are neither taken nor brought up to date"
        else:
            continue
        hint = "leave use_global_stats out; each phase then takes what is right"
        yield view.note(number, what, "batch_norm_param", "use_global_stats", hint=hint)


@NET_RULES.add("B203")
def label_as_image(view: View) -> Iterator[Note]:
    """A label (the second top of a data layer) read by a layer made for images or features."""
    for number, param in view.of_type(*_OF_IMAGES):
        for b, name in enumerate(param.bottom):
            maker, top = view.maker.get((number, b), (0, 0))
            if top == 1 and _brings_labels(view.param(maker)):
                what = f'reads the label "{name}" of layer "{view.param(maker).name}"'
                yield view.note(number, what, "bottom", b, hint=f'its bottom should be "{view.param(maker).top[0]}"?')


def _brings_labels(param: LayerParameter) -> bool:
    """Whether a second top of the layer would be labels."""
    cls = facts(param)
    return issubclass(cls, DataLayer) and cls.brings_images


@NET_RULES.add("B206")
def clipped_scores(view: View) -> Iterator[Note]:
    """A ReLU or Dropout between the last layer with weights and a softmax or cross-entropy loss."""
    for number, _ in view.of_class(lambda cls: cls.probabilities):
        below = next(view.below(number), None)
        if below is not None and below.type in ("ReLU", "Dropout"):
            cut = "no score can be negative" if below.type == "ReLU" else "scores are dropped at random"
            what = f'its scores come through layer "{below.name}", a {below.type}: {cut}'
            yield view.note(number, what, "bottom", 0, hint="scores go into the loss as the last layer makes them")


@NET_RULES.add("B207")
def unread_top(view: View) -> Iterator[Note]:
    """In training, a computed blob that no layer reads: often a bottom further down has the wrong name."""
    bottoms = sum(len(source.param.bottom) for source in view.layers)
    if not view.trains or len(view.maker) < bottoms:  # the missing bottom may be the unread top
        return
    for number, source in enumerate(view.layers):
        if source.param.type not in _COMPUTING or any(source.param.loss_weight):
            continue
        for t, name in enumerate(source.param.top):
            if not view.readers[number, t]:
                yield view.note(
                    number, f'nobody reads its top "{name}": it is computed for nothing', "top", t,
                    hint='is a bottom misnamed below? A layer of type "Silence" takes what is not wanted',
                )  # fmt: skip


@NET_RULES.add("B208")
def same_name(view: View) -> Iterator[Note]:
    """Two layers of one name in one state, of which one has weights: these are stored and loaded by name."""
    stored: dict[str, bool] = {}  # by name, whether one of the layers so far has weights
    for number, source in enumerate(view.layers):
        name = source.param.name
        first = name not in stored
        stored[name] = stored.get(name, False) or facts(source.param).has_params()
        if not first and stored[name]:
            hint = "give each layer a name of its own; what is shared is named in param { name }"
            yield view.note(number, "another layer above has the same name", "name", hint=hint)


@NET_RULES.add("B209")
def nothing_learned(view: View) -> Iterator[Note]:
    """A training net in which every lr_mult is 0."""
    if not view.trains:
        return
    learned = [i for i, _ in view.of_class(lambda cls: cls.weights_in)]
    frozen = [i for i in learned if _frozen(view.param(i))]
    others = view.of_class(lambda cls: cls.has_params() and not cls.weights_in and cls.type != "BatchNorm")
    if learned and frozen == learned and not any(True for _ in others):
        yield view.note(
            learned[-1], "every layer with weights has lr_mult 0: nothing is learned", "param", 0, "lr_mult",
            hint="give the layers that are to learn an lr_mult of 1",
        )  # fmt: skip


def _frozen(param: LayerParameter) -> bool:
    section = getattr(param, facts(param).weights_in)
    blobs = 2 if section.bias_term else 1
    return len(param.param) >= blobs and not any(spec.lr_mult for spec in param.param)


@NET_RULES.add("B210")
def unused_weight(view: View) -> Iterator[Note]:
    """A loss with loss_weight 0 while no other counts: nothing is learned."""
    if view.phase != TRAIN or view.trains:
        return
    for number, source in enumerate(view.layers):
        if facts(source.param).is_loss and source.param.loss_weight and not is_loss(source.param):
            what = "loss_weight is 0 and there is no other loss: nothing is learned"
            yield view.note(number, what, "loss_weight", hint="leave loss_weight out, or make it 1")


@NET_RULES.add("B211")
def phase_field(view: View) -> Iterator[Note]:
    """`phase: TEST` in a layer where `include { phase: TEST }` is meant: alone it leaves the layer in every phase."""
    given = [s.param.HasField("phase") for s in view.layers]
    if all(given):  # a net that was saved with its weights, as text
        return
    for number, source in enumerate(view.layers):
        param = source.param
        if param.HasField("phase") and not param.include and not param.exclude and param.phase != view.phase:
            name = "TEST" if param.phase == TEST else "TRAIN"
            what = f"phase: {name} does not keep it out of {view.state}"
            yield view.note(number, what, "phase", hint=f"write include {{ phase: {name} }}")
