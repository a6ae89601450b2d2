"""Lesions as an RT Structure Set: the zero line of each signed distance, slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from gclnm.phantom.dicom.common import decimal, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from gclnm.images import Geometry
    from gclnm.phantom.dicom.common import Series

__all__ = ["rtstruct_object"]

STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
COLOURS = ([230, 60, 50], [250, 200, 40], [60, 180, 90], [70, 130, 230])


def rtstruct_object(
    fields: Mapping[str, NDArray[np.float32]], geometry: Geometry, images: Sequence[Dataset], series: Series
) -> Dataset:
    """A structure set with one ROI per lesion, drawn on every slice it crosses.

    Parameters
    ----------
    fields
        Signed distance (z, y, x) of each lesion on the grid of the images; negative inside.
    geometry
        That grid.
    images
        The image objects, in the order of the grid's slices.
    series
        The series to write; its frame is that of the images.
    """
    ds = start(series, RTStructureSetStorage)
    del ds.ContentDate, ds.ContentTime
    ds.OperatorsName = ""
    ds.InstanceNumber, ds.ApprovalStatus = 1, "UNAPPROVED"
    ds.StructureSetLabel, ds.StructureSetName = "Lesions", "Lesions"
    ds.StructureSetDate, ds.StructureSetTime = series.date, series.time
    ds.ReferencedFrameOfReferenceSequence = [_frame(images, series)]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, field) in enumerate(fields.items(), start=1):
        roi = Dataset()
        roi.ROINumber, roi.ReferencedFrameOfReferenceUID = number, series.frame
        roi.ROIName, roi.ROIGenerationAlgorithm = name, "MANUAL"
        ds.StructureSetROISequence.append(roi)
        contours = Dataset()
        contours.ROIDisplayColor = COLOURS[(number - 1) % len(COLOURS)]
        contours.ReferencedROINumber = number
        contours.ContourSequence = _contours(field, geometry, images)
        ds.ROIContourSequence.append(contours)
        seen = Dataset()
        seen.ObservationNumber, seen.ReferencedROINumber = number, number
        seen.RTROIInterpretedType = "GTV" if name.startswith("GTV") else ""
        seen.ROIInterpreter = ""
        ds.RTROIObservationsSequence.append(seen)
    return ds


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


def _frame(images: Sequence[Dataset], series: Series) -> Dataset:
    of_series = Dataset()
    of_series.SeriesInstanceUID = images[0].SeriesInstanceUID
    of_series.ContourImageSequence = [_reference(image) for image in images]
    of_study = Dataset()
    of_study.ReferencedSOPClassUID = STUDY_MANAGEMENT
    of_study.ReferencedSOPInstanceUID = images[0].StudyInstanceUID
    of_study.RTReferencedSeriesSequence = [of_series]
    frame = Dataset()
    frame.FrameOfReferenceUID = series.frame
    frame.RTReferencedStudySequence = [of_study]
    return frame


def _contours(field: NDArray[np.float32], geometry: Geometry, images: Sequence[Dataset]) -> list[Dataset]:
    from contourpy import LineType, contour_generator

    items = []
    for index, plane in enumerate(field):
        if not (plane < 0).any():
            continue
        lines = contour_generator(z=plane, line_type=LineType.Separate).lines(0.0)
        for line in cast("list[NDArray[np.float64]]", lines):
            if len(line) < 4:
                continue
            corners = np.column_stack([line[:-1], np.full(len(line) - 1, index)])
            item = Dataset()
            item.ContourImageSequence = [_reference(images[index])]
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(corners)
            points = np.round(geometry.to_physical(corners), 3)
            item.ContourData = [decimal(value) for value in points.ravel()]
            items.append(item)
    return items
