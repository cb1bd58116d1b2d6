"""The flags that Caffe's classify.py and detect.py share: the model, and how images are prepared for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brew.errors import UsageError

from .gpu import device_for
from .net_options import names
from .output import echo

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_log = logging.getLogger("brew")

_OPTIONS = (
    click.option("--model-def", required=True, metavar="FILE", help="The deploy net's prototxt."),
    click.option("--pretrained-model", required=True, metavar="FILE", help="Its weights."),
    click.option("--gpu", is_flag=True, help="Run on the GPU; an error where there is none."),
    click.option("--mean-file", metavar="FILE", help='Mean to subtract: .npy or .binaryproto; "" for none.'),
    click.option("--input-scale", type=float, metavar="X", help="Factor of what is left after the mean."),
    click.option("--raw-scale", type=float, default=255.0, metavar="X", help="Factor of pixels from 0 to 1 (255)."),
    click.option("--channel-swap", default="2,1,0", metavar="N,N,N", help="Order of channels (2,1,0: BGR)."),
)


def pycaffe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add the flags to a verb; `Preparation` takes what they say."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Preparation:
    """What these flags say."""

    model_def: str
    pretrained_model: str
    gpu: bool
    mean_file: str | None
    input_scale: float | None
    raw_scale: float
    channel_swap: str

    def use_device(self) -> None:
        """Make nets run where `gpu` says, and print it; DeviceError without a GPU."""
        from brew.net import mode

        if self.gpu:
            device_for("0")
            mode.set_mode_gpu()
        else:
            mode.set_mode_cpu()
        echo("GPU mode" if self.gpu else "CPU mode")

    def arguments(self) -> dict[str, Any]:
        """The keywords of caffe.Classifier and caffe.Detector for the images, without the mean."""
        return {
            "input_scale": self.input_scale,
            "raw_scale": self.raw_scale,
            "channel_swap": whole_numbers("--channel_swap", self.channel_swap) or None,
        }

    def mean(self) -> npt.NDArray[np.float32] | None:
        """The mean, (channels, height, width) or (channels,); None without one, which is told where nobody said so."""
        if not self.mean_file:
            if self.mean_file is None:
                _log.warning('no --mean_file is given: no mean is subtracted (--mean_file "" says so)')
            return None
        import numpy as np

        from brew.files.npy import read_npy
        from brew.files.weights.caffemodel import read_blob

        path = Path(self.mean_file)
        if path.suffix.lower() == ".npy":
            return read_npy(path, "mean").astype(np.float32)
        blob = read_blob(path)
        shape = tuple(blob.shape)
        return np.asarray(blob.data, np.float32).reshape(shape[1:] if len(shape) == 4 and shape[0] == 1 else shape)


def whole_numbers(option: str, text: str, count: int | None = None) -> list[int]:
    """The numbers of a text with commas between them; UsageError for other texts, and for another `count`."""
    parts = names(text)
    if not all(part.isdecimal() for part in parts) or (count is not None and len(parts) != count):
        wanted = "whole numbers" if count is None else f"{count} whole numbers"
        raise UsageError(f'{option} takes {wanted} with commas between them, not "{text}"')
    return [int(part) for part in parts]
