"""How an iteration ends: the update of the parameters."""
