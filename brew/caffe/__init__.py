"""The module that scripts import as `caffe`: all of pycaffe's names."""
