"""Pictures whose pixels are labels: of a palette the numbers count, not the colours."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from .decoding import FORMATS, BadImage

_MODES = frozenset({"P", "L", "1", "I", "I;16"})


def decode_mask(data: bytes) -> npt.NDArray[np.uint8]:
    """The labels in an encoded picture, (1, height, width): indices of a palette, or gray values as they are.

    BadImage for colours, labels beyond 255, and what cannot be decoded.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    try:
        with images.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.mode not in _MODES:
                raise BadImage(f"is a mask in colours (mode {image.mode}); a palette or gray values are expected")
            values = np.asarray(image)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"of {len(data)} bytes is of no known format ({', '.join(FORMATS)})") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"cannot be decoded: {error}") from None
    except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
        raise BadImage(f"is refused: {error}") from None
    if values.size and int(values.max()) > 255:
        raise BadImage(f"has the label {int(values.max())}; up to 255 fit")
    return values.astype(np.uint8)[None]
