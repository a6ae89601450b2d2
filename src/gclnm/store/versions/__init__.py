"""Versions that people can read: history, differences, checks, and the way of one row."""
