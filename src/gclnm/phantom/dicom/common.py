"""What every DICOM object of the cohort shares: identifiers, patient, study, equipment, writing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat, format_number_as_ds

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gclnm.images import Geometry
    from gclnm.phantom.scanners.equipment import Equipment

__all__ = ["Identity", "Series", "code", "decimal", "image_dataset", "put_pixels", "start", "uid", "write"]

_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
IMPLEMENTATION = UID("2.25.96327514820310245571205163982463217031")


def uid(*parts: object) -> UID:
    """A UID that is always the same for the same parts.

    Examples
    --------
    >>> uid("series", 1) == uid("series", 1), uid("series", 1) == uid("series", 2)
    (True, False)
    """
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(str(part) for part in parts)).int}")


def decimal(value: float) -> DSfloat:
    """A decimal string of at most 16 characters."""
    return DSfloat(format_number_as_ds(float(value)))


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


@dataclass(frozen=True)
class Identity:
    """One invented patient, already without identity."""

    patient_id: str
    sex: str
    age: int
    weight_kg: float
    height_m: float
    seed: int

    def uid(self, *parts: object) -> UID:
        """A UID of this patient in this cohort."""
        return uid("gclnm phantom", self.seed, self.patient_id, *parts)


@dataclass(frozen=True)
class Series:
    """One series to be written: whose, by which scanner, when, in which study and frame."""

    identity: Identity
    equipment: Equipment
    modality: str
    number: int
    description: str
    study: str
    date: str
    time: str
    frame: UID

    @property
    def series_uid(self) -> UID:
        """SeriesInstanceUID."""
        return self.identity.uid("series", self.modality, self.number)

    @property
    def study_uid(self) -> UID:
        """StudyInstanceUID."""
        return self.identity.uid("study", self.study)

    def sop_uid(self, index: int) -> UID:
        """SOPInstanceUID of object ``index``."""
        return self.identity.uid("object", self.modality, self.number, index)


def start(series: Series, sop_class: UID, index: int = 0) -> Dataset:
    """A dataset with patient, study, series, equipment and SOP common modules.

    Type 2 attributes that are unknown are there and empty.
    """
    person, maker = series.identity, series.equipment
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, series.sop_uid(index)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = series.date
    ds.SeriesTime = ds.ContentTime = series.time
    ds.StudyTime = f"{series.time[:2]}0000"  # one for all series of a study
    ds.AccessionNumber, ds.ReferringPhysicianName = "", ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = series.study_uid, series.series_uid
    ds.StudyID, ds.SeriesNumber = series.study, series.number
    ds.Modality, ds.SeriesDescription = series.modality, series.description
    ds.Manufacturer, ds.ManufacturerModelName = maker.manufacturer, maker.model
    ds.StationName, ds.SoftwareVersions, ds.DeviceSerialNumber = maker.station, maker.software, maker.serial
    ds.PatientName, ds.PatientID = f"PHANTOM^{person.patient_id}", person.patient_id
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "", person.sex, f"{person.age:03d}Y"
    ds.PatientWeight, ds.PatientSize = decimal(person.weight_kg), decimal(person.height_m)
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "invented patient"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = series.frame, ""
    return ds


def image_dataset(
    series: Series, sop_class: UID, geometry: Geometry, index: int, thickness_mm: float
) -> Dataset:
    """A dataset for slice ``index`` of a grid, with image plane and general image modules."""
    ds = start(series, sop_class, index)
    ds.InstanceNumber, ds.AcquisitionNumber = index + 1, 1
    ds.AcquisitionDate, ds.AcquisitionTime = series.date, series.time
    ds.PatientPosition, ds.PatientOrientation = "HFS", ""
    across = np.asarray(geometry.direction)
    position = geometry.to_physical([[0, 0, index]])[0]
    ds.ImagePositionPatient = [decimal(value) for value in position]
    ds.ImageOrientationPatient = [decimal(value) for value in (*across[:, 0], *across[:, 1])]
    ds.PixelSpacing = [decimal(geometry.spacing_mm[1]), decimal(geometry.spacing_mm[0])]
    ds.SliceThickness = decimal(thickness_mm)
    ds.SliceLocation = decimal(float(position @ across[:, 2]))
    return ds


def put_pixels(ds: Dataset, stored: NDArray[np.int16] | NDArray[np.uint16], bits: int = 16) -> None:
    """Image pixel module of one slice (rows, columns) of 16-bit numbers."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PixelRepresentation = int(stored.dtype == np.int16)
    ds.PixelData = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).tobytes()


def write(ds: Dataset, path: Path) -> None:
    """Write one object as a DICOM file, explicit little endian; no byte depends on the library's version."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION, "GCLNM_PHANTOM"
    ds.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
