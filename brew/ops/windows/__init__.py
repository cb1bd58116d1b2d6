"""What slides over an image: windows, columns, correlations, pooling."""
