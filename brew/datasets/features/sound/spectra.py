"""Log-mel spectrograms: how much of each band of frequencies a sound has, frame by frame.

Frame t is of the samples t * hop to t * hop + window - 1, under a Hann window of that period; its power spectrum is
|FFT|^2 over `fft` points (zeros behind the window). Band b is a triangle of height 1 over the frequencies from edge b
to edge b + 2, highest at edge b + 1; the edges lie at equal distances on the mel scale. A value is the natural
logarithm of the band's power plus `offset`.

Mel scale "htk": mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987, as HTK has it); "slaney": 3 f / 200 below 1,000 Hz,
and 15 + 27 log(f / 1000) / log(6.4) above (Slaney's Auditory Toolbox, 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError

Array = npt.NDArray[np.float64]
MELS = "htk", "slaney"


@dataclass(frozen=True, slots=True)
class MelSettings:
    """rate, low, high in Hz; window, hop and fft in samples."""

    rate: int
    window: int
    hop: int
    fft: int
    bands: int
    low: float
    high: float
    mel: str
    offset: float

    def frames(self, samples: int) -> int:
        """How many frames a sound of so many samples has."""
        return 1 + (samples - self.window) // self.hop if samples >= self.window else 0

    def problem(self) -> str | None:
        """Why no spectrogram can be made so, in a sentence; else None."""
        if not self.hop <= self.window <= self.fft:
            return (
                f"the hop ({self.hop} samples), the window ({self.window}) and fft ({self.fft}) must rise in this order"
            )
        if not 0 <= self.low < self.high <= self.rate / 2:
            return f"low ({self.low:g}) must lie below high ({self.high:g}), and high below {self.rate / 2:g} Hz"
        empty = np.flatnonzero(filters(self).sum(axis=1) == 0)
        if empty.size:
            which = f"band {empty[0]} of {self.bands}"
            return f"{which} has no frequency of its own: fewer bands, or a longer fft, give all one"
        return None


def log_mel(samples: npt.NDArray[np.float32], settings: MelSettings) -> npt.NDArray[np.float32]:
    """The spectrogram, (frames, bands), of samples (n,). UsageError where there are fewer than a window has."""
    if samples.size < settings.window:
        raise UsageError(f"{samples.size} samples make no frame; the window has {settings.window}")
    windows = np.lib.stride_tricks.sliding_window_view(samples, settings.window)[:: settings.hop]
    spectrum = np.fft.rfft(windows * _hann(settings.window), settings.fft, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.log(power @ filters(settings).T + settings.offset), np.float32)


@lru_cache(64)
def filters(settings: MelSettings) -> Array:
    """The weights of the frequencies in each band, (bands, fft // 2 + 1)."""
    ends = hertz_to_mel(np.array([settings.low, settings.high]), settings.mel)
    edges = mel_to_hertz(np.linspace(ends[0], ends[1], settings.bands + 2), settings.mel)
    frequencies = np.arange(settings.fft // 2 + 1) * settings.rate / settings.fft
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def hertz_to_mel(frequency: Array, mel: str) -> Array:
    """Places on the mel scale."""
    if mel == "htk":
        return np.asarray(2595 * np.log10(1 + frequency / 700))
    high = 15 + 27 * np.log(np.maximum(frequency, 1000) / 1000) / np.log(6.4)
    return np.asarray(np.where(frequency < 1000, 3 * frequency / 200, high))


def mel_to_hertz(place: Array, mel: str) -> Array:
    """The frequencies at places on the mel scale."""
    if mel == "htk":
        return np.asarray(700 * (10 ** (place / 2595) - 1))
    high = 1000 * np.exp((np.maximum(place, 15) - 15) * np.log(6.4) / 27)
    return np.asarray(np.where(place < 15, 200 * place / 3, high))


@lru_cache(16)
def _hann(size: int) -> npt.NDArray[np.float32]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)
