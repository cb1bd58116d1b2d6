"""Where records come from: databases, files, the transformer, prefetching."""
