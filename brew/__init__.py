"""Brew: a Caffe for today."""

from pathlib import Path

# In a checkout the rooms (layers/, solvers/, ...) stand beside this folder; in a wheel, inside it.
if not Path(__file__).with_name("layers").is_dir():
    __path__.append(str(Path(__file__).resolve().parents[1]))

__version__ = "0.1.0"
