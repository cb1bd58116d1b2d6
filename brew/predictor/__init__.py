"""A trained net for use: files found, pictures prepared as in training, results with labels, many threads."""
