"""Layer types of 2013 (V0, strings) and 2014 (V1, an enum) under their present names."""

from __future__ import annotations

V0_TYPES = {
    **{
        name: name.upper()
        for name in (
            "accuracy", "bnll", "concat", "data", "dropout", "euclidean_loss", "flatten", "hdf5_data", "hdf5_output",
            "im2col", "infogain_loss", "lrn", "multinomial_logistic_loss", "relu", "sigmoid", "softmax",
            "softmax_loss", "split", "tanh", "window_data",
        )
    },
    "conv": "CONVOLUTION",
    "images": "IMAGE_DATA",
    "innerproduct": "INNER_PRODUCT",
    "pool": "POOLING",
}  # fmt: skip
"""V0's name -> V1's. There is also "padding", which no later format has."""

_IRREGULAR = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "NONE": "",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}  # where capitals at the underscores do not give the present name


def present_type(name: str) -> str:
    """Today's type of a V1 name.

    >>> present_type("INNER_PRODUCT"), present_type("SOFTMAX_LOSS"), present_type(V0_TYPES["images"])
    ('InnerProduct', 'SoftmaxWithLoss', 'ImageData')
    """
    return _IRREGULAR.get(name, "".join(part.capitalize() for part in name.split("_")))
