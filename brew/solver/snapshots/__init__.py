"""How a training survives: snapshots, the newest of them, an exact resume."""
