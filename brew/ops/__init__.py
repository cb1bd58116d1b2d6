"""Arithmetic that several layers share, NumPy and CUDA side by side."""
