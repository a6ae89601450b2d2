"""Deflated DICOM files: how long they are once inflated, found without keeping them."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from gclnm.images.limits import MOST_INFLATED, too_large

__all__ = ["check_inflated"]

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_HEAD = 4096
_BLOCK = 1 << 20


def check_inflated(stream: BinaryIO, path: str) -> None:
    """Refuse a deflated file of more than 1 GiB once inflated: pydicom would inflate it whole, in memory.

    The stream comes back to its beginning.

    Raises
    ------
    ReadError
        Code ``too-large``.
    """
    stream.seek(0)
    head = stream.read(_HEAD)
    stream.seek(0)
    if _DEFLATED not in head:
        return
    # Without the length of the meta information pydicom does not find the data set either: count all.
    at = head.find(_META_LENGTH)
    start = at + 12 + int.from_bytes(head[at + 8 : at + 12], "little") if at >= 0 else 132
    stream.seek(start)
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while not inflater.eof and (block := inflater.unconsumed_tail or stream.read(_BLOCK)):
            total += len(inflater.decompress(block, _BLOCK))
            if total > MOST_INFLATED:
                raise too_large(f"the deflated file holds more than {MOST_INFLATED >> 20} MB", path)
    except zlib.error:
        pass  # damaged: reading it says so
    finally:
        stream.seek(0)
