"""Machine code of our own for images of bytes: windows of them become batches of numbers."""
