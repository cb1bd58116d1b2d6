"""The state of a training: its settings, rates, losses, and the events that end it."""
