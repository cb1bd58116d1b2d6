"""Records that lie in a few large files: arrays of numbers (idx, CIFAR, NumPy, HDF5), columns (Parquet), shards of tar."""
