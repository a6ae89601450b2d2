"""NIfTI, NRRD and MetaImage files: volumes, and label maps with several labels or layers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GeometryError, ReadError
from gclnm.images.air import clamp, clamped
from gclnm.images.files.nifti import alone, not_finite, require_whole
from gclnm.images.limits import MOST_RATIO, check_voxels
from gclnm.images.sample import MaskRef, VolumeRef
from gclnm.images.volume import UNKNOWN, Mask, Step, Volume, from_sitk

if TYPE_CHECKING:
    import SimpleITK as sitk

    from gclnm.images.volume import Fact

__all__ = ["COLOUR", "labels_in_file", "load_image_file", "load_labelmap", "reading", "why_no_volume"]

COLOUR = "the image has several components a voxel"


@contextmanager
def reading(path: str) -> Iterator[str]:
    """The path at which ITK reads a file, its remarks silenced and its errors as those of this library.

    Raises
    ------
    ReadError
        The file is absent, was cut, is unknown to ITK or damaged, or its path is not UTF-8.
    GeometryError
        Its axes are not perpendicular.
    """
    import SimpleITK as sitk

    _require_name(path)
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        require_whole(path)
        with alone(path) as file:
            yield file
    except FileNotFoundError:
        raise ReadError(
            "the file is not there", where=path, fix="Scan the folder again.", code="file-missing"
        ) from None
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise GeometryError("the axes of the image are not perpendicular", where=path) from error
        raise ReadError(
            "the file cannot be read as an image", where=path, fix="Copy or export it again."
        ) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _require_name(path: str) -> None:
    """Refuse a path that is not UTF-8: on such a one ITK ends the whole process."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ReadError(
            "the name of the file or of a folder above it is not UTF-8",
            where=path,
            fix="Rename it.",
            code="file-name",
        ) from None


def why_no_volume(size: Sequence[int]) -> str:
    """Why an image of this size is no volume; empty where it is one. A fourth dimension of one is none."""
    if len(size) == 3 or (len(size) == 4 and size[3] == 1):
        return ""
    return f"an image of {len(size)} dimensions is not a volume"


def read_image(path: str) -> sitk.Image:
    """A three-dimensional image (components allowed); a fourth dimension of one is dropped.

    Raises
    ------
    ReadError
        The file is absent, unknown to ITK or damaged.
    GeometryError
        It is not a volume, or its axes are not perpendicular.
    """
    import SimpleITK as sitk

    with reading(path) as file:
        _check_size(file, path)
        image = sitk.ReadImage(file)
    if reason := why_no_volume(image.GetSize()):
        raise GeometryError(reason, where=path, fix="Store one volume a file.", code="not-a-volume")
    return image[:, :, :, 0] if image.GetDimension() == 4 else image


def _check_size(file: str, path: str) -> None:
    """Refuse what is too large, or cannot be in a file of this length, before memory is taken for it."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    reader.ReadImageInformation()
    size = (*reader.GetSize(), reader.GetNumberOfComponents())
    check_voxels(size, path)
    # A .nhdr or .mhd names another file that holds the voxels.
    if not path.lower().endswith((".nhdr", ".mhd")) and math.prod(size) > MOST_RATIO * os.path.getsize(file):
        raise ReadError(
            "the file is too short for its voxels",
            where=path,
            fix="Copy or export it again.",
            code="truncated",
        )


def load_image_file(ref: VolumeRef) -> Volume:
    """Load a NIfTI, NRRD or MetaImage volume; axes are turned to LPS, DICOM's convention, by ITK.

    Such a file does not say what its values are: CT is taken as HU (checked when harmonised, values below
    -1024 from interpolation set to -1024), MR as arbitrary, others as unspecified; the fact
    ``values_unstated`` lets a user state another quantity.
    """
    path = ref.files[0]
    image = read_image(path)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise ReadError(COLOUR, where=path, code="colour")
    values, geometry = from_sitk(image)
    array = values.astype(np.float32)
    if (wrong := not_finite(path)) is not None:
        array[wrong.reshape(array.shape)] = np.nan
    quantity = {"CT": "HU", "MR": "arbitrary"}.get(ref.modality.upper(), UNKNOWN)
    step = Step("load", {"slices": geometry.size[2], "pixel_type": image.GetPixelIDTypeAsString()})
    below = clamp(array) if quantity == "HU" else 0
    facts: dict[str, Fact] = {"modality": ref.modality.upper(), "values_unstated": True}
    return Volume(array, geometry, quantity, facts, (step, *clamped(below)))


def load_labelmap(ref: MaskRef) -> Mask:
    """One label of a label map on the map's own grid.

    Raises
    ------
    ReadError
        Code ``no-such-layer`` or ``label-empty``.
    """
    image = read_image(ref.file)
    layers = image.GetNumberOfComponentsPerPixel()
    if not 0 <= ref.layer < layers:
        raise ReadError(
            f"the label map has {layers} layers, not {ref.layer + 1}", where=ref.file, code="no-such-layer"
        )
    values, geometry = from_sitk(_layer(image, ref.layer))
    inside = values == ref.label
    if not inside.any():
        raise ReadError(
            f"the label map has no voxel of label {ref.label}", where=ref.file, code="label-empty"
        )
    settings: dict[str, Any] = {"label": ref.label}
    if layers > 1:
        settings["layer"] = ref.layer
    return Mask(inside, geometry, (Step("label", settings),))


def labels_in_file(path: str) -> list[tuple[int, int]]:
    """Layers and labels of a label map that hold voxels, background (0) left out.

    Raises
    ------
    ReadError
        When values are not whole numbers: it is an image, not a label map.
    """
    image = read_image(path)
    found = []
    for layer in range(image.GetNumberOfComponentsPerPixel()):
        values, _ = from_sitk(_layer(image, layer))
        labels = np.unique(values)
        if len(labels) > 4096 or (labels != np.round(labels)).any():
            raise ReadError("the file holds an image, not labels", where=path, code="not-labels")
        found += [(layer, int(label)) for label in labels if label != 0]
    return found


def _layer(image: sitk.Image, layer: int) -> sitk.Image:
    import SimpleITK as sitk

    if image.GetNumberOfComponentsPerPixel() == 1:
        return image
    return sitk.VectorIndexSelectionCast(image, layer)
