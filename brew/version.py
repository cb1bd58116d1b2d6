"""Brew's version, below everything else: who writes it into a file need not ask the public face."""

__version__ = "0.1.0"
