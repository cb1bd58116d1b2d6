"""Blobs read by others: as arrays, and by DLPack, without a copy."""

from __future__ import annotations

import numpy as np

from brew.memory.blob import Blob


def test_a_blob_is_read_as_an_array() -> None:
    blob = Blob((2, 3), name="x")
    blob.data = np.arange(6).reshape(2, 3)
    assert np.asarray(blob).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.shares_memory(np.asarray(blob), blob.data)
    assert not np.shares_memory(np.array(blob), blob.data)
    assert np.asarray(blob, np.float64).dtype == np.float64


def test_dlpack_gives_the_blobs_own_memory() -> None:
    blob = Blob((4,), name="x")
    there = np.from_dlpack(blob)
    there[...] = 7
    assert blob.data.tolist() == [7] * 4
