"""Images of files and records as arrays: decoded, upright, resized."""
