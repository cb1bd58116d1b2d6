"""Nets as pictures: layers as cards, placed row by row, folded into columns, written as SVG or PNG."""
