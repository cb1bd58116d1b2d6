"""Images for a net: read from files, resized, cropped and brought into its range, with pycaffe's numbers."""
