"""`caffe.proto`: Caffe's messages, and those of its forks that Brew knows, as `caffe.proto.caffe_pb2`."""

from __future__ import annotations

import sys

from google.protobuf import text_format as text_format  # scripts find it as google.protobuf's, without importing it

from brew.proto import caffe_pb2 as caffe_pb2

__path__: list[str] = []  # so that `import caffe.proto.caffe_pb2` looks for it
sys.modules[f"{__name__}.caffe_pb2"] = caffe_pb2
