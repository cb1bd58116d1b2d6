"""Draws augmentation.png, what each augmentation makes of one picture: python docs/images/augmentation.py

A column for each record number; the picture is drawn here, with boxes that follow it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from brew.data.augment import boxes
from brew.data.augment.draws import Draws
from brew.data.transformer import Transformer
from brew.layer import TRAIN, Context
from brew.proto.brew_pb2 import TransformationParameter
from brew.prototxt import parse

Bytes = npt.NDArray[np.uint8]

HEIGHT, WIDTH, ACROSS, NAME = 96, 128, 6, 150
ROWS = (
    ("distort_param", """distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5
        contrast_lower: 0.5 contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5
        saturation_upper: 1.5 }"""),
    ("color_jitter_param", """color_jitter_param { brightness: 0.4 contrast: 0.4 saturation: 0.6 hue: 0.1
        gray_prob: 0.2 }"""),
    ("expand_param", "expand_param { max_expand_ratio: 3 } resize_param { height: 96 width: 128 interp_mode: AREA }"),
    ("random_resized_crop", "random_resized_crop_param { height: 96 width: 128 area_lower: 0.2 } mirror: true"),
    ("img_rand_resize", """img_rand_resize_lower: 100 img_rand_resize_upper: 200 horizontal_stretch_lower: 0.8
        horizontal_stretch_upper: 1.4 allow_upscale: true crop_h: 96 crop_w: 128"""),
    ("affine_param", "affine_param { rotate: 25 scale_lower: 0.8 scale_upper: 1.1 shear_x: 10 translate_x: 0.1 }"),
    ("rand_augment_param", "rand_augment_param { operations: 2 magnitude: 7 }"),
    ("blur_param, noise", """blur_param { prob: 0.6 sigma_lower: 1 } gaussian_noise_param { prob: 0.6 std_lower: 15
        std_upper: 25 }"""),
    ("jpeg_param, noise_param", """jpeg_param { quality_lower: 3 quality_upper: 9 }
        noise_param { prob: 0.5 hist_eq: true }"""),
    ("erase_param", "erase_param { prob: 1 count: 2 area_upper: 0.15 }"),
)  # fmt: skip
BOXES = np.array([[34.0, 52.0, 62.0, 88.0], [92.0, 42.0, 116.0, 86.0]])  # the house and the tree


def picture() -> Bytes:
    """A meadow with a house and a tree, (3, HEIGHT, WIDTH), BGR."""
    big = 4
    image = Image.new("RGB", (WIDTH * big, HEIGHT * big))
    draw = ImageDraw.Draw(image)

    def at(*numbers: float) -> list[float]:
        return [number * big for number in numbers]

    for y in range(HEIGHT):
        share = y / HEIGHT
        draw.rectangle(at(0, y, WIDTH, y + 1), (int(90 + 120 * share), int(160 + 60 * share), 235))
    draw.ellipse(at(8, 8, 28, 28), (255, 214, 70))
    draw.ellipse(at(-40, 58, 90, 150), (116, 176, 84))
    draw.ellipse(at(50, 64, 190, 170), (96, 158, 74))
    draw.rectangle(at(36, 66, 60, 88), (240, 226, 200))
    draw.polygon([tuple(at(34, 66)), tuple(at(48, 52)), tuple(at(62, 66))], (196, 72, 52))
    draw.rectangle(at(45, 76, 51, 88), (120, 82, 52))
    draw.rectangle(at(39, 70, 43, 75), (110, 160, 210))
    draw.rectangle(at(53, 70, 57, 75), (110, 160, 210))
    draw.rectangle(at(102, 66, 106, 86), (116, 78, 46))
    draw.ellipse(at(92, 42, 116, 70), (58, 122, 56))
    small = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))
    return np.ascontiguousarray(small[:, :, ::-1].transpose(2, 0, 1))


def made(text: str, image: Bytes, record: int) -> Image.Image:
    """The picture as record `record`, and its boxes."""
    param = parse(f"{text} mean_value: 104 mean_value: 117 mean_value: 123", TransformationParameter).message
    transformer = Transformer(param, Context(phase=TRAIN, seed=4), "data", "Data")
    out = np.empty((1, *transformer.output_shape(image.shape)), np.float32)
    transformer([image], record, out)
    pixels = np.clip(np.rint(out[0] + np.array([104, 117, 123]).reshape(3, 1, 1)), 0, 255).astype(np.uint8)
    drawn = Image.fromarray(np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0)))
    draw, augmentation = ImageDraw.Draw(drawn), transformer.augmentation
    assert augmentation is not None
    plan = augmentation.plan(image, Draws(4, "data", record), transformer.start(record))
    found = boxes.moved(BOXES, plan.points)
    kept = boxes.emitted(found, *pixels.shape[1:], param.emit_constraint)
    for left, top, right, bottom in boxes.clipped(found[kept], *pixels.shape[1:]):
        draw.rectangle((left, top, right - 1, bottom - 1), outline=(255, 255, 255))
    return drawn


def sheet() -> Image.Image:
    image, gap = picture(), 6
    page = Image.new("RGB", (NAME + ACROSS * (WIDTH + gap), len(ROWS) * (HEIGHT + gap) + gap), "white")
    write = ImageDraw.Draw(page)
    for number, (name, text) in enumerate(ROWS):
        top = gap + number * (HEIGHT + gap)
        write.text((gap, top + HEIGHT // 2 - 6), name, (52, 58, 64), font_size=13)
        for record in range(ACROSS):
            page.paste(made(text, image, record), (NAME + record * (WIDTH + gap), top))
    return page


if __name__ == "__main__":
    sheet().quantize(192).save(Path(__file__).with_name("augmentation.png"), optimize=True)
