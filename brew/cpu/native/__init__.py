"""Machine code of our own, written in the language of `cpu/llvm`: convolutions, BatchNorm, sums."""
