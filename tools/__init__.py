"""The command line: one file per verb."""

if __name__ != "brew.tools":
    raise ImportError("import this package as brew.tools")
