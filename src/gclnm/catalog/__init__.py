"""From a folder of files to validated tables, and from tables to samples: scan and pair."""
