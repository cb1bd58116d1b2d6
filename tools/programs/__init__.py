"""Caffe's own programs as verbs of `brew`: their arguments, flags, output and files."""
