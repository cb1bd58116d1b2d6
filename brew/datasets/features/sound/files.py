"""Files of sound as samples of one channel: WAV by our own reader, FLAC and others by soundfile (extra `sound`)."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from .wav import MOST_RATE, BadSound, Samples, is_wav, layout, read_wav

SOUNDS = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".mp3", ".caf"})
HEAD = 1 << 16  # bytes of a WAV file that hold its header, as a rule
_MOST = 1 << 28  # samples of a file: 4.6 hours at 16,000 a second


def is_sound(name: str) -> bool:
    """Whether a file is called as one of sound is, and is not hidden."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SOUNDS and not path.name.startswith(".")


def examined(head: bytes, whole: Any, size: int) -> tuple[int, int]:
    """(samples a second, samples) of a file with `size` bytes, by its first bytes; `whole()` gives all. BadSound."""
    if is_wav(head):
        try:
            found = layout(head, size)
        except BadSound:
            if len(head) == size:
                raise
            found = layout(whole())  # something long stands before the samples
        return found.rate, found.frames
    with _opened(whole()) as file:
        return _checked(file)


def decode(data: bytes) -> tuple[Samples, int]:
    """(samples of one channel, the mean of all, shape (n,); samples a second) of the bytes of a file. BadSound."""
    if is_wav(data):
        channels, rate = read_wav(data)
    else:
        with _opened(data) as file:
            rate, _ = _checked(file)
            channels = _read(file)
    mono: Samples = channels[0] if len(channels) == 1 else channels.mean(axis=0, dtype=np.float32)
    if not mono.size:
        raise BadSound("it has no samples")
    return mono, rate


def _opened(data: bytes) -> Any:
    if not data:
        raise BadSound("it is empty")
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: its library is missing
        raise BadSound('it is no WAV file; others are read by soundfile: pip install "brew-caffe[sound]"') from None
    try:
        return soundfile.SoundFile(io.BytesIO(data))
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadSound(f"it is no file of sound that can be read ({_reason(error)})") from None


def _checked(file: Any) -> tuple[int, int]:
    rate, frames = int(file.samplerate), int(file.frames)
    if not 1 <= rate <= MOST_RATE or not 0 <= frames * file.channels <= _MOST:
        raise BadSound(f"it has {frames} samples of {file.channels} channels, {rate} a second, by its header")
    return rate, frames


def _read(file: Any) -> Samples:
    try:
        values = file.read(dtype="float32", always_2d=True)
    except (RuntimeError, ValueError) as error:
        raise BadSound(f"it cannot be read to its end ({_reason(error)})") from None
    if not np.isfinite(values).all():
        raise BadSound("it has samples that are no finite numbers")
    samples: Samples = values.T
    return samples


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
