"""Whether a file still holds all of its pixels or elements: found by arithmetic on lengths."""

from __future__ import annotations

import os
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import UID

from gclnm.errors import ReadError
from gclnm.images.dicom.elements import read, text, whole
from gclnm.images.dicom.intact import is_cut

__all__ = ["check_complete", "check_last_element"]

DEFLATED = "1.2.840.10008.1.2.1.99"
PIXEL_ELEMENTS = (b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00")
BIG_PIXEL_ELEMENT = b"\x7f\xe0\x00\x10"
ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED = 0xFFFFFFFF


def check_complete(stream: BinaryIO, dataset: Dataset, file: str) -> None:
    """Raise when the pixel data that starts at the stream's position is absent or shorter than it says.

    Raises
    ------
    ReadError
        With code ``truncated``.
    """
    syntax = text(read(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID"))
    if syntax == DEFLATED:
        return  # was inflated to its end while the header was read
    size = os.fstat(stream.fileno()).st_size
    start = stream.tell()
    tag = stream.read(4)
    if tag not in (*PIXEL_ELEMENTS, BIG_PIXEL_ELEMENT):
        raise _cut(file, "the file ends before its pixels")
    head = stream.read(8)
    if UID(syntax).is_compressed if syntax else False:
        complete = _fragments_complete(stream, size)
    else:
        explicit = head[:2].isalpha()
        complete = size - start >= (12 if explicit else 8) + _expected_bytes(dataset)
    if not complete:
        raise _cut(file, "the file ends before the last of its pixels")


def check_last_element(stream: BinaryIO, dataset: Dataset, file: str) -> None:
    """Raise when a file without pixels ends inside an element: pydicom takes a cut sequence for a whole one.

    Raises
    ------
    ReadError
        With code ``truncated``.
    """
    syntax = text(read(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID"))
    if syntax == DEFLATED:
        return  # was inflated to its end while the header was read
    implicit, little = dataset.original_encoding
    stream.seek(0)
    if is_cut(stream.read(), implicit=bool(implicit), little=bool(little)):
        raise _cut(file, "the file ends before the last of its elements")


def _cut(file: str, what: str) -> ReadError:
    return ReadError(what, where=file, fix="Export or copy the file again.", code="truncated")


def _expected_bytes(dataset: Dataset) -> int:
    counts = [
        whole(read(dataset, name)) or 1 for name in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
    ]
    bits = (whole(read(dataset, "BitsAllocated")) or 16) * counts[0] * counts[1] * counts[2] * counts[3]
    return (bits + 7) // 8


def _fragments_complete(stream: BinaryIO, size: int) -> bool:
    """Walk the items of encapsulated pixel data by their lengths, to the delimiter."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return False
        if head[:4] == END:
            return True
        if head[:4] != ITEM:
            return False
        place = stream.tell() + int.from_bytes(head[4:8], "little")
        if place > size:
            return False
        stream.seek(place)
