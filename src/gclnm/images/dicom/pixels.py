"""Stored values of DICOM frames: decompression, byte order, bits and sign, before any rescale."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from gclnm.counts import count
from gclnm.errors import ReadError
from gclnm.images.dicom.codestream import frame_size
from gclnm.images.dicom.elements import frame_count, number, read, text, whole
from gclnm.images.dicom.files import quiet, truncated
from gclnm.images.limits import MOST_PIXELS, check_voxels, too_large

__all__ = ["padding_values", "pixel_bytes", "stored_frames"]

# JPEG lossless (processes 14 and 14 SV1) and 12-bit extended: the only open decoders for pydicom are GPL or
# large, while SimpleITK, which is needed anyway, carries GDCM's.
_JPEG_BY_ITK = frozenset({"1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})

MOST_BITS = 64
# Two bytes of a run stand for 128 at most (PS3.5 G.3.1).
_MOST_RLE = 64


def stored_frames(dataset: Dataset, frames: Sequence[int] = (), where: str = "") -> NDArray[Any]:
    """Stored values of some frames of a DICOM object, before rescale and padding.

    Parameters
    ----------
    dataset
        A whole object, as read from its file.
    frames
        Frame numbers from 0, in the order wanted; all of them by default.
    where
        The file, for error messages.

    Returns
    -------
    ndarray
        Shape (frames, rows, columns); integers with the sign that Pixel Representation (0028,0103)
        says, or floats for Float Pixel Data.

    Raises
    ------
    ReadError
        When pixel data are absent, end too early, are in colour, or cannot be decoded.
    """
    _check_monochrome(dataset, where)
    wanted = list(frames) or list(range(frame_count(dataset)))
    check_voxels((*_size(dataset)[:2], len(wanted)), where)
    if max(wanted) >= frame_count(dataset):
        there = count(frame_count(dataset), "frame")
        raise ReadError(f"the object has {there}, not {max(wanted) + 1}", where=where)
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return _float_frames(dataset, wanted, where)
    if "PixelData" not in dataset:
        raise ReadError("the object has no pixel data", where=where, code="no-pixels")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return _signed(np.stack([_decoded(dataset, frame, where) for frame in wanted]), dataset)
    return _signed(_native_frames(dataset, wanted, where), dataset)


def _check_monochrome(dataset: Dataset, where: str) -> None:
    photometric = text(dataset, "PhotometricInterpretation").upper()
    if number(dataset, "SamplesPerPixel") not in (None, 1.0) or photometric not in (
        "",
        "MONOCHROME1",
        "MONOCHROME2",
    ):
        raise ReadError("the image is in colour: it holds no measured values", where=where, code="colour")
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    if rows < 1 or columns < 1:
        raise ReadError("the header gives no size of the image", where=where)
    if rows * columns > MOST_PIXELS:
        raise too_large(f"the header asks for frames of more than {MOST_PIXELS} pixels", where)


def _size(dataset: Dataset) -> tuple[int, int, int]:
    """Rows, columns and bits allocated."""
    rows, columns, bits = (whole(dataset, name) or 0 for name in ("Rows", "Columns", "BitsAllocated"))
    return rows, columns, bits or 16


def pixel_bytes(dataset: Dataset, keyword: str = "PixelData", where: str = "") -> bytes:
    """The value of an element that holds pixels.

    Raises
    ------
    ReadError
        Code ``no-pixels``: it is absent, or is said to be text, numbers or a sequence.
    """
    value = read(dataset, keyword)
    if not isinstance(value, bytes | bytearray):
        raise ReadError("the object has no pixel data", where=where, code="no-pixels")
    return bytes(value)


def _native_frames(dataset: Dataset, frames: list[int], where: str) -> NDArray[Any]:
    bits = _size(dataset)[2]
    if bits not in (8, 16, 32):
        raise ReadError(f"pixels of {bits} bits are not an image's", where=where)
    return _cut(dataset, pixel_bytes(dataset, where=where), np.dtype(f"u{bits // 8}"), frames, where)


def _float_frames(dataset: Dataset, frames: list[int], where: str) -> NDArray[Any]:
    keyword, kind = (
        ("FloatPixelData", "f4") if "FloatPixelData" in dataset else ("DoubleFloatPixelData", "f8")
    )
    return _cut(dataset, pixel_bytes(dataset, keyword, where), np.dtype(kind), frames, where)


def _cut(dataset: Dataset, data: bytes, dtype: np.dtype[Any], frames: list[int], where: str) -> NDArray[Any]:
    rows, columns, _ = _size(dataset)
    count = rows * columns
    want = frame_count(dataset) * count * dtype.itemsize
    if len(data) < want:
        raise truncated(where, f"the file ends too early: {len(data)} of {want} bytes")
    size = count * dtype.itemsize
    order = dtype.newbyteorder("<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">")
    parts = [np.frombuffer(data, order, count, frame * size) for frame in frames]
    return np.stack(parts).reshape(len(frames), rows, columns).astype(dtype, copy=False)


def _decoded(dataset: Dataset, frame: int, where: str) -> NDArray[Any]:
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    try:
        data = get_frame(dataset.PixelData, frame, number_of_frames=frame_count(dataset))
        _check_compressed(dataset, data, syntax, where)
        if syntax in _JPEG_BY_ITK:
            return _decoded_by_itk(dataset, data)
        return _decoded_by_pydicom(dataset, frame)
    except (ReadError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of the RLE decoder (Rust) is no Exception
        raise ReadError(
            f"the compressed pixels of a frame cannot be decoded (transfer syntax {syntax})",
            where=where,
            fix="Export the series again, uncompressed if need be.",
            code="not-decoded",
        ) from error


def _check_compressed(dataset: Dataset, data: bytes, syntax: str, where: str) -> None:
    """Refuse a frame of another size than the header's: decoders take memory for what the frame says."""
    said = frame_size(data)
    if said is not None and said != _size(dataset)[:2]:
        raise ReadError(
            f"a compressed frame has {said[0]} x {said[1]} pixels, not those of the header",
            where=where,
            fix="Export the series again, uncompressed if need be.",
            code="not-decoded",
        )
    rows, columns, bits = _size(dataset)
    if syntax == RLELossless and rows * columns * bits // 8 > _MOST_RLE * len(data):
        raise truncated(where, "a frame has fewer bytes than its pixels need")


def _decoded_by_pydicom(dataset: Dataset, frame: int) -> NDArray[Any]:
    with quiet():
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        array, _ = decoder.as_array(dataset, index=frame, raw=True)
    return np.asarray(array)


def _decoded_by_itk(dataset: Dataset, data: bytes) -> NDArray[Any]:
    """Decode one JPEG frame with SimpleITK, from a temporary file that holds only pixels and their layout.

    Without rescale elements ITK hands out stored values; without a patient nothing private is written.
    """
    import SimpleITK as sitk

    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID = SecondaryCaptureImageStorage
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID = generate_uid()
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        setattr(bare, keyword, dataset[keyword].value)
    bare.SamplesPerPixel = 1
    bare.PhotometricInterpretation = "MONOCHROME2"
    bare.PixelData = encapsulate([data])
    bare["PixelData"].VR = "OB"
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "frame.dcm"
        bare.save_as(path, enforce_file_format=True)
        image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    return np.asarray(sitk.GetArrayFromImage(image)).reshape(_size(dataset)[:2])


def _signed(array: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Stored values with the sign that the header declares, overlay bits removed."""
    bits = array.dtype.itemsize * 8
    stored = whole(dataset, "BitsStored") or bits
    stored = stored if 0 < stored <= bits else bits
    high = whole(dataset, "HighBit") or stored - 1
    shift = high + 1 - stored
    if 0 < shift < bits:
        array = array >> shift
    signed = number(dataset, "PixelRepresentation") == 1.0
    if stored < bits and not shift and _overlay_in_pixels(dataset):
        array = array & np.array((1 << stored) - 1, array.dtype)
    array = array.view(f"i{bits // 8}" if signed else f"u{bits // 8}")
    # Some writers leave the bits above the sign empty: 12-bit -1 comes as 4095.
    if signed and stored < bits and array.min() >= 0 and array.max() >= 1 << (stored - 1):
        array = np.where(array >= 1 << (stored - 1), array - (1 << stored), array).astype(array.dtype)
    return array


def _overlay_in_pixels(dataset: Dataset) -> bool:
    return any(
        (0x6000 + group, 0x0102) in dataset and (0x6000 + group, 0x3000) not in dataset
        for group in range(0, 0x20, 2)
    )


def padding_values(dataset: Dataset) -> tuple[int, int] | None:
    """Range of stored values that stand for "no data" (0028,0120/0121), with the sign of the pixels.

    Examples
    --------
    A GE file writes 63536 for pixels that are signed: what is stored is -2000.

    >>> from pydicom.dataset import Dataset
    >>> header = Dataset()
    >>> header.PixelRepresentation, header.BitsAllocated = 1, 16
    >>> header.add_new("PixelPaddingValue", "US", 63536)
    >>> padding_values(header)
    (-2000, -2000)
    """
    first = number(dataset, "PixelPaddingValue")
    if first is None:
        return None
    last = number(dataset, "PixelPaddingRangeLimit")
    bits = whole(dataset, "BitsAllocated") or 16
    bits = bits if 0 < bits <= MOST_BITS else 16
    signed = number(dataset, "PixelRepresentation") == 1.0
    ends = [_wrap(int(value), bits, signed) for value in (first, first if last is None else last)]
    return min(ends), max(ends)


def _wrap(value: int, bits: int, signed: bool) -> int:
    value %= 1 << bits
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value
