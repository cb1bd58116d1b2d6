"""Records that lie in a few large files: arrays (idx, CIFAR, NumPy, HDF5), columns (Parquet), shards (WebDataset)."""
