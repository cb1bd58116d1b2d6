"""What would make batches of images come faster, in words: for layers whose training waits for them."""

from __future__ import annotations

from brew.cpu import threads

from . import jpeg

_LARGER = 2  # how much more pixels than needed an image may have


def of_images(image: tuple[int, ...], crop: tuple[int, int] | None, *, is_jpeg: bool, shrinks: bool) -> list[str]:
    """For compressed images of this shape (channels, height, width), of which a `crop` (height, width) is used."""
    found = []
    if is_jpeg and jpeg.library() is None:
        found.append('pip install "brew-caffe[jpeg]" decodes JPEG at twice the speed')
    side = max(crop or (0,)) * 8 // 7  # 256 for 224
    if len(image) == 3 and side and image[1] * image[2] > _LARGER * side * side and not shrinks:
        wanted = " x ".join(map(str, crop or ()))
        found.append(f"images of {image[1]} x {image[2]} are more than a crop of {wanted} needs: {side} are enough")
        if is_jpeg and min(image[1:]) >= 2 * side:
            found.append(f"transform_param {{ decode_at_least: {side} }} decodes them smaller")
    if threads.decoders() < threads.cores():
        found.append(f"more than {threads.decoders()} threads (--threads): there are {threads.cores()} cores")
    return found
