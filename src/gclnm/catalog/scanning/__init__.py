"""From a folder of files to the rows of a catalog: what :func:`gclnm.scan` does."""
