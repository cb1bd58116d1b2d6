"""The words: Caffe's schema. Imports nothing of Brew."""

if __name__ != "brew.proto":
    raise ImportError("import this package as brew.proto")
