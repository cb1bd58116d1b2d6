"""LMDB and LevelDB as Caffe writes them."""
