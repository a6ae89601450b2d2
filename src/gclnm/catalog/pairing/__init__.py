"""From the rows of a catalog, or a user's table, to samples: what :func:`gclnm.pair` does."""
