"""A PET picture in SUVbw as Positron Emission Tomography objects in Bq/mL, one a slice.

Dose, weight, times, decay and frame reference time are all there and agree, so that the file
alone determines SUVbw again: SUV = Bq/mL * weight_g / (dose * 2 ** -(uptake / half-life)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from gclnm.phantom.dicom.common import code, decimal, image_dataset, put_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gclnm.phantom.acquire.common import Picture
    from gclnm.phantom.dicom.common import Series
    from gclnm.phantom.scanners.pet import PetScanner

__all__ = ["activity_per_suv", "pet_objects"]

HALF_LIFE_S = 6586.2
UPTAKE_S = 3600


def activity_per_suv(dose_bq: float, weight_kg: float) -> float:
    """Bq/mL of SUVbw 1 at the start of the series, an uptake time after injection.

    Examples
    --------
    >>> round(activity_per_suv(3e8, 75.0), 1)
    2738.5
    """
    return float(dose_bq * 2 ** (-UPTAKE_S / HALF_LIFE_S) / (weight_kg * 1000))


def pet_objects(
    picture: Picture, series: Series, scanner: PetScanner, *, dose_bq: float
) -> Iterator[Dataset]:
    """One dataset a slice; the slices of a later bed are acquired later."""
    factor = activity_per_suv(dose_bq, float(series.identity.weight_kg))
    activity = picture.array.astype(np.float64) * factor
    top = float(activity.max())
    per_bed = -(-scanner.slices // scanner.beds)
    for index, values in enumerate(activity):
        ds = image_dataset(
            series, PositronEmissionTomographyImageStorage, picture.geometry, index, scanner.spacing_mm
        )
        slope = decimal((float(values.max()) if scanner.slope == "slice" else top) / 32767 or 1.0)
        put_pixels(ds, np.clip(np.rint(values / float(slope)), 0, 32767).astype(np.int16))
        ds.RescaleIntercept, ds.RescaleSlope = decimal(0), slope
        _series(ds, scanner)
        _timing(ds, series, scanner, bed=index // per_bed)
        _isotope(ds, series, dose_bq)
        ds.ImageIndex = index + 1
        yield ds


def clock(time: str, seconds: float) -> str:
    """A DICOM time some seconds later, with a fraction where there is one.

    Examples
    --------
    >>> clock("101500", 90), clock("101500", -3600)
    ('101630', '091500')
    """
    total = int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:6]) + int(seconds)
    return f"{total // 3600:02d}{total // 60 % 60:02d}{total % 60:02d}"


def _series(ds: Dataset, scanner: PetScanner) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    del ds.PatientPosition  # the code sequences below say it, and only one may
    ds.BodyPartExamined = "ABDOMEN"
    ds.Units, ds.CountsSource, ds.SeriesType = "BQML", "EMISSION", ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices = scanner.slices
    ds.CorrectedImage = list(scanner.corrections)
    ds.RandomsCorrectionMethod, ds.AttenuationCorrectionMethod = "SING", "CT measured"
    ds.ScatterCorrectionMethod, ds.DecayCorrection = "Model-based", "START"
    ds.ReconstructionMethod, ds.CollimatorType = scanner.reconstruction, "NONE"
    ds.ReconstructionDiameter = decimal(scanner.matrix * scanner.voxel_mm)
    ds.PatientOrientationCodeSequence = [code("102538003", "SCT", "recumbent")]
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [
        code("40199007", "SCT", "supine")
    ]
    ds.PatientGantryRelationshipCodeSequence = [code("102540008", "SCT", "headfirst")]


def _timing(ds: Dataset, series: Series, scanner: PetScanner, bed: int) -> None:
    began, decay = bed * scanner.bed_s, np.log(2) / HALF_LIFE_S
    loss = decay * scanner.bed_s / (1 - np.exp(-decay * scanner.bed_s))
    average = began + np.log(loss) / decay
    ds.AcquisitionTime = clock(series.time, began)
    ds.ActualFrameDuration = int(scanner.bed_s * 1000)
    ds.FrameReferenceTime = decimal(1000 * (began if scanner.frame_reference == "start" else average))
    ds.DecayFactor = decimal(loss * 2 ** (began / HALF_LIFE_S))
    ds.DoseCalibrationFactor, ds.ScatterFractionFactor = decimal(1), decimal(0.3)


def _isotope(ds: Dataset, series: Series, dose_bq: float) -> None:
    item = Dataset()
    item.Radiopharmaceutical = "Fluorodeoxyglucose"
    item.RadiopharmaceuticalStartTime = clock(series.time, -UPTAKE_S)
    item.RadiopharmaceuticalStartDateTime = series.date + item.RadiopharmaceuticalStartTime
    item.RadionuclideTotalDose = decimal(dose_bq)
    item.RadionuclideHalfLife = decimal(HALF_LIFE_S)
    item.RadionuclidePositronFraction = decimal(0.967)
    item.RadionuclideCodeSequence = [code("77004003", "SCT", "^18^Fluorine")]
    item.RadiopharmaceuticalCodeSequence = [code("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    ds.RadiopharmaceuticalInformationSequence = [item]
