from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from brew.data.images.cache import ImageCache

SIZE = 400_000  # of an image, in bytes: two in a MiB


class Decoder:
    """Counts what it decodes."""

    def __init__(self):
        self.decoded = []

    def get(self, cache, key):
        def decode():
            self.decoded.append(key)
            return np.full(SIZE, key, np.uint8)

        return cache.get(key, decode, lambda image: image)


def test_what_fits_is_decoded_once_and_the_rest_anew(caplog):
    cache, decoder = ImageCache(1, "d"), Decoder()
    with caplog.at_level(logging.INFO, "brew"):
        for _ in range(3):
            assert [int(decoder.get(cache, key)[7]) for key in (5, 6, 7, 8)] == [5, 6, 7, 8]
    assert decoder.decoded == [5, 6, 7, 8, 7, 8, 7, 8]
    assert caplog.messages == ['layer "d": cache_mib: 1 are full with 2 images; the others are decoded in every epoch']


def test_none_is_kept_without_memory(caplog):
    cache, decoder = ImageCache(0, "d"), Decoder()
    with caplog.at_level(logging.INFO, "brew"):
        assert [int(decoder.get(cache, 5)[0]) for _ in range(2)] == [5, 5]
    assert decoder.decoded == [5, 5] and not caplog.messages


def test_many_threads_stay_within_the_memory():
    cache, decoder = ImageCache(8, "d"), Decoder()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: int(decoder.get(cache, i % 40)[0]), range(400)))
    assert found == [i % 40 for i in range(400)]
    first = len(decoder.decoded)
    for key in range(40):
        decoder.get(cache, key)
    assert len(decoder.decoded) - first == 40 - (8 << 20) // SIZE
