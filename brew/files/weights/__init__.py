"""Weights and solver states (`.caffemodel`, HDF5, safetensors), and what tells them from other files."""
