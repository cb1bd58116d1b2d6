"""What the nets of all families are made of: data, convolutions with and without normalization, the ends."""

from __future__ import annotations

from typing import Any

from brew.caffe import NetSpec
from brew.caffe import layers as L
from brew.proto.brew_pb2 import NetParameter

CAFFE_MEAN = {"mean_value": [104, 117, 123]}
SCALED = {"mean_value": [103.94, 116.78, 123.68], "scale": 0.017}
_DATA = "examples/imagenet/ilsvrc12_{}_lmdb"
# A weight learns and decays as the solver says; a bias learns twice as fast and does not decay.
LEARNED = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]


class Net:
    """A net of ImageNet's size that is being written; `n` is its NetSpec, `n.data` and `n.label` stand already.

    `crop` is the side of the input, `pixels` are further fields of transform_param, `batch` is that of training and of
    tests.
    """

    def __init__(self, name: str, crop: int, pixels: dict[str, Any], batch: tuple[int, int] = (32, 50)) -> None:
        self.name = name
        self.n = NetSpec()
        train, test = (
            {
                "include": {"phase": phase},
                "transform_param": {"mirror": phase == 0, "crop_size": crop, **pixels},
                "data_param": {"source": _DATA.format(source), "batch_size": size, "backend": 1},
            }
            for phase, source, size in zip((0, 1), ("train", "val"), batch, strict=True)
        )
        self._train = train
        self.n.data, self.n.label = L.Data(ntop=2, **test)

    def conv(self, top: str, bottom: Any, outputs: int, kernel: int | tuple[int, int], **fields: Any) -> Any:
        """A convolution; `kernel` is (height, width) where they differ, and the image is then padded to keep its size.

        `bias=True` gives it one; `filler` is the weights', `start` the bias's value. The layer is called as its top
        unless it has a `name`.
        """
        fields = {"weight_filler": fields.pop("filler", {"type": "msra"}), **fields}
        start = fields.pop("start", 0)
        if fields.pop("bias", False):
            fields |= {"bias_filler": _constant(start), "param": LEARNED}
        else:
            fields["bias_term"] = False
        if isinstance(kernel, tuple):
            high, wide = kernel
            fields |= {"kernel_h": high, "kernel_w": wide, "pad_h": high // 2, "pad_w": wide // 2}
        else:
            fields["kernel_size"] = kernel
        self.n[top] = L.Convolution(bottom, num_output=outputs, **fields)
        return self.n[top]

    def norm(self, names: tuple[str, str], bottom: Any, *, in_place: bool = True, eps: float = 1e-5) -> Any:
        """BatchNorm and Scale, under these names."""
        fields = {} if eps == 1e-5 else {"eps": eps}
        self.n[names[0]] = L.BatchNorm(bottom, in_place=in_place, **fields)
        self.n[names[1]] = L.Scale(self.n[names[0]], in_place=True, bias_term=True)
        return self.n[names[1]]

    def relu(self, name: str, bottom: Any) -> Any:
        """A ReLU in place."""
        self.n[name] = L.ReLU(bottom, in_place=True)
        return self.n[name]

    def pool(self, name: str, bottom: Any, kernel: int = 0, stride: int = 1, **fields: Any) -> Any:
        """The maximum of windows, or with `pool=1` their mean; without a kernel, the mean of the whole image."""
        window = {"kernel_size": kernel, "stride": stride} if kernel else {"pool": 1, "global_pooling": True}
        self.n[name] = L.Pooling(bottom, **{"pool": 0, **window, **fields})
        return self.n[name]

    def inner(
        self, name: str, bottom: Any, outputs: int, filler: dict[str, Any] | None = None, start: float = 0
    ) -> Any:  # fmt: skip
        """An inner product."""
        self.n[name] = L.InnerProduct(
            bottom, num_output=outputs, param=LEARNED, weight_filler=filler or {"type": "msra"},
            bias_filler=_constant(start),
        )  # fmt: skip
        return self.n[name]

    def classifier(self, name: str, bottom: Any, filler: dict[str, Any] | None = None) -> Any:
        """An inner product of 1000 outputs."""
        return self.inner(name, bottom, 1000, filler)

    def end(self, scores: Any) -> NetParameter:
        """The whole net, with the loss of these scores and their accuracies."""
        self.n.loss = L.SoftmaxWithLoss(scores, self.n.label)
        test = {"include": {"phase": 1}}
        self.n["accuracy/top-1"] = L.Accuracy(scores, self.n.label, **test)
        self.n["accuracy/top-5"] = L.Accuracy(scores, self.n.label, top_k=5, **test)
        first = NetSpec()
        first.data, first.label = L.Data(ntop=2, **self._train)
        return NetParameter(name=self.name, layer=[*first.to_proto().layer, *self.n.to_proto().layer])


def _constant(value: float) -> dict[str, Any]:
    return {"type": "constant", "value": value} if value else {"type": "constant"}
