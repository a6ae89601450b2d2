"""A CT picture as CT Image Storage objects, one a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import CTImageStorage

from gclnm.phantom.dicom.common import decimal, image_dataset, put_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from gclnm.phantom.acquire.common import Picture
    from gclnm.phantom.dicom.common import Series
    from gclnm.phantom.scanners.ct import CtScanner

__all__ = ["ct_objects"]

INTERCEPT = -1024
PADDING = -2000


def ct_objects(picture: Picture, series: Series, scanner: CtScanner) -> Iterator[Dataset]:
    """One dataset a slice, feet to head: HU as stored value + (-1024).

    A scanner that stores signed numbers also pads the corners outside the field of view with
    -2000, which is no HU; one that stores unsigned numbers uses 12 bits and does not pad.
    """
    n = scanner.matrix
    column, row = np.meshgrid(np.arange(n), np.arange(n))
    outside = np.hypot(column - (n - 1) / 2, row - (n - 1) / 2) > n / 2
    for index, values in enumerate(picture.array):
        ds = image_dataset(series, CTImageStorage, picture.geometry, index, scanner.thickness_mm)
        stored = np.rint(values).astype(np.int32) - INTERCEPT
        if scanner.stored == "signed":
            ds.PixelRepresentation = 1  # before the padding value: it decides its VR
            ds.PixelPaddingValue = PADDING
            put_pixels(ds, np.where(outside, PADDING, stored).astype(np.int16))
        else:
            put_pixels(ds, np.clip(stored, 0, 4095).astype(np.uint16), bits=12)
        _acquisition(ds, scanner, series)
        yield ds


def _acquisition(ds: Dataset, scanner: CtScanner, series: Series) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BodyPartExamined = "ABDOMEN"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = INTERCEPT, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    ds.KVP = decimal(scanner.kvp)
    ds.ConvolutionKernel = scanner.kernel.split("\\")
    ds.DataCollectionDiameter = ds.ReconstructionDiameter = decimal(scanner.fov_mm)
    ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = 240, 500, 120
    ds.FilterType, ds.RotationDirection, ds.GantryDetectorTilt = "BODY FILTER", "CW", 0
    ds.TableHeight = decimal(150.0)
    ds.ContrastBolusAgent, ds.ContrastBolusRoute = "Iohexol 350", "IV"
    ds.ContrastBolusVolume = decimal(90.0)
    # The injection began 70 s before the images: portal venous.
    ds.ContrastBolusStartTime = f"{int(series.time[:4]) - 2:04d}50"
