"""Images made different by chance, for training: colours, windows, sizes, noise; boxes, points and masks follow."""
