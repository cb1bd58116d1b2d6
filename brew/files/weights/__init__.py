"""Weights and solver states (`.caffemodel`, HDF5, safetensors), and how to tell them from other files."""
