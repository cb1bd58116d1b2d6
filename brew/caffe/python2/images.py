"""Functions on images that SciPy, scikit-image and OpenCV had."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> npt.NDArray[np.uint8]:
    """SciPy's: bytes as they are, anything else stretched from its least and largest value to `low` and `high`."""
    array = np.asarray(data)
    if array.dtype == np.uint8:
        return array
    least, most = (array.min() if cmin is None else cmin), (array.max() if cmax is None else cmax)
    scale = (high - low) / ((float(most) - float(least)) or 1.0)
    stretched = (array - float(least)) * scale + low
    return (stretched.clip(low, high) + 0.5).astype(np.uint8)


def _picture(array: Any) -> Any:
    from PIL import Image

    data = bytescale(array)
    if data.ndim == 3 and data.shape[0] in (3, 4) and data.shape[2] not in (3, 4):
        data = data.transpose(1, 2, 0)
    return Image.fromarray(data)


class ScipyMisc:
    """`scipy.misc` of before SciPy 1.3."""

    bytescale = staticmethod(bytescale)

    @staticmethod
    def imread(name: Any, flatten: bool = False, mode: str | None = None) -> npt.NDArray[Any]:
        from PIL import Image

        with Image.open(name) as image:
            if mode is not None or image.mode == "P":
                picture = image.convert(mode or ("RGBA" if "transparency" in image.info else "RGB"))
            else:
                picture = image.convert("L") if image.mode == "1" else image.copy()
        return np.array(picture.convert("F") if flatten else picture)

    @staticmethod
    def imsave(name: Any, array: Any, format: str | None = None) -> None:
        _picture(array).save(name, format)

    @staticmethod
    def imresize(array: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> npt.NDArray[Any]:
        """`size` is a percentage, a fraction, or (height, width)."""
        from PIL import Image

        picture = _picture(array)
        if isinstance(size, int | np.integer):
            size = size / 100.0
        if isinstance(size, float | np.floating):
            wanted = (int(picture.size[0] * size), int(picture.size[1] * size))
        else:
            wanted = (int(size[1]), int(size[0]))
        how = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}[interp]
        return np.array(picture.resize(wanted, Image.Resampling(how)))

    @staticmethod
    def imrotate(array: Any, angle: float, interp: str = "bilinear") -> npt.NDArray[Any]:
        from PIL import Image

        how = {"nearest": 0, "bilinear": 2, "bicubic": 3, "cubic": 3}[interp]
        return np.array(_picture(array).rotate(angle, Image.Resampling(how)))

    @staticmethod
    def imshow(array: Any) -> None:
        _picture(array).show()

    @staticmethod
    def logsumexp(*arguments: Any, **options: Any) -> Any:
        return importlib.import_module("scipy.special").logsumexp(*arguments, **options)


class _OldConstants(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        cv2 = importlib.import_module("cv2")
        new = _OF_CV.get(name, name.removeprefix("CV_"))
        places = (new, f"COLOR_{new}", f"INTER_{new}")
        for place in places:
            if hasattr(cv2, place):
                return getattr(cv2, place)
        raise AttributeError(f"cv2 has none of {', '.join(places)}, which cv2.cv.{name} may have become")


_OF_CV = {
    "BoxPoints": "boxPoints", "CV_AA": "LINE_AA", "CV_FOURCC": "VideoWriter_fourcc", "FOURCC": "VideoWriter_fourcc",
    "CV_LOAD_IMAGE_COLOR": "IMREAD_COLOR", "CV_LOAD_IMAGE_GRAYSCALE": "IMREAD_GRAYSCALE",
    "CV_LOAD_IMAGE_UNCHANGED": "IMREAD_UNCHANGED",
}  # fmt: skip


class OldConstants(metaclass=_OldConstants):
    """`cv2.cv`: constants of OpenCV 2, which are in cv2 now, without CV_ or with COLOR_."""


def sk_imread(name: Any, *arguments: Any, **options: Any) -> Any:
    """`skimage.io.imread`, whose as_gray was as_grey."""
    if "as_grey" in options:
        options["as_gray"] = options.pop("as_grey")
    return importlib.import_module("skimage.io").imread(name, *arguments, **options)


def sk_resize(image: Any, shape: Any, *arguments: Any, **options: Any) -> Any:
    """`skimage.transform.resize` of before 0.15: no smoothing, and 0 outside of the image."""
    before = {"anti_aliasing": False, **({} if len(arguments) > 1 else {"mode": "constant"})}
    return importlib.import_module("skimage.transform").resize(image, shape, *arguments, **{**before, **options})


def sk_rescale(image: Any, scale: Any, *arguments: Any, **options: Any) -> Any:
    """`skimage.transform.rescale` of before 0.15: colours are not rescaled."""
    colours = {"channel_axis": -1} if np.ndim(image) == 3 and np.shape(image)[2] in (3, 4) else {}
    if "multichannel" in options and not options.pop("multichannel"):
        colours = {}
    before = {"anti_aliasing": False, "mode": "constant", **colours}
    return importlib.import_module("skimage.transform").rescale(image, scale, *arguments, **{**before, **options})
