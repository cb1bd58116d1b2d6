"""Operations that slide over an image: windows, columns, correlations, pooling."""
