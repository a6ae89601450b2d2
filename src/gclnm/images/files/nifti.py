"""What ITK's NIfTI reader hides: it reads 0 where a file was cut, and for voxels that are no numbers."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, cast

import numpy as np

from gclnm.errors import ReadError
from gclnm.images.limits import check_voxels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["alone", "not_finite", "require_whole"]

_GZIP = b"\x1f\x8b"
_FLOATS = {16: "f4", 64: "f8"}
_ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
_HEADER_BYTES = 348
_BLOCK = 1 << 24


def require_whole(path: str) -> None:
    """Refuse a NIfTI file that ends before its last voxel; in other formats ITK does so itself.

    Raises
    ------
    ReadError
        Code ``truncated``, or ``unreadable`` where the header does not say where the voxels begin.
    """
    if not _is_nifti(path):
        return
    try:
        with _opened(path) as stream:
            layout = _layout(stream, path)
            if layout is None or _bytes_said(path) == layout.end:
                return
            stream.seek(0)
            have = 0
            while have < layout.end and (block := stream.read(_BLOCK)):
                have += len(block)
            if have >= layout.end:
                return
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _truncated(path) from error
    raise _truncated(path)


def not_finite(path: str) -> NDArray[np.bool_] | None:
    """Where the stored voxels of a NIfTI file are NaN or infinite, (z, y, x); None when nowhere."""
    if not _is_nifti(path):
        return None
    with _opened(path) as stream:
        layout = _layout(stream, path)
        if layout is None or layout.datatype not in _FLOATS:
            return None
        stream.seek(layout.start)
        data = stream.read(layout.end - layout.start)
    values = np.frombuffer(data, dtype=np.dtype(_FLOATS[layout.datatype]).newbyteorder(layout.order))
    wrong = ~np.isfinite(values)
    return wrong.reshape(layout.shape[::-1]) if wrong.any() else None


@contextmanager
def alone(path: str) -> Iterator[str]:
    """A path at which ITK reads this file: of ``a.nii.gz`` it takes the voxels of an ``a.nii`` beside it."""
    if not (path.lower().endswith(".nii.gz") and os.path.exists(path[:-3])):
        yield path
        return
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield shutil.copyfile(path, os.path.join(folder, "image.nii.gz"))


@dataclass(frozen=True)
class _Layout:
    """Where the voxels of a file lie, and what they are."""

    start: int
    end: int
    datatype: int
    order: Literal["<", ">"]
    shape: tuple[int, ...]


def _is_nifti(path: str) -> bool:
    return path.lower().endswith((".nii", ".nii.gz"))


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    with open(path, "rb") as plain:
        zipped = plain.read(2) == _GZIP
        plain.seek(0)
        if not zipped:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as stream:
            yield cast("IO[bytes]", stream)


def _layout(stream: IO[bytes], path: str) -> _Layout | None:
    """From a NIfTI-1 header with its voxels after it; None of anything else."""
    head = stream.read(_HEADER_BYTES)
    for order in _ORDERS:
        if head[:4] == struct.pack(f"{order}i", _HEADER_BYTES) and head[344:347] == b"n+1":
            dims = struct.unpack_from(f"{order}8h", head, 40)
            datatype, bits = struct.unpack_from(f"{order}2h", head, 70)
            (offset,) = struct.unpack_from(f"{order}f", head, 108)
            if not (math.isfinite(offset) and offset >= 0):
                raise ReadError(
                    "the header does not say where the voxels begin (vox_offset)",
                    where=path,
                    fix="Export the file again.",
                )
            start = int(offset)
            shape = tuple(max(int(n), 1) for n in dims[1 : dims[0] + 1])
            check_voxels(shape, path)
            return _Layout(start, start + math.prod(shape) * bits // 8, datatype, order, shape)
    return None


def _bytes_said(path: str) -> int:
    """Length of the content: of the file, or as the last word of a gzip file says (right for one member)."""
    with open(path, "rb") as stream:
        if stream.read(2) != _GZIP:
            return os.path.getsize(path)
        stream.seek(-4, os.SEEK_END)
        return int(struct.unpack("<I", stream.read(4))[0])


def _truncated(path: str) -> ReadError:
    return ReadError(
        "the file ends before its last voxel",
        where=path,
        fix="Copy or export the file again.",
        code="truncated",
    )
