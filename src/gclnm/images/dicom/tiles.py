"""Volumes that lie as tiles in one picture: Siemens mosaics and UIH's VFRAME images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gclnm.images.dicom.bvalues import csa_items
from gclnm.images.dicom.elements import as_number, as_numbers, number, numbers, private, whole, words

__all__ = ["Tiling", "tiling"]

Position = tuple[float, float, float]
_UIH = "Image Private Header"


@dataclass(frozen=True)
class Tiling:
    """How the slices of a volume lie in one picture: row by row, from its upper left.

    Parameters
    ----------
    kind
        ``"mosaic"`` (Siemens) or ``"vframe"`` (UIH).
    across, down
        Tiles beside and below each other.
    rows, columns
        Size of one.
    positions
        Place of the first voxel of each, millimetres, LPS; empty where the header does not give them,
        and then the volume cannot be read.
    """

    kind: str
    across: int = 0
    down: int = 0
    rows: int = 0
    columns: int = 0
    positions: tuple[Position, ...] = ()

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The slices of a picture, (slice, row, column).

        Examples
        --------
        >>> tiled = Tiling("mosaic", 2, 2, 1, 2, ((0.0, 0.0, 0.0),) * 3)
        >>> tiled.cut(np.array([[1, 1, 2, 2], [3, 3, 0, 0]])).tolist()
        [[[1, 1]], [[2, 2]], [[3, 3]]]
        """
        grid = picture.reshape(self.down, self.rows, self.across, self.columns)
        flat = grid.swapaxes(1, 2).reshape(-1, self.rows, self.columns)
        return np.asarray(flat[: len(self.positions)])


def tiling(dataset: Dataset) -> Tiling | None:
    """How the picture of a single-frame MR object is tiled; None where it is one slice.

    A mosaic's Image Position is that of the whole picture: half of what it is larger than a tile has to
    be added. Its slices follow each other along the normal of Siemens' CSA header.

    References
    ----------
    M. Brett et al., nibabel, "DICOM and NIfTI: Siemens mosaic format" (MIT).
    """
    types = words(dataset, "ImageType")
    if "MOSAIC" in types:
        return _mosaic(dataset)
    packed = as_number(private(dataset, 0x0065, _UIH, 0x50)) or 0
    if "VFRAME" in types or packed > 1:
        return _vframe(dataset, int(packed))
    return None


def _grid(dataset: Dataset, kind: str, across: int, down: int, positions: tuple[Position, ...]) -> Tiling:
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    if not positions or rows % down or columns % across:
        return Tiling(kind)
    return Tiling(kind, across, down, rows // down, columns // across, positions)


def _mosaic(dataset: Dataset) -> Tiling:
    header = private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10)
    csa = header if isinstance(header, bytes) else b""
    count = as_number(private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A))
    if count is None:
        count = as_number(csa_items(csa, "NumberOfImagesInMosaic"))
    found = (
        numbers(dataset, "ImagePositionPatient"),
        numbers(dataset, "ImageOrientationPatient"),
        numbers(dataset, "PixelSpacing"),
        as_numbers(csa_items(csa, "SliceNormalVector")),
    )
    step = number(dataset, "SpacingBetweenSlices")
    if tuple(map(len, found)) != (3, 6, 2, 3) or not step or not count or not 0 < count <= 4096:
        return Tiling("mosaic")
    corner, cosines, spacing, normal = (np.array(values) for values in found)
    across = math.ceil(math.sqrt(count))
    larger = [(whole(dataset, name) or 0) * (1 - 1 / across) / 2 for name in ("Columns", "Rows")]
    corner = corner + cosines[:3] * spacing[1] * larger[0] + cosines[3:] * spacing[0] * larger[1]
    places = corner + np.arange(int(count))[:, None] * abs(step) * normal
    return _grid(dataset, "mosaic", across, across, _positions(places))


def _vframe(dataset: Dataset, count: int) -> Tiling:
    listed = private(dataset, 0x0065, _UIH, 0x51)
    items = listed if isinstance(listed, Sequence) else ()
    places = [numbers(item, "ImagePositionPatient") for item in items if isinstance(item, Dataset)]
    if not 0 < len(places) == count or any(len(place) != 3 for place in places):
        return Tiling("vframe")
    across = math.ceil(math.sqrt(count))
    # Not square: 20 slices lie in four rows of five.
    return _grid(dataset, "vframe", across, math.ceil(count / across), _positions(np.array(places)))


def _positions(places: NDArray[Any]) -> tuple[Position, ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in places)
