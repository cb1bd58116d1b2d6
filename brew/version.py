"""The version of Brew, as snapshots and `brew --version` tell it."""

__version__ = "0.1.0"
