"""What oneDNN computes of several layers in one go: rows of types, and the module that has each (brew.layer.fused)."""

from __future__ import annotations

ROWS: dict[tuple[str, ...], str] = {
    ("Convolution", "BatchNorm", "Scale", "Eltwise", "ReLU"): "_convolved",
    ("Convolution", "BatchNorm", "Scale", "Eltwise"): "_convolved",
    ("Convolution", "BatchNorm", "Scale", "ReLU"): "_convolved",
    ("Convolution", "BatchNorm", "Scale"): "_convolved",
    ("Convolution", "BatchNorm", "ReLU"): "_convolved",
    ("Convolution", "BatchNorm"): "_convolved",
    ("Convolution", "Scale", "ReLU"): "_convolved",
    ("Convolution", "Scale"): "_convolved",
    ("Convolution", "ReLU"): "_convolved",
    ("BatchNorm", "Scale", "Eltwise", "ReLU"): "_residual",
    ("BatchNorm", "Scale", "ReLU"): "_normalised",
    ("BatchNorm", "ReLU"): "_normalised",
    ("BatchNorm", "Scale"): "_normalised",
    ("Eltwise", "ReLU"): "_summed",
    ("InnerProduct", "ReLU"): "_multiplied",
}
