"""The colours of cards by the kind of layer: a light one for the card and a strong one for its edge."""

from __future__ import annotations

INK, FAINT, LINE, PAPER = "#212529", "#495057", "#868e96", "#ffffff"
FRAME_FILL, FRAME_EDGE = "#f8f9fa", "#adb5bd"  # of a block that stands for several

FILL_AND_EDGE = {
    "data": ("#e9ecef", "#868e96"),
    "convolution": ("#ffe3e3", "#e03131"),
    "pooling": ("#ffe8cc", "#e8590c"),
    "product": ("#f3d9fa", "#9c36b5"),
    "neuron": ("#d3f9d8", "#2f9e44"),
    "norm": ("#c5f6fa", "#0c8599"),
    "loss": ("#fff3bf", "#f08c00"),
    "name": ("#ffffff", "#868e96"),
    "other": ("#dbe4ff", "#3b5bdb"),
}
