"""The report of a training: one HTML file with its curves, results, mistakes, samples, filters, times and settings."""
