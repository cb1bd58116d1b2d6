"""WAV files: every way in which samples are stored, and headers that lie."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from sounds import assembled, tone, wav

from brew.datasets.features.sound.files import decode, examined
from brew.datasets.features.sound.wav import BadSound, layout, read_wav

SINE = tone(440, 0.05)
STORED = {
    "8 bits": (dict(bits=8), 0.01), "16 bits": (dict(bits=16), 1e-4), "24 bits": (dict(bits=24), 1e-6),
    "32 bits": (dict(bits=32), 1e-6), "float": (dict(code=3, bits=32), 1e-7), "double": (dict(code=3, bits=64), 1e-7),
    "extensible": (dict(bits=24, extensible=True), 1e-6), "extensible float": (dict(code=3, bits=32, extensible=True), 1e-7),
    "a chunk of odd size before": (dict(before=b"LIST\x03\0\0\0abc\0"), 1e-4),
}  # fmt: skip


@pytest.mark.parametrize("case", STORED)
def test_samples_are_read_as_they_were_stored(case: str) -> None:
    how, tolerance = STORED[case]
    samples, rate = read_wav(wav(SINE, 8000, **how))  # type: ignore[arg-type]
    assert rate == 8000 and samples.shape == (1, 400) and samples.dtype == np.float32
    np.testing.assert_allclose(samples[0], SINE, atol=tolerance)


def test_the_ends_of_the_scale() -> None:
    assert read_wav(assembled(struct.pack("<hhh", -32768, 0, 32767)))[0].tolist() == [[-1, 0, 32767 / 32768]]
    assert read_wav(assembled(bytes([0, 128, 255]), bits=8))[0].tolist() == [[-1, 0, 127 / 128]]
    assert read_wav(assembled(b"\0\0\x80\xff\xff\x7f", bits=24))[0][0, 0] == -1


def test_telephone_laws() -> None:
    """The largest, smallest and middle codes of G.711, as 16 bits have them: mu-law 32124, A-law 32256 and 8."""
    loud, quiet = (np.float32(v / 32768) for v in (32124, 0))
    assert read_wav(assembled(bytes([0x80, 0x00, 0xFF]), code=7, bits=8))[0][0].tolist() == [loud, -loud, quiet]
    loud, quiet = (np.float32(v / 32768) for v in (32256, 8))
    assert read_wav(assembled(bytes([0xAA, 0x2A, 0xD5, 0x55]), code=6, bits=8))[0][0].tolist() == [
        loud,
        -loud,
        quiet,
        -quiet,
    ]


def test_several_channels_become_their_mean() -> None:
    both = np.stack([SINE, np.zeros_like(SINE)], axis=1)
    mono, rate = decode(wav(both, 16000, code=3, bits=32))
    assert rate == 16000
    np.testing.assert_allclose(mono, SINE / 2, atol=1e-7)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_size_that_was_never_filled_in_means_to_the_end(size: int) -> None:
    assert layout(assembled(b"\0" * 100, size=size)).frames == 50


GOOD = wav(SINE)
HOSTILE = {
    "cut within the samples": (GOOD[:-10], "its samples take 800 bytes by its header; 790 are there"),
    "cut within the header": (GOOD[:30], "its header is cut off"),
    "cut behind the header": (GOOD[:36], "it has no samples|cut off"),
    "a size that lies": (assembled(b"\0" * 10, size=1 << 30), "1073741824 bytes by its header; 10 are there"),
    "no channels": (assembled(b"\0" * 8, channels=0), "it has 0 channels"),
    "too many channels": (assembled(b"\0" * 8, channels=60_000, bits=8), "60000 channels"),
    "no rate": (assembled(b"\0" * 8, rate=0), "0 samples a second"),
    "a huge rate": (assembled(b"\0" * 8, rate=0xFFFFFFFF), "4294967295 samples a second"),
    "compressed": (assembled(b"\0" * 8, code=0x11, bits=8), "IMA ADPCM"),
    "bits that do not fit": (assembled(b"\0" * 8, bits=40), "make no sense"),
    "no samples": (assembled(b""), "it has no samples"),
    "not finite": (assembled(np.array([0, np.nan], "<f4").tobytes(), code=3, bits=32), "no finite numbers"),
    "nothing but a name": (b"RIFF\0\0\0\0WAVE", "its header is cut off"),
    "samples before their form": (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", "stand before"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(case: str) -> None:
    data, told = HOSTILE[case]
    with pytest.raises(BadSound, match=told):
        decode(data)


def test_any_prefix_and_any_changed_byte_gives_samples_or_a_sentence() -> None:
    rng = np.random.default_rng(7)
    small = wav(SINE[:20])
    cases = [small[:n] for n in range(len(small))]
    for _ in range(500):
        changed = bytearray(small)
        changed[rng.integers(8, 44)] = rng.integers(256)
        cases.append(bytes(changed))
    for data in cases:
        try:
            samples, rate = decode(data)
        except BadSound:
            continue
        assert samples.ndim == 1 and rate > 0 and np.isfinite(samples).all()


def test_a_header_that_begins_behind_the_first_bytes_is_found() -> None:
    long = b"LIST" + struct.pack("<I", 100_000) + b"\0" * 100_000
    data = wav(SINE, before=long)
    assert examined(data[: 1 << 16], lambda: data, len(data)) == (8000, 400)


def test_flac_is_read_by_soundfile() -> None:
    soundfile = pytest.importorskip("soundfile")
    import io

    file = io.BytesIO()
    soundfile.write(file, SINE, 8000, format="FLAC", subtype="PCM_16")
    samples, rate = decode(file.getvalue())
    assert rate == 8000
    np.testing.assert_allclose(samples, SINE, atol=1e-4)
    with pytest.raises(BadSound):
        decode(file.getvalue()[:60])
