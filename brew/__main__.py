"""`python -m brew` is the command `brew`."""

from brew.tools.cli import main

if __name__ == "__main__":
    main()
