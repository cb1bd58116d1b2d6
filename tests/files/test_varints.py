from __future__ import annotations

import pytest

from brew.files import varints


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 1 << 31, (1 << 64) - 1])
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    data = b"ab" + varints.written(number)
    assert varints.read(data + b"\xff", 2) == (number, len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 100_000])
def test_a_number_without_an_end_is_an_error(data: bytes) -> None:
    with pytest.raises(IndexError):
        varints.read(data, 0)
