"""Files of sound, written byte by byte."""

from __future__ import annotations

import struct

import numpy as np

GUID = bytes.fromhex("000000001000800000aa00389b71")


def tone(frequency: float, seconds: float = 0.5, rate: int = 8000, level: float = 0.5) -> np.ndarray:
    """A sine."""
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def wav(
    values: np.ndarray,
    rate: int = 8000,
    *,
    code: int = 1,
    bits: int = 16,
    extensible: bool = False,
    before: bytes = b"",
) -> bytes:
    """A WAV file of values (frames,) or (frames, channels), from -1 to 1."""
    frames = np.atleast_2d(values.T).T
    channels = frames.shape[1]
    if code == 3:
        body = frames.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        body = np.rint(frames * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.rint(frames * (2.0 ** (bits - 1) - 1)).astype("<i8")
        body = b"".join(int(v).to_bytes(bits // 8, "little", signed=True) for v in whole.ravel())
    return assembled(body, rate, channels, code, bits, extensible=extensible, before=before)


def assembled(
    body: bytes, rate: int = 8000, channels: int = 1, code: int = 1, bits: int = 16, *, extensible: bool = False,
    before: bytes = b"", size: int | None = None,
) -> bytes:  # fmt: skip
    """A WAV file of these samples; `size` is what its header says of them."""
    block = channels * bits // 8
    form = struct.pack(
        "<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * block & 0xFFFFFFFF, block, bits
    )
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, code) + GUID
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + before
    chunks += b"data" + struct.pack("<I", len(body) if size is None else size) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
