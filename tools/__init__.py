"""The command line: one file for each verb, and `cli.py`, which lists them. Verbs are made of `parts/`."""

if __name__ != "brew.tools":
    raise ImportError("import this package as brew.tools")
