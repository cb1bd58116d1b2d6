"""What computes on the processor, and its threads."""
