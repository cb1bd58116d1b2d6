"""WAV files, read from their bytes: whole numbers of 8 to 32 bits, floats, A-law and mu-law, extensible headers.

Sources: Microsoft's description of RIFF and of WAVEFORMATEXTENSIBLE, EBU Tech 3306 (RF64), ITU-T G.711.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_OPEN_ENDED = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what programs that cannot go back write as the size of the samples
_MOST_CHANNELS, MOST_RATE = 64, 1_000_000
_KNOWN = {2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3"}


class BadSound(Exception):
    """Bytes that are no sound that can be read; the message begins behind the name of the file."""


class Layout(NamedTuple):
    """Where the samples of a WAV file are, and how they are stored: `frames` of `channels` values."""

    rate: int
    channels: int
    code: int
    bytes_each: int
    start: int
    frames: int


def is_wav(data: bytes) -> bool:
    """Whether bytes begin as a WAV file does."""
    return data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE"


def layout(data: bytes, size: int | None = None) -> Layout:
    """The layout of a WAV file from its first bytes `data`, where the whole file has `size`. BadSound."""
    size = len(data) if size is None else size
    form: tuple[int, int, int, int] | None = None
    long_size = 0
    at = 12
    while at + 8 <= min(len(data), size):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = at + 8
        if name == b"ds64" and data[:4] == b"RF64":
            long_size = int.from_bytes(data[body + 8 : body + 16], "little")
        elif name == b"fmt ":
            form = _form(data[body : body + length])
        elif name == b"data":
            if form is None:
                raise BadSound("its samples stand before what says how they are stored")
            return _samples(form, body, long_size if length == 0xFFFFFFFF and long_size else length, size)
        at = body + length + length % 2
    if form is not None:
        raise BadSound("it has no samples")
    raise BadSound("its header is cut off" if size < 44 else "nothing in it says how its samples are stored")


def _form(chunk: bytes) -> tuple[int, int, int, int]:
    """(code, channels, rate, bytes of a value) of the chunk "fmt "."""
    if len(chunk) < 16:
        raise BadSound("its header is cut off")
    code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", chunk[:16])
    if code == _EXTENSIBLE:
        if len(chunk) < 26:
            raise BadSound("its header is cut off")
        code = int.from_bytes(chunk[24:26], "little")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise BadSound(f"it has {channels} channels; 1 to {_MOST_CHANNELS} are expected")
    if not 1 <= rate <= MOST_RATE:
        raise BadSound(f"it has {rate} samples a second; 1 to {MOST_RATE} are expected")
    each, rest = divmod(block, channels)
    known = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8), _A_LAW: (1,), _MU_LAW: (1,)}.get(code)
    if known is None:
        raise BadSound(f"its samples are stored as {_KNOWN.get(code, f'format {code}')}, which is not read")
    if rest or each not in known or bits > 8 * each:
        raise BadSound(f"{bits} bits of {channels} channels in {block} bytes make no sense")
    return code, channels, rate, each


def _samples(form: tuple[int, int, int, int], start: int, length: int, size: int) -> Layout:
    code, channels, rate, each = form
    there = size - start
    if length in _OPEN_ENDED:
        length = there
    elif length > there:
        raise BadSound(f"its samples take {length} bytes by its header; {there} are there: it is cut off, or no WAV")
    return Layout(rate, channels, code, each, start, length // (each * channels))


def read_wav(data: bytes) -> tuple[Samples, int]:
    """(samples of shape (channels, frames) from -1 to 1, samples a second) of the bytes of a WAV file. BadSound."""
    found = layout(data)
    count = found.frames * found.channels
    raw = np.frombuffer(data, np.uint8, count * found.bytes_each, found.start)
    values = _values(raw, found.code, found.bytes_each)
    return np.ascontiguousarray(values.reshape(found.frames, found.channels).T), found.rate


def _values(raw: npt.NDArray[np.uint8], code: int, each: int) -> Samples:
    if code == _FLOAT:
        values = np.frombuffer(raw, "<f4" if each == 4 else "<f8").astype(np.float32)
        if not np.isfinite(values).all():
            raise BadSound("it has samples that are no finite numbers")
        return values
    if code in (_A_LAW, _MU_LAW):
        table = _a_law() if code == _A_LAW else _mu_law()
        return np.asarray(table[raw])
    if each == 1:
        return np.asarray((raw.astype(np.float32) - 128) / 128, np.float32)
    if each == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return np.asarray(wide.view("<i4")[:, 0] / 2.0**31, np.float32)
    return np.asarray(np.frombuffer(raw, f"<i{each}") / 2.0 ** (8 * each - 1), np.float32)


def _mu_law() -> Samples:
    """The value of each byte: sign, three bits of the segment, four of the step, all inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    step, segment = (code & 15).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    size = ((2 * step + 33) << segment) - 33
    return np.asarray(np.where(code & 128, -size, size) / 2.0**13, np.float32)


def _a_law() -> Samples:
    """The value of each byte: as in mu-law, every second bit inverted, and the first segment straight."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    step, segment = (code & 15).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    size = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return np.asarray(np.where(code & 128, size, -size) / 2.0**12, np.float32)
