"""Records into batches: read, decoded, transformed, made ahead."""
