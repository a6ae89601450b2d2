"""The body of one patient: which tissue is where."""
