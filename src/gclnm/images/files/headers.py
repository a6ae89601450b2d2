"""NIfTI, NRRD and MetaImage without their voxels: the grid, and the labels of a label map."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gclnm.errors import GclnmError
from gclnm.images.files.voxels import COLOUR, labels_in_file, reading, why_no_volume

if TYPE_CHECKING:
    import SimpleITK as sitk

__all__ = [
    "SUFFIXES",
    "ImageHeader",
    "Label",
    "is_image_name",
    "is_mask_name",
    "name_tokens",
    "path_digest",
    "read_image_header",
    "read_labels",
    "stem",
]

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
MASK_WORDS = frozenset({"mask", "seg", "segmentation", "label", "labels", "roi", "contour"})
SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a label map: component, value, name, and why it cannot be used."""

    layer: int
    value: int
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image file says.

    Parameters
    ----------
    file
        Path.
    is_mask
        Whether its name marks it as a label map.
    size, spacing, origin, direction
        Grid in x, y, z, millimetres, LPS.
    digest
        Identity: of the absolute path; in a catalog of a folder, of the patient and the path below it.
    sample
        Digest of length and samples of the content: where it differs, so do the files.
    labels
        Of a label map.
    reason
        Why it cannot be used; empty where it can.
    """

    file: str
    is_mask: bool
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    digest: str
    sample: str = ""
    labels: tuple[Label, ...] = ()
    reason: str = ""


def stem(path: str) -> str:
    """Name of a file without folder and suffixes.

    Examples
    --------
    >>> stem("/data/P01/Tumour.seg.nrrd"), stem("ct.nii.gz")
    ('Tumour', 'ct')
    """
    name = Path(path).name
    for suffix in (
        ".seg.nrrd",
        ".seg.nii.gz",
        ".seg.nii",
        ".seg.mha",
        *sorted(SUFFIXES, key=len, reverse=True),
    ):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(path).stem


def name_tokens(path: str) -> list[str]:
    """Words of a file's stem, split at everything that is neither a letter nor a digit.

    Examples
    --------
    >>> name_tokens("P01_GTV-mask.nii.gz")
    ['P01', 'GTV', 'mask']
    """
    return [word for word in re.split(r"[\W_]+", stem(path)) if word]


def is_image_name(path: str) -> bool:
    """Whether a file is NIfTI, NRRD or MetaImage by its name.

    Examples
    --------
    >>> is_image_name("a/CT.NII.gz"), is_image_name("a/0001.dcm")
    (True, False)
    """
    return path.lower().endswith(SUFFIXES)


def is_mask_name(path: str) -> bool:
    """Whether a file is a label map by its name: ``.seg.nrrd``, or one of the words of masks in it.

    Examples
    --------
    >>> is_mask_name("a/tumour.seg.nrrd"), is_mask_name("a/P01_mask.nii"), is_mask_name("a/masked.nii")
    (True, True, False)
    """
    if re.search(r"\.seg\.(?:nrrd|nii|nii\.gz|mha)$", path, re.IGNORECASE):
        return True
    return any(word.lower() in MASK_WORDS for word in name_tokens(path))


def read_image_header(path: str | Path) -> ImageHeader:
    """Read the header of an image file; of a label map also which labels it holds.

    Raises
    ------
    ReadError, GeometryError
        When the file cannot be read, or its axes are not perpendicular.
    """
    file = str(path)
    reader = _information(file)
    dimensions = reader.GetDimension()
    size = tuple(int(n) for n in reader.GetSize())
    direction = reader.GetDirection()
    is_mask = is_mask_name(file)
    labels: tuple[Label, ...] = ()
    reason = why_no_volume(size)
    if is_mask and not reason:
        try:
            labels = _labels(file, reader)
        except GclnmError as error:
            reason = error.what
    elif not reason and reader.GetNumberOfComponents() != 1:
        reason = COLOUR
    return ImageHeader(
        file=file,
        is_mask=is_mask,
        size=size[:3],
        spacing=tuple(float(s) for s in reader.GetSpacing()[:3]),
        origin=tuple(float(s) for s in reader.GetOrigin()[:3]),
        direction=tuple(float(direction[dimensions * i + j]) for i in range(3) for j in range(3))
        if dimensions >= 3
        else (),
        digest=path_digest(os.path.abspath(file)),
        sample=_sample(file),
        labels=labels,
        reason=reason,
    )


def read_labels(path: str) -> tuple[Label, ...]:
    """Labels of a label map of any name: as a .seg.nrrd header lists them, else as its voxels hold them.

    Raises
    ------
    ReadError, GeometryError
        When the file cannot be read, is no volume, or holds no labels.
    """
    return _labels(path, _information(path))


def _information(file: str) -> sitk.ImageFileReader:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    with reading(file) as place:
        reader.SetFileName(place)
        reader.ReadImageInformation()
    return reader


def _labels(file: str, reader: sitk.ImageFileReader) -> tuple[Label, ...]:
    keys = set(reader.GetMetaDataKeys())
    listed = sorted(int(m.group(1)) for key in keys if (m := re.fullmatch(r"Segment(\d+)_LabelValue", key)))

    def field(index: int, name: str) -> str:
        key = f"Segment{index}_{name}"
        return str(reader.GetMetaData(key)).strip() if key in keys else ""

    if listed:
        return tuple(_listed_label(field, index) for index in listed)
    return tuple(Label(layer, value) for layer, value in labels_in_file(file))


def _listed_label(field: Callable[[int, str], str], index: int) -> Label:
    layer, value = field(index, "Layer"), field(index, "LabelValue")
    extent = [int(n) for n in re.findall(r"-?\d+", field(index, "Extent"))]
    empty = len(extent) == 6 and any(low > high for low, high in zip(extent[::2], extent[1::2], strict=True))
    return Label(
        layer=int(layer) if layer.isdecimal() else 0,
        value=int(float(value)) if re.fullmatch(r"-?\d+(\.0*)?", value) else -1,
        name=field(index, "Name"),
        reason="the label has no voxels" if empty else "",
    )


def path_digest(*parts: str) -> str:
    """Identity of a file by its path, of any bytes, which cannot be read from it.

    Examples
    --------
    >>> path_digest("P01", "P01/ct.nii") == path_digest("P01", "P01/ct.nii")
    True
    """
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _sample(file: str) -> str:
    """SHA-256 of the length and three samples of the content.

    The last bytes of a gzip file are the checksum of all of it.
    """
    size = os.path.getsize(file)
    state = hashlib.sha256(f"{size}\0".encode())
    with open(file, "rb") as stream:
        for start in _starts(size):
            stream.seek(start)
            state.update(stream.read(SAMPLE_BYTES))
    return state.hexdigest()[:24]


def _starts(size: int) -> Sequence[int]:
    return (0, max(0, size // 2 - SAMPLE_BYTES // 2), max(0, size - SAMPLE_BYTES))
