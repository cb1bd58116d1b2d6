"""The layers as oneDNN computes them on the CPU: one module for each type, named as the type's own."""
