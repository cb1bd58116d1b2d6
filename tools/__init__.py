"""The command line: one file per verb, and what the verbs share."""

if __name__ != "brew.tools":
    raise ImportError("import this package as brew.tools")
