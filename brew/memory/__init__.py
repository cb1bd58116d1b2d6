"""Where every value of a net lies: blobs, the arena they share in turns, what is computed twice."""
