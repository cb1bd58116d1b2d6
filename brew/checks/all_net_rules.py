"""The register of the rules on nets, filled: the modules that add to it are imported here.

data_rules adds to it as well; no run logs its rules, and what it imports is of no use to programs that train nothing.
"""

from __future__ import annotations

from . import parameter_rules, score_rules, start_rules
from .net_rules import NET_RULES

__all__ = ["NET_RULES", "parameter_rules", "score_rules", "start_rules"]
