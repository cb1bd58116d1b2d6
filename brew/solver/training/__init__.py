"""A training: its nets, settings, rates and losses, and the events that end it."""
