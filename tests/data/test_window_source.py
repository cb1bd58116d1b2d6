from __future__ import annotations

import pytest

from brew.data.window_source import Framing, Patch, rounded

HEIGHT, WIDTH = 6, 8


def patch(framing, *box, mirrored=False):
    return framing.patch(box, HEIGHT, WIDTH, mirrored=mirrored)


def test_warp_takes_the_box_as_it_is():
    assert patch(Framing(4), 1, 2, 5, 3) == Patch(slice(2, 4), slice(1, 6), 4, 4)


def test_surroundings_outside_of_the_image_stay_empty():
    # A box of 2 x 2 with its centre at (1, 1); 4 / (4 - 2) = 2 times as large it reaches from -1 to 3, 5 pixels, of
    # which 4 lie inside: 4 * 4/5 = 3.2 pixels of the square, after 1 * 4/5 = 0.8.
    assert patch(Framing(4, pad=1), 0, 0, 1, 1) == Patch(slice(0, 4), slice(0, 4), 3, 3, top=1, left=1)
    assert patch(Framing(4, pad=1), 0, 0, 1, 1, mirrored=True) == Patch(slice(0, 4), slice(0, 4), 3, 3, top=1, left=0)
    # The other corner: the centre (7, 5) reaches to 9 and 7, 2 pixels too far each: 3 inside, 3 * 4/5 = 2.4.
    assert patch(Framing(4, pad=1), 6, 4, 7, 5) == Patch(slice(3, 6), slice(5, 8), 2, 2)
    assert patch(Framing(4, pad=1), 6, 4, 7, 5, mirrored=True) == Patch(slice(3, 6), slice(5, 8), 2, 2, left=2)


def test_square_widens_the_short_side():
    # 2 wide and 4 high round (2, 3): both reach 2, from 0 to 4 and 1 to 5 (Caffe's one pixel more).
    assert patch(Framing(5, square=True), 1, 1, 2, 4) == Patch(slice(1, 6), slice(0, 5), 5, 5)


def test_what_rounding_adds_is_cut_off():
    # Half of the square before the image: 2.5 pixels of it become 3, and of the 2.5 behind only 2 have room.
    found = patch(Framing(5, square=True), -5, 0, 4, 5)
    assert (found.left, found.width, found.columns) == (2, 3, slice(0, 6))
    found = patch(Framing(5, square=True), -5, 0, 3, 5)  # -5 to 4: 5 of 10 are outside
    assert (found.left, found.width, found.columns) == (3, 2, slice(0, 5))


@pytest.mark.parametrize("box", [(0, 0, 8, 3), (-1, 0, 3, 3), (3, 0, 2, 3), (0, 0, 3, 6)])
def test_a_box_outside_of_the_image(box):
    with pytest.raises(ValueError, match="outside"):
        patch(Framing(4), *box)


def test_a_box_far_outside_has_no_surroundings_inside():
    with pytest.raises(ValueError, match="outside"):
        patch(Framing(4, pad=1), 30, 0, 31, 1)


def test_halves_are_rounded_away_from_zero():
    assert [rounded(v) for v in (0.5, 1.5, -0.5, -1.5, 0.49999997, 2.4)] == [1, 2, -1, -2, 0, 2]
