"""Whether a DICOM file is whole: found by following lengths, not by reading values.

pydicom takes a file that was cut within nested sequences for a whole one, and a header is read without the
pixels that follow it.
"""

from __future__ import annotations

import mmap
import struct
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from gclnm.images.dicom.elements import text, whole
from gclnm.images.dicom.files import truncated

__all__ = ["check_elements", "check_pixels", "is_cut"]

_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_PIXELS = frozenset({(0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)})

Data = bytes | mmap.mmap


class _CutError(Exception):
    """The data end inside an element."""


def is_cut(data: Data, *, implicit: bool, little: bool) -> bool:
    """Whether the bytes of a file end before its last element does.

    Only lengths are followed, so a file of any size takes milliseconds. Zeros after the last element are
    padding.

    Parameters
    ----------
    data
        The whole file, not deflated.
    implicit, little
        Encoding of the data set after the file meta information.

    Examples
    --------
    >>> name = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", 4) + b"ID01"
    >>> is_cut(name, implicit=False, little=True), is_cut(name[:-1], implicit=False, little=True)
    (False, True)
    """
    walker = _Walker(data)
    try:
        start = walker.meta_end(132) if data[128:132] == b"DICM" else walker.meta_end(0)
        walker.set_encoding(implicit=implicit, little=little)
        walker.elements(start, nested=False)
    except _CutError:
        return True
    return False


def check_elements(stream: BinaryIO, dataset: Dataset, file: str) -> None:
    """Raise when a file without pixels, a structure set, ends inside an element.

    Raises
    ------
    ReadError
        With code ``truncated``.
    """
    if _is_deflated(dataset):
        return  # was inflated to its end while the header was read
    implicit, little = dataset.original_encoding
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if is_cut(data, implicit=bool(implicit), little=bool(little)):
            raise truncated(file, "the file ends before the last of its elements")


def check_pixels(stream: BinaryIO, dataset: Dataset, file: str) -> None:
    """Raise when the pixel data that start at the stream's position are absent or shorter than they say.

    Raises
    ------
    ReadError
        With code ``truncated``.
    """
    if _is_deflated(dataset):
        return
    start = stream.tell()
    implicit, little = dataset.original_encoding
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        walker = _Walker(data)
        walker.set_encoding(implicit=bool(implicit), little=bool(little))
        try:
            if walker.tag_at(start) not in _PIXELS:
                raise truncated(file, "the file ends before its pixels")
            value, length = walker.head(start)
            walker.value_end(start, value, length)
        except _CutError:
            raise truncated(file, "the file ends before the last of its pixels") from None
    if length != _UNDEFINED and length < _expected_bytes(dataset):
        raise truncated(file, "the pixels of the file are fewer than its header says")


def _is_deflated(dataset: Dataset) -> bool:
    syntax = text(getattr(dataset, "file_meta", None), "TransferSyntaxUID")
    return syntax == str(DeflatedExplicitVRLittleEndian)


def _expected_bytes(dataset: Dataset) -> int:
    rows, columns, frames, samples = (
        whole(dataset, name) or 1 for name in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
    )
    bits = (whole(dataset, "BitsAllocated") or 16) * rows * columns * frames * samples
    return (bits + 7) // 8


class _Walker:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.set_encoding(implicit=False, little=True)

    def set_encoding(self, *, implicit: bool, little: bool) -> None:
        self.implicit = implicit
        order = "<" if little else ">"
        self.tag = struct.Struct(f"{order}HH")
        self.short, self.long = struct.Struct(f"{order}H"), struct.Struct(f"{order}I")

    def meta_end(self, start: int) -> int:
        """Where the elements of group 2 end; they are always explicit and little endian."""
        while start < len(self.data) and self.tag_at(start)[0] == 0x0002:
            start, length = self.head(start)
            start = self.skip(start, length)
        return start

    def tag_at(self, at: int) -> tuple[int, int]:
        self.skip(at, 4)
        group, element = self.tag.unpack_from(self.data, at)
        return int(group), int(element)

    def skip(self, at: int, length: int) -> int:
        if at + length > len(self.data):
            raise _CutError
        return at + length

    def head(self, at: int) -> tuple[int, int]:
        """Where the value of an element begins, and its length."""
        if not self.implicit and self.tag_at(at)[0] != 0xFFFE:
            self.skip(at, 8)
            vr = self.data[at + 4 : at + 6]
            if vr not in _LONG:
                return at + 8, int(self.short.unpack_from(self.data, at + 6)[0])
            at += 4
        self.skip(at, 8)
        return at + 8, int(self.long.unpack_from(self.data, at + 4)[0])

    def value_end(self, at: int, value: int, length: int) -> int:
        """Where the value of the element at ``at`` ends; of undefined length, behind its delimiter."""
        if length != _UNDEFINED:
            return self.skip(value, length)
        unknown = not self.implicit and self.data[at + 4 : at + 6] == b"UN"
        return self.unknown_items(value) if unknown else self.items(value)

    def elements(self, at: int, *, nested: bool) -> int:
        """Walk the elements of a data set; of an item of undefined length to its delimiter."""
        while at < len(self.data):
            if not nested and not any(self.data[at : at + 8]):
                return len(self.data)  # padding
            tag = self.tag_at(at)
            value, length = self.head(at)
            if nested and tag == _ITEM_END:
                return value
            at = self.value_end(at, value, length)
        if nested:
            raise _CutError
        return at

    def items(self, at: int) -> int:
        """Walk the items of a sequence of undefined length to its delimiter."""
        while True:
            tag = self.tag_at(at)
            at, length = self.head(at)
            if tag == _SEQUENCE_END:
                return at
            if tag != _ITEM:
                raise _CutError
            at = self.elements(at, nested=True) if length == _UNDEFINED else self.skip(at, length)

    def unknown_items(self, at: int) -> int:
        """A sequence of unknown VR holds implicit little endian items (PS3.5 6.2.2)."""
        inner = _Walker(self.data)
        inner.set_encoding(implicit=True, little=True)
        return inner.items(at)
