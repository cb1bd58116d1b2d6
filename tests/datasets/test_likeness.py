from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from brew.data.images.decoding import decode_image
from brew.datasets.likeness import SIZE, pairs, signature


def scenes(count: int) -> list[Image.Image]:
    """Pictures of a few soft blobs, 120 x 90."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
        made.append(Image.fromarray(coarse).resize((120, 90), Image.Resampling.BICUBIC))
    return made


def stored(image: Image.Image, quality: int = 92, form: str = "JPEG") -> np.ndarray:
    out = io.BytesIO()
    image.save(out, form, **({"quality": quality} if form == "JPEG" else {}))
    return decode_image(out.getvalue())


CHANGES = {
    "the same": lambda image: stored(image),
    "saved again": lambda image: stored(image, 40),
    "smaller": lambda image: stored(image.resize((60, 45))),
    "larger": lambda image: stored(image.resize((301, 226))),
    "brighter": lambda image: stored(image.point(lambda value: min(255, value + 8))),
    "another format": lambda image: stored(image, form="PNG"),
    "gray": lambda image: stored(image.convert("L")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_are_found_and_others_are_not(change: str) -> None:
    images = scenes(300)
    originals = [signature(stored(image)) for image in images]
    changed = [signature(CHANGES[change](image)) for image in images[:60]]
    found = {tuple(sorted(pair)) for pair in pairs(np.stack([*originals, *changed]))}
    wanted = {(i, 300 + i) for i in range(60)}
    assert len(found & wanted) >= 59 and not found - wanted


def test_flat_and_tiny_pictures_take_no_time_and_exact_copies_are_joined() -> None:
    flat = [np.full((3, 5, 7), level, np.uint8) for level in (0, 128, 255)] * 1000
    signatures = np.stack([signature(pixels) for pixels in flat])
    assert signatures.shape == (3000, SIZE)
    parent = list(range(3000))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for one, other in pairs(signatures):
        parent[max(root(one), root(other))] = min(root(one), root(other))
    assert len({root(i) for i in range(0, 3000, 3)}) == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 900), (4, 17, 16), (1, 28, 28), (3, 63, 65)])
def test_pictures_of_any_shape_have_a_signature(shape: tuple[int, int, int]) -> None:
    gradient = np.broadcast_to(np.linspace(0, 255, shape[2]), shape).astype(np.uint8)
    squares = signature(gradient).reshape(16, 16)
    assert (np.diff(squares.astype(int), axis=1) >= 0).all() and (squares == squares[0]).all()
