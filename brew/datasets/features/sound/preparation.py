"""Sound for a net: one channel, one rate, one length; as log-mel spectrogram or as samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.datasets.features.preparation import CONT, DATA
from brew.datasets.features.standard import NOTHING, Standard
from brew.datasets.features.words import Words
from brew.errors import DataError, UsageError
from brew.files import regular
from brew.files.paths import expanded
from brew.layer import Shape, shape_text

from .files import decode
from .resampling import resampled
from .spectra import MELS, MelSettings, log_mel
from .wav import MOST_RATE, BadSound, Samples

Array = npt.NDArray[Any]
PLACES = "start", "end", "both"
_MOST = 1 << 28  # samples


@dataclass(frozen=True, slots=True)
class SoundPreparation:
    """What becomes of a sound.

    rate, length  samples a second; how many of them a record has
    pad, crop     where silence is added to a shorter sound, and where a longer one is cut: at its start, its end, or
                  both in equal shares
    mel           of the spectrogram; None: the samples themselves
    standard      of the spectrogram's bands, or of the samples
    """

    kind: ClassVar[str] = "sound"

    rate: int
    length: int
    pad: str
    crop: str
    mel: MelSettings | None
    standard: Standard = NOTHING

    takes: ClassVar[str] = "the path, the bytes or an open file of a sound, or its samples at the rate of training"

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Of a spectrogram 1 x frames x bands, and of cont frames; of samples 1 x 1 x length."""
        if self.mel is None:
            return {DATA: (1, 1, self.length)}
        frames = self.mel.frames(self.length)
        return {DATA: (1, frames, self.mel.bands), CONT: (frames,)}

    def words(self) -> dict[str, Any]:
        mel = {} if self.mel is None else {name: value for name, value in asdict(self.mel).items() if name != "rate"}
        features = {"features": "raw" if self.mel is None else "logmel", **mel}
        return {"kind": self.kind, "rate": self.rate, "length": self.length, "pad": self.pad, "crop": self.crop,
                **features, **self.standard.words()}  # fmt: skip

    @classmethod
    def of_words(cls, words: Words) -> SoundPreparation:
        """What `words` gave; DataError."""
        rate, length = words.whole("rate", 1, MOST_RATE), words.whole("length", 1, _MOST)
        mel = None
        if words.choice("features", ("logmel", "raw")) == "logmel":
            window, hop, fft = (words.whole(name, 1, 1 << 20) for name in ("window", "hop", "fft"))
            mel = MelSettings(
                rate, window, hop, fft, words.whole("bands", 1, 4096), words.number("low"), words.number("high"),
                words.choice("mel", MELS), words.number("offset"),
            )  # fmt: skip
            problem = mel.problem() or ("offset must be above 0" if mel.offset <= 0 else None)
            if problem or length < window:
                raise DataError(problem or "the length is shorter than a window", place=words.place)
        standard = Standard.of_words(words, 1 if mel is None else mel.bands)
        return cls(rate, length, words.choice("pad", PLACES), words.choice("crop", PLACES), mel, standard)

    def prepare(self, thing: object) -> dict[str, Array]:
        name, samples = self._samples(thing)
        try:
            return self.values(samples)
        except BadSound as error:
            raise DataError(f"{name}: {error}") from None

    def values(self, samples: Samples) -> dict[str, Array]:
        """The values of samples (n,) at the rate."""
        fixed, first, last = self.fixed(samples)
        if self.mel is None:
            return {DATA: self.standard(fixed)[None, None]}
        spectrum = self.standard(log_mel(fixed, self.mel))
        return {DATA: spectrum[None], CONT: self.cont(first, last)}

    def decoded(self, data: bytes) -> Samples:
        """The samples at the rate of the bytes of a file. BadSound."""
        samples, rate = decode(data)
        if rate != self.rate and max(rate, self.rate) > 256 * min(rate, self.rate):
            raise BadSound(f"it has {rate} samples a second, which are not brought to {self.rate}")
        return resampled(samples, rate, self.rate)

    def fixed(self, samples: Samples) -> tuple[Samples, int, int]:
        """`length` samples, and where in them the sound begins and ends."""
        missing = self.length - len(samples)
        place = self.pad if missing >= 0 else self.crop
        before = {"start": abs(missing), "both": abs(missing) // 2, "end": 0}[place]
        if missing <= 0:
            return samples[before : before + self.length], 0, self.length
        whole = np.zeros(self.length, np.float32)
        whole[before : before + len(samples)] = samples
        return whole, before, before + len(samples)

    def cont(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """For each frame 1 where a sound goes on, 0 where it begins, and in silence that was added."""
        assert self.mel is not None
        begin = np.arange(self.mel.frames(self.length)) * self.mel.hop
        within = (begin + self.mel.window > first) & (begin < last)
        goes_on = within.copy()
        goes_on[1:] &= within[:-1]
        goes_on[0] = False
        return goes_on.astype(np.float32)

    def _samples(self, thing: object) -> tuple[str, Samples]:
        if isinstance(thing, np.ndarray):
            if thing.ndim != 1 or not np.issubdtype(thing.dtype, np.floating) or not thing.size:
                raise UsageError(
                    f"an array of {shape_text(thing.shape)} ({thing.dtype}) is no sound: floats are expected, one axis"
                )
            if not np.isfinite(thing).all():
                raise UsageError("the sound has samples that are no finite numbers")
            return "the sound", np.asarray(thing, np.float32)
        name, data = _bytes(thing)
        try:
            return name, self.decoded(data)
        except BadSound as error:
            raise DataError(f"{name}: {error}") from None


def _bytes(thing: object) -> tuple[str, bytes]:
    if isinstance(thing, bytes | bytearray | memoryview):
        return "the sound", bytes(thing)
    if isinstance(thing, str | os.PathLike):
        path = expanded(thing)
        try:
            return str(path), regular.read_bytes(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    read = getattr(thing, "read", None)
    if callable(read):
        data = read()
        if isinstance(data, bytes):
            return str(getattr(thing, "name", "the sound")), data
        raise UsageError("the file is open for text; a sound is read from one open for bytes: open(name, 'rb')")
    raise UsageError(f"a {type(thing).__name__} is no sound", hint=f"it takes {SoundPreparation.takes}")
