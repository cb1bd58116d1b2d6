"""The groups of layers that oneDNN computes as one: their types, and the class for each (brew.layer.engine)."""

from __future__ import annotations

FUSED: dict[tuple[str, ...], str] = {
    ("Convolution", "BatchNorm", "Scale", "Eltwise", "ReLU"): "_convolved:Folded",
    ("Convolution", "BatchNorm", "Scale", "Eltwise"): "_convolved:Folded",
    ("Convolution", "BatchNorm", "Scale", "ReLU"): "_convolved:Folded",
    ("Convolution", "BatchNorm", "Scale"): "_convolved:Folded",
    ("Convolution", "BatchNorm", "ReLU"): "_convolved:Folded",
    ("Convolution", "BatchNorm"): "_convolved:Folded",
    ("Convolution", "Scale", "ReLU"): "_convolved:Folded",
    ("Convolution", "Scale"): "_convolved:Folded",
    ("Convolution", "ReLU"): "_convolved:Rectified",
    ("BatchNorm", "Scale", "Eltwise", "ReLU"): "_residual:Residual",
    ("BatchNorm", "Scale", "ReLU"): "_normalised:Normalised",
    ("BatchNorm", "ReLU"): "_normalised:Normalised",
    ("BatchNorm", "Scale"): "_normalised:Normalised",
    ("Eltwise", "ReLU"): "_summed:Summed",
    ("InnerProduct", "ReLU"): "_multiplied:Rectified",
}
