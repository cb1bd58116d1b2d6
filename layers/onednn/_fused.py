"""What oneDNN computes of several layers in one go; importing this module offers it (brew.fused)."""

from __future__ import annotations

from . import _convolved as _convolved
from . import _normalised as _normalised
from . import _summed as _summed
