"""The version of gclnm."""

__version__ = "0.1.0"
