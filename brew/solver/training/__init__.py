"""A training: its nets, settings, rates, losses and events, and what ends it early."""
