"""Update rules, one file each."""

if __name__ != "brew.solvers":
    raise ImportError("import this package as brew.solvers")
