"""What oneDNN computes of several layers in one go; importing this module offers it (brew.fused)."""

from __future__ import annotations

from . import _normalised as _normalised
