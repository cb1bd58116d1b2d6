"""One pass of a net, step by step."""
