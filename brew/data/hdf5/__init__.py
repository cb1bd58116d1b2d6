"""HDF5 files as HDF5Data reads them."""
