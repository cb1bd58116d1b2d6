"""A small language that is compiled for this processor."""
