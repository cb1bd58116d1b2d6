"""Networks with known results."""

if __name__ != "brew.model_zoo":
    raise ImportError("import this package as brew.model_zoo")
