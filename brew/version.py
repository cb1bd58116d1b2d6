"""Brew's version, below everything else, so that modules that write it into files need not import `brew`."""

__version__ = "0.1.0"
