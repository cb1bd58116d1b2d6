"""Machine code of our own for images of bytes: colours, sizes, places, and windows as batches of numbers."""
