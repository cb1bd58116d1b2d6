"""Layer types, one file each; brew.layer.registry imports a file when a net names its type."""

if __name__ != "brew.layers":
    raise ImportError("import this package as brew.layers")
