"""Log-mel spectrograms and resampling, against values worked by hand and by the definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sounds import tone

from brew.datasets.features.sound.resampling import resampled
from brew.datasets.features.sound.spectra import MelSettings, filters, hertz_to_mel, log_mel, mel_to_hertz

SETTINGS = MelSettings(8000, 200, 80, 256, 10, 100.0, 3500.0, "htk", 1e-6)


def by_definition(samples: np.ndarray, s: MelSettings) -> np.ndarray:
    """The docstring of the module, sum by sum."""

    def mel(f: float) -> float:
        return 2595 * math.log10(1 + f / 700)

    step = (mel(s.high) - mel(s.low)) / (s.bands + 1)
    edges = [700 * (10 ** ((mel(s.low) + step * i) / 2595) - 1) for i in range(s.bands + 2)]
    frames = []
    for start in range(0, len(samples) - s.window + 1, s.hop):
        window = [samples[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / s.window)) for n in range(s.window)]
        n = np.arange(s.window)
        power = [abs(np.sum(window * np.exp(-2j * math.pi * k * n / s.fft))) ** 2 for k in range(s.fft // 2 + 1)]
        row = []
        for b in range(s.bands):
            low, top, high = edges[b : b + 3]
            total = 0.0
            for k, p in enumerate(power):
                f = k * s.rate / s.fft
                if low < f <= top:
                    total += p * (f - low) / (top - low)
                elif top < f < high:
                    total += p * (high - f) / (high - top)
            row.append(math.log(total + s.offset))
        frames.append(row)
    return np.array(frames)


def test_a_spectrogram_is_what_its_definition_says() -> None:
    samples = np.random.default_rng(3).normal(0, 0.1, 700).astype(np.float32)
    found = log_mel(samples, SETTINGS)
    assert found.shape == (SETTINGS.frames(700), 10) == (7, 10) and found.dtype == np.float32
    np.testing.assert_allclose(found, by_definition(samples, SETTINGS), rtol=2e-5, atol=2e-5)


def test_a_tone_at_a_frequency_of_the_transform() -> None:
    """Under Hann's window its power is (A N / 4)^2 there, a quarter of that beside it, and nothing elsewhere."""
    settings = replace(SETTINGS, window=256, fft=256, bands=1, low=900.0, high=1100.0, offset=1e-9)
    weights = filters(settings)[0]
    at = 32  # 1,000 Hz
    power = (0.5 * 256 / 4) ** 2
    expected = math.log(power * (weights[at] + (weights[at - 1] + weights[at + 1]) / 4) + 1e-9)
    np.testing.assert_allclose(log_mel(tone(1000, 0.1).astype(np.float32), settings), expected, rtol=1e-5)


def test_the_mel_scales() -> None:
    assert hertz_to_mel(np.array([0.0, 1000.0]), "htk") == pytest.approx([0, 999.9855], abs=1e-3)
    assert hertz_to_mel(np.array([0.0, 500.0, 1000.0, 6400.0]), "slaney") == pytest.approx([0, 7.5, 15, 42])
    frequencies = np.array([20.0, 999.0, 1001.0, 8000.0])
    for scale in ("htk", "slaney"):
        assert mel_to_hertz(hertz_to_mel(frequencies, scale), scale) == pytest.approx(frequencies)


def test_settings_that_give_no_spectrogram_are_told() -> None:
    assert "no frequency of its own" in str(replace(SETTINGS, bands=200).problem())
    assert "below 4000 Hz" in str(replace(SETTINGS, high=5000.0).problem())
    assert "must rise" in str(replace(SETTINGS, fft=128).problem())
    assert SETTINGS.problem() is None


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 8000), (8000, 16000), (48000, 44100), (11025, 8000), (8000, 7993)]
)
def test_a_tone_stays_the_tone_at_another_rate(rate: int, wanted: int) -> None:
    found = resampled(tone(440, 0.5, rate).astype(np.float32), rate, wanted)
    expected = tone(440, 0.5, wanted)
    assert len(found) == math.ceil(round(0.5 * rate) * wanted / rate)
    middle = slice(400, -400)
    np.testing.assert_allclose(found[: len(expected)][middle], expected[: len(found)][middle], atol=2e-3)


def test_what_lies_beyond_the_new_rate_is_gone() -> None:
    found = resampled(tone(6000, 0.5, 44100).astype(np.float32), 44100, 8000)
    assert np.abs(found[200:-200]).max() < 0.005
