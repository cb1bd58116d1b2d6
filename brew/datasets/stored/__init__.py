"""Records that are stored: databases, HDF5 files and lists read alike, looked at, copied, divided, joined.

An *entry* is a record as it is stored. What it holds (pixels, label, boxes) is a *look* at it.
"""
