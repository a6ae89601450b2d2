"""Lesions as a DICOM Segmentation, written by highdicom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.phantom.dicom.common import start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from gclnm.phantom.dicom.common import Series

__all__ = ["seg_object"]


def seg_object(
    fields: Mapping[str, NDArray[np.float32]], images: Sequence[Dataset], series: Series
) -> Dataset:
    """A binary segmentation with one segment per lesion on the grid of its images.

    Parameters
    ----------
    fields
        Signed distance (z, y, x) of each lesion on the grid of the images; negative inside.
    images
        The image objects, in the order of the grid's slices.
    series
        The series to write.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    masks = np.stack([(field < 0).astype(np.uint8) for field in fields.values()], axis=-1)
    maker = series.equipment
    ds = Segmentation(
        source_images=list(images),
        pixel_array=masks,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(k, name, series) for k, name in enumerate(fields, start=1)],
        series_instance_uid=series.series_uid,
        series_number=series.number,
        sop_instance_uid=series.sop_uid(0),
        instance_number=1,
        manufacturer=maker.manufacturer,
        manufacturer_model_name=maker.model,
        software_versions=maker.software,
        device_serial_number=maker.serial,
        content_label="LESIONS",
        series_description=series.description,
    )
    common = start(series, ds.SOPClassUID)
    for keyword in ("SeriesDate", "SeriesTime", "ContentDate", "ContentTime"):
        setattr(ds, keyword, getattr(common, keyword))
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", common.DeidentificationMethod
    _steady(ds, series)
    return ds


def _describe(number: int, name: str, series: Series) -> object:
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept

    if name.startswith("LN"):
        category = CodedConcept("123037004", "SCT", "Anatomical Structure")
        kind = CodedConcept("59441001", "SCT", "Lymph node")
    else:
        category = CodedConcept("49755003", "SCT", "Morphologically Altered Structure")
        kind = CodedConcept("108369006", "SCT", "Neoplasm")
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=series.identity.uid("lesion", name),
        tracking_id=f"{series.identity.patient_id} {name}",
    )


def _steady(ds: Dataset, series: Series) -> None:
    """Replace what highdicom draws at random or takes from the clock."""
    organization = series.identity.uid("dimensions", series.number)
    ds.DimensionOrganizationSequence[0].DimensionOrganizationUID = organization
    for item in ds.DimensionIndexSequence:
        item.DimensionOrganizationUID = organization
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
        if keyword in ds:
            delattr(ds, keyword)
