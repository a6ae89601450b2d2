"""An MR picture as MR Image Storage objects, one a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import MRImageStorage

from gclnm.phantom.dicom.common import decimal, image_dataset, put_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from gclnm.phantom.acquire.common import Picture
    from gclnm.phantom.dicom.common import Series
    from gclnm.phantom.scanners.mr import MrScanner

__all__ = ["mr_objects"]


def mr_objects(picture: Picture, series: Series, scanner: MrScanner) -> Iterator[Dataset]:
    """One dataset a slice: signal as stored, without a rescale, as most scanners write it."""
    for index, values in enumerate(picture.array):
        ds = image_dataset(series, MRImageStorage, picture.geometry, index, scanner.thickness_mm)
        put_pixels(ds, np.clip(np.rint(values), 0, 32767).astype(np.int16))
        _acquisition(ds, scanner)
        yield ds


def _acquisition(ds: Dataset, scanner: MrScanner) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    ds.BodyPartExamined = "ABDOMEN"
    ds.ScanningSequence, ds.SequenceVariant = "SE", list(scanner.variant)
    ds.ScanOptions = list(scanner.options)
    ds.MRAcquisitionType, ds.SequenceName = "2D", scanner.sequence_name
    if not scanner.sequence_name:
        del ds.SequenceName
    ds.SpacingBetweenSlices = decimal(scanner.spacing_mm)
    ds.EchoTime, ds.RepetitionTime = decimal(scanner.te_ms), decimal(scanner.tr_ms)
    ds.EchoTrainLength, ds.FlipAngle = scanner.echo_train, decimal(scanner.flip_deg)
    ds.EchoNumbers, ds.NumberOfAverages = 1, decimal(1)
    ds.MagneticFieldStrength = decimal(scanner.field_t)
    ds.ImagingFrequency, ds.ImagedNucleus = decimal(42.577 * scanner.field_t), "1H"
    ds.NumberOfPhaseEncodingSteps, ds.InPlanePhaseEncodingDirection = scanner.matrix, "COL"
    ds.PercentSampling = ds.PercentPhaseFieldOfView = decimal(100)
    ds.PixelBandwidth, ds.ReceiveCoilName = decimal(260), "BODY"
    ds.ReconstructionDiameter = decimal(scanner.fov_mm)
