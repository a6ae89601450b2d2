"""From references to voxels: volumes, masks and cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gclnm.errors import GclnmError, GeometryError, InputError, ReadError
from gclnm.images.components import component
from gclnm.images.overrides import overridden
from gclnm.images.sample import Case, MaskRef, Sample, VolumeRef
from gclnm.images.volume import Mask, Volume

__all__ = ["load", "load_mask", "load_own_grid", "load_volume", "read_mask", "read_series"]


def load_volume(ref: VolumeRef) -> Volume:
    """Load an image volume: sorted by geometry, rescaled per slice or frame, padding masked.

    Parameters
    ----------
    ref
        Where the voxels are.

    Returns
    -------
    Volume
        ``quantity`` says what the values are: ``"HU"``, ``"Bq/mL"``, ``"g/mL"``, ``"counts"``,
        ``"arbitrary"`` (MR signal), another unit that the header names, or ``"unspecified"``.

    Raises
    ------
    ReadError, GeometryError, QuantityError
        See their ``code``; nothing is interpolated, guessed or left out.
    """
    volume = _read(ref)
    told = {"energy_kev": ref.energy_kev, "b_value_s_mm2": ref.b_value}
    facts = {name: value for name, value in told.items() if value is not None}
    return replace(volume, facts={**volume.facts, **facts}) if facts else volume


def _read(ref: VolumeRef) -> Volume:
    if ref.kind == "image":
        from gclnm.images.files.voxels import load_image_file

        return load_image_file(ref)
    from gclnm.images.dicom.voxels import load_dicom

    return load_dicom(ref)


def load_mask(ref: MaskRef, volume: Volume) -> Mask:
    """Load an ROI: contours on the grid of ``volume``, segments and label maps on their own.

    Raises
    ------
    ReadError
        The ROI is not in the file or is empty.
    GeometryError
        Contours lie outside the image, in another frame of reference, or across its slices.
    """
    if ref.kind != "labelmap" and volume.facts.get("geometry_assumed"):
        raise GeometryError(
            "the image has no positions in its header: nothing can be placed on it",
            where=ref.file,
            code="no-position",
        )
    try:
        mask = _mask(ref, volume)
    except GclnmError as error:
        raise type(error)(
            error.what, where=error.where or ref.file, fix=error.fix, code=error.code
        ) from error
    return mask if ref.component is None else component(mask, ref.component)


def _mask(ref: MaskRef, volume: Volume) -> Mask:
    if ref.kind != "rtstruct":
        return load_own_grid(ref)
    from gclnm.images.dicom.rtstruct import read_contours
    from gclnm.images.rasterise import mask_from_contours

    return mask_from_contours(read_contours(ref.file, ref.label), volume.geometry, ref.rule)


def load_own_grid(ref: MaskRef) -> Mask:
    """A segment or a label on the grid it was stored on; no image is needed.

    Raises
    ------
    ReadError
        It is not in the file or is empty.
    GeometryError
        Its frames lie on no regular grid.
    """
    if ref.kind == "seg":
        from gclnm.images.dicom.seg import read_seg

        return read_seg(ref.file, ref.label)
    from gclnm.images.files.voxels import load_labelmap

    return load_labelmap(ref)


def load(sample: Sample) -> Case:
    """Load the volumes and masks of a sample, each on its native grid; contours on the image's.

    Facts that the sample overrides are replaced; a derivation is left to
    :func:`gclnm.harmonize.derive`.

    Examples
    --------
    >>> import gclnm
    >>> load(gclnm.pair(gclnm.scan("dicom"), roi="GTV")[0])  # doctest: +SKIP
    """
    volumes: dict[VolumeRef, Volume] = {}
    for ref in sample.images.values():
        if ref not in volumes:
            volumes[ref] = overridden(load_volume(ref), sample.overrides)
    image = volumes[sample.images["image"]]
    masks = {role: load_mask(ref, image) for role, ref in sample.masks.items()}
    return Case({role: volumes[ref] for role, ref in sample.images.items()}, masks)


def read_series(path: str | Path, *, modality: str = "") -> Volume:
    """Read the one image volume of a file or folder.

    Parameters
    ----------
    path
        A NIfTI, NRRD or MetaImage file, a multi-frame DICOM file, or a folder that holds one DICOM series.
    modality
        What a file that does not say it holds: ``"CT"`` (in HU) or ``"MR"``.

    Raises
    ------
    ReadError
        Nothing to read there.
    InputError
        Several volumes: ``gclnm.scan`` tells them apart. (Where just one is fit for features, that one
        is read: the magnitude of a field map's series.)
    """
    place = Path(path)
    if not place.exists():
        raise ReadError(
            "there is no such file or folder", where=str(path), fix="Check the path.", code="file-missing"
        )
    from gclnm.images.files.headers import is_image_name

    if is_image_name(place.name):
        return load_volume(VolumeRef(volume_id="", kind="image", files=(str(place),), modality=modality))
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    return load_volume(_only_volume(files, str(path)))


def _only_volume(files: Sequence[Path], where: str) -> VolumeRef:
    from gclnm.images.dicom.assemble import assemble
    from gclnm.images.dicom.frames import FrameHeader
    from gclnm.images.dicom.headers import read_header

    frames: list[FrameHeader] = []
    for file in files:
        try:
            frames += read_header(file).frames
        except ReadError:
            if len(files) == 1:
                raise
    found = assemble(frames)
    # A map or an image without positions is no sample for features, but can be looked at.
    chosen = [volume for volume in found if volume.usable] or found
    if len(chosen) > 1:
        raise InputError(
            f"{len(chosen)} image volumes are there, not one",
            where=where,
            fix="Use gclnm.scan(path).volumes and load one by its volume_id.",
            code="several-volumes",
        )
    if not chosen:
        raise ReadError("no CT, MR or PET image is there", where=where, code="no-image")
    return chosen[0].ref


def read_mask(path: str | Path, volume: Volume, roi: str | int | None = None) -> Mask:
    """Read one ROI of a structure set, segmentation or label map.

    Parameters
    ----------
    path
        RTSTRUCT, SEG, NIfTI, NRRD or MetaImage file.
    volume
        The image that the ROI belongs to: contours are rasterised on its grid.
    roi
        Name or number of the ROI, segment or label; may be left out when there is only one.

    Raises
    ------
    InputError
        No ROI, or several ROIs, of that name; the message lists what there is.
    """
    place = str(path)
    if not Path(path).is_file():
        raise ReadError("there is no such file", where=place, fix="Check the path.", code="file-missing")
    from gclnm.images.files.headers import is_image_name

    found = _labels(place) if is_image_name(place) else _dicom_rois(place)
    return load_mask(_choose(found, roi, place), volume)


def _labels(path: str) -> list[tuple[str, MaskRef]]:
    from gclnm.images.files.headers import read_labels

    return [
        (label.name or str(label.value), MaskRef("labelmap", path, label.value, layer=label.layer))
        for label in read_labels(path)
    ]


def _dicom_rois(path: str) -> list[tuple[str, MaskRef]]:
    from gclnm.images.dicom.headers import read_header

    header = read_header(path)
    if header.kind not in ("rtstruct", "seg"):
        raise ReadError(
            "the file is neither a structure set, a segmentation nor a label map",
            where=path,
            fix="Name the file that holds the ROI.",
            code="no-roi",
        )
    return [(roi.name, MaskRef(roi.kind, path, roi.number)) for roi in header.rois]


def _choose(found: Sequence[tuple[str, MaskRef]], roi: str | int | None, where: str) -> MaskRef:
    chosen = [
        ref
        for name, ref in found
        if roi is None or roi == ref.label or (isinstance(roi, str) and name.casefold() == roi.casefold())
    ]
    if len(chosen) != 1:
        there = ", ".join(f"{ref.label} ({name})" for name, ref in found) or "none"
        raise InputError(
            "no ROI fits" if not chosen else f"{len(chosen)} ROIs fit, not one",
            where=where,
            fix=f"Name one of: {there}.",
            code="which-roi",
        )
    return chosen[0]
