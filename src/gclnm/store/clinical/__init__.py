"""Clinical tables: read from files, checked, matched to the images' patients, kept, joined on read."""
