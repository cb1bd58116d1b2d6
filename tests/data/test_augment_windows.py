"""Windows and sizes: what forks name, number for number; what is drawn, and from where to where."""

from __future__ import annotations

import numpy as np
import pytest

from brew.data.augment import boxes, sizes, windows
from brew.data.augment.augmenter import Augmenter
from brew.data.augment.draws import Draws
from brew.data.augment.samplers import BatchSampler, Sampler
from brew.proto.brew_pb2 import (
    EmitConstraint,
    ExpansionParameter,
    RandomAspectRatioParameter,
    RandomResizedCropParameter,
    ResizeParameter,
    TransformationParameter,
)
from brew.prototxt import parse


def draws(purpose: str, records: int = 2000):
    return (Draws(3, "data", record).of(purpose) for record in range(records))


def param(text: str) -> TransformationParameter:
    return parse(text, TransformationParameter).message


@pytest.mark.parametrize(
    ("mode", "image", "size", "border"),
    [
        ("WARP", (375, 500), (300, 200), (0, 0, 0, 0)),
        ("FIT_SMALL_SIZE", (375, 500), (300, 400), (0, 0, 0, 0)),  # height is met, width is more
        ("FIT_SMALL_SIZE", (500, 375), (300, 225), (0, 0, 0, 0)),
        ("FIT_SMALL_SIZE", (500, 250), (400, 200), (0, 0, 0, 0)),  # width is met
        ("FIT_LARGE_SIZE_AND_PAD", (375, 500), (150, 200), (75, 0, 75, 0)),
        ("FIT_LARGE_SIZE_AND_PAD", (500, 250), (300, 150), (0, 25, 0, 25)),
        ("FIT_LARGE_SIZE_AND_PAD", (401, 500), (160, 200), (70, 0, 70, 0)),
        ("FIT_LARGE_SIZE_AND_PAD", (1, 5000), (1, 200), (149, 0, 150, 0)),
    ],
)
def test_ssds_sizes(mode, image, size, border):
    wanted = ResizeParameter(height=300, width=200, resize_mode=ResizeParameter.Resize_mode.Value(mode))
    target = sizes.fixed(wanted, None, *image)
    assert (target.size, target.border, target.mode) == (size, border, ResizeParameter.LINEAR)


def test_interpolations_are_drawn_alike_and_the_first_counts_in_test():
    modes = [ResizeParameter.CUBIC, ResizeParameter.AREA, ResizeParameter.LINEAR]
    wanted = ResizeParameter(height=3, width=2, interp_mode=modes)
    found = [sizes.fixed(wanted, draw, 9, 9).mode for draw in draws("resize")]
    assert all(abs(found.count(mode) / 2000 - 1 / 3) < 0.04 for mode in modes)
    assert sizes.fixed(wanted, None, 9, 9).mode == ResizeParameter.CUBIC
    half = ResizeParameter(height=3, width=2, prob=0.5)
    assert abs(sum(sizes.fixed(half, draw, 9, 9) is None for draw in draws("resize")) / 2000 - 0.5) < 0.04


def test_nvidias_shorter_side():
    asked = param("img_rand_resize_lower: 100 img_rand_resize_upper: 120 allow_upscale: true")
    found = [sizes.nvidia(asked, draw, 200, 300, (0, 0)).size for draw in draws("resize")]
    assert {size[0] for size in found} == set(range(100, 121))
    assert all(size[1] == int(size[0] * 1.5 + 0.5) for size in found)
    assert sizes.nvidia(asked, None, 200, 300, (0, 0)).size == (110, 165)


def test_nvidia_never_grows_unless_told_and_never_falls_below_the_crop():
    asked = param("img_rand_resize_lower: 300 img_rand_resize_upper: 300")
    assert sizes.nvidia(asked, None, 200, 350, (0, 0)).size == (200, 350)
    asked.allow_upscale = True
    grown = sizes.nvidia(asked, None, 200, 350, (0, 0))
    assert grown.size == (300, 525) and grown.mode == ResizeParameter.CUBIC
    small = param("img_rand_resize_lower: 50 img_rand_resize_upper: 50")
    target = sizes.nvidia(small, None, 200, 350, (64, 64))
    assert target.size == (64, 88) and target.mode == ResizeParameter.AREA


def test_nvidias_aspects_and_stretches():
    asked = param("rand_resize_ratio_lower: 1 rand_resize_ratio_upper: 1.5 allow_upscale: true")
    found = [sizes.nvidia(asked, draw, 100, 100, (0, 0)).size for draw in draws("resize")]
    assert all(min(size) == 100 <= max(size) <= 150 for size in found)
    assert 0.45 < np.mean([size[0] > size[1] for size in found]) < 0.55
    assert all(sizes.nvidia(asked, draw, 100, 130, (0, 0)).size[0] == 100 for draw in draws("resize", 50))
    asked = param(
        "vertical_stretch_lower: 0.5 vertical_stretch_upper: 0.6 horizontal_stretch_upper: 1.2 allow_upscale: true"
    )
    found = [sizes.nvidia(asked, draw, 100, 200, (0, 0)).size for draw in draws("resize")]
    assert {size[0] for size in found} == set(range(50, 61)) and {size[1] for size in found} == set(range(200, 241))


def test_intels_shorter_side():
    asked = param("random_resize_param { min_size: 30 max_size: 33 }").random_resize_param
    found = {sizes.shorter_side(asked, draw, 60, 90).size for draw in draws("resize")}
    assert found == {(30, 45), (31, 47), (32, 48), (33, 50)}


def test_expanded_canvases():
    asked = ExpansionParameter(prob=0.5, max_expand_ratio=4)
    found = [windows.canvas(asked, draw, 100, 200) for draw in draws("expand", 4000)]
    larger = [c for c in found if c != (0, 0, 100, 200)]
    assert abs(len(larger) / len(found) - 0.5) < 0.03
    ratios = [(bottom - top) / 100 for top, _, bottom, _ in larger]
    assert 1 <= min(ratios) < 1.02 and 3.97 < max(ratios) <= 4 and abs(np.mean(ratios) - 2.5) < 0.06
    assert all(abs((c[3] - c[1]) / 200 - ratio) <= 0.01 for c, ratio in zip(larger, ratios, strict=True))
    places = [-top / (bottom - top - 100) for top, _, bottom, _ in larger if bottom - top > 150]
    assert all(0 <= place <= 1 for place in places) and abs(np.mean(places) - 0.5) < 0.03
    assert windows.canvas(ExpansionParameter(max_expand_ratio=1), next(draws("expand")), 7, 9) == (0, 0, 7, 9)


def test_random_resized_crops():
    asked = RandomResizedCropParameter(height=224, width=224)
    found = [windows.resized(asked, draw, 400, 500) for draw in draws("crop", 4000)]
    assert all(0 <= top < bottom <= 400 and 0 <= left < right <= 500 for top, left, bottom, right in found)
    areas = np.array([(b - t) * (r - left) / 200_000 for t, left, b, r in found])
    aspects = np.array([(r - left) / (b - t) for t, left, b, r in found])
    assert 0.079 < areas.min() < 0.09 and areas.max() > 0.95 and aspects.min() > 0.74 and aspects.max() < 1.35
    assert abs(np.median(np.log(aspects))) < 0.05
    assert windows.resized(asked, None, 400, 500) == (0, 50, 400, 450)
    wide = RandomResizedCropParameter(height=100, width=200)
    assert windows.resized(wide, None, 400, 500) == (75, 0, 325, 500)
    # Where no window fits: the largest in the middle of an aspect that is allowed.
    assert windows.resized(RandomResizedCropParameter(height=9, width=9, area_lower=1), next(draws("crop")), 10, 99) == (
        0, 43, 10, 56,
    )  # fmt: skip


def test_intels_windows():
    asked = RandomAspectRatioParameter(min_area_ratio=0.3, max_area_ratio=0.6, aspect_ratio_change=2)
    found = [windows.changed_aspect(asked, draw, 300, 400) for draw in draws("crop")]
    areas = np.array([(b - t) * (r - left) / 120_000 for t, left, b, r in found])
    aspects = np.array([(r - left) / (b - t) for t, left, b, r in found])
    assert 0.29 < areas.min() < 0.32 and 0.58 < areas.max() < 0.61
    assert 0.49 < aspects.min() < 0.53 and 1.9 < aspects.max() < 2.02
    never = RandomAspectRatioParameter(max_attempt=0)
    assert windows.changed_aspect(never, next(draws("crop")), 300, 400) == (0, 50, 300, 350)


# --- boxes ------------------------------------------------------------------------------------------------------------

GEOMETRY = """expand_param { max_expand_ratio: 2 } resize_param { height: 90 width: 120 } vertical_mirror: true
    affine_param { rotate: 25 scale_lower: 0.8 scale_upper: 1.2 shear_x: 10 translate_x: 0.1 }
    rand_augment_param { magnitude: 3 }"""


@pytest.mark.parametrize("text", [GEOMETRY, GEOMETRY.replace("width: 120", "width: 90") + "random_90_deg_rot: true"])
def test_a_marker_ends_inside_of_its_box(text):
    """Whatever is drawn, what was in a box is in the box that has moved with it, and the mask agrees."""
    asked = param(text)
    augmenter = Augmenter(asked, training=True, mean=[0])
    masks = Augmenter(param(text + " is_mask: true ignore_label: 0"), training=True, mean=[])
    image = np.zeros((1, 60, 80), np.uint8)
    image[:, 20:32, 40:58] = 250
    box = np.array([[40.0, 20.0, 58.0, 32.0]])
    seen = 0
    for record in range(60):
        numbers = Draws(1, "data", record)
        view = augmenter.frame(numbers, augmenter.canvas(numbers, 60, 80), 60, 80)
        plan = augmenter.plan(image, numbers, view)
        [found] = boxes.clipped(boxes.moved(box, plan.points), *plan.view.size)
        result = plan.image(image, np.zeros(1, np.uint8))[0] > 125
        rows, columns = np.nonzero(result)
        if not len(rows):
            continue
        seen += 1
        assert columns.min() >= found[0] - 1.5 and columns.max() + 1 <= found[2] + 1.5
        assert rows.min() >= found[1] - 1.5 and rows.max() + 1 <= found[3] + 1.5
        mask = masks.plan(image, numbers, view).mask(image // 250, 0)[0]
        assert (mask != result).mean() < 0.03
    assert seen > 45


def test_boxes_that_stay():
    found = np.array([[-10, 10, 8, 20], [-5, 10, 8, 20], [95, 40, 130, 60], [200, 0, 210, 9], [20, 20, 30, 30.0]])
    assert boxes.emitted(found, 50, 100, None).tolist() == [True, True, True, False, True]
    assert boxes.emitted(found, 50, 100, EmitConstraint()).tolist() == [False, True, False, False, True]
    overlap = EmitConstraint(emit_type=EmitConstraint.MIN_OVERLAP, emit_overlap=0.5)
    assert boxes.emitted(found, 50, 100, overlap).tolist() == [False, True, False, False, True]
    assert np.allclose(boxes.covered(found, np.array([0, 0, 100, 50.0])), [8 / 18, 8 / 13, 5 / 35 / 2, 0, 1])
    assert np.allclose(boxes.overlap(found[4:], np.array([25, 20, 35, 30.0])), [50 / 150])


def test_batch_samplers_accept_what_is_asked_for():
    objects = np.array([[0.1, 0.1, 0.4, 0.5], [0.6, 0.5, 0.9, 0.9]])
    for field, share in (("jaccard", boxes.overlap), ("object_coverage", boxes.covered)):
        limits = {field: (0.5, 0.9)}
        sampler = BatchSampler([Sampler((0.3, 1.0), (0.5, 2.0), most=1, trials=50, **limits)])
        found = [sampler.window(objects, Draws(1, "data", record)) for record in range(200)]
        accepted = [window for window in found if window is not None]
        assert len(accepted) > 50
        for window in accepted:
            assert (window >= 0).all() and (window <= 1 + 1e-9).all()
            assert (
                share(objects, window).max() >= 0.5
                and ((share(objects, window) >= 0.5) & (share(objects, window) <= 0.9)).any()
            )
            width, height = window[2:] - window[:2]
            assert 0.3 <= np.sqrt(width * height) <= 1 and 0.5 - 1e-9 <= width / height <= 2 + 1e-9
    impossible = BatchSampler([Sampler((0.1, 0.2), jaccard=(0.9, np.inf), trials=20)])
    assert impossible.window(objects, Draws(1, "data", 0)) is None
    whole = BatchSampler([Sampler(most=1, trials=1), Sampler((0.1, 0.2), jaccard=(0.9, np.inf), trials=20)])
    assert np.array_equal(whole.window(objects, Draws(1, "data", 0)), [0, 0, 1, 1])


def test_of_many_samplers_each_gives_its_window():
    samplers = BatchSampler(
        [Sampler(most=1, trials=1), Sampler((0.5, 0.5), most=1, trials=9), Sampler((0.3, 0.3), most=1)]
    )
    scales = [
        np.sqrt(np.prod(w[2:] - w[:2]))
        for w in (samplers.window(np.zeros((0, 4)), Draws(1, "d", i)) for i in range(600))
    ]
    assert [abs(np.mean(np.isclose(scales, s)) - 1 / 3) < 0.07 for s in (1, 0.5, 0.3)] == [True] * 3
