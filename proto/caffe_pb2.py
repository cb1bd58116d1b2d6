"""The same messages under the name Caffe's scripts import: `from brew.proto import caffe_pb2`."""

from .brew_pb2 import *  # noqa: F403
