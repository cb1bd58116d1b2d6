"""What a training is: its settings, rates, losses, and what ends it."""
