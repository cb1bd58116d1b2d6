"""Data sets fetched and converted, with a net to begin with."""
