"""HDF5 files, whoever wrote them: read within their bytes, written with checksums."""
