"""A cohort in which every place that can name a person does, and a search through bytes, packed or not."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

import gclnm
from gclnm.phantom.cohort import _make_patient

# Every planted word holds the stem; dates, UIDs and the Chinese name are searched beside it.
STEM = "zqxwvk"
CHINESE = "王秘密"
BIRTH, DAY = "19470813", "20010203"
UID_ROOT = "2.25."

TEXTS = (
    *("PatientID", "OtherPatientIDs", "PatientAddress", "PatientComments", "AdditionalPatientHistory"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("StudyDescription", "SeriesDescription", "ProtocolName", "StudyID", "AccessionNumber"),
    *("ImageComments", "DeviceSerialNumber", "RequestedProcedureDescription", "DerivationDescription"),
    *(
        "PerformedProcedureStepDescription",
        "StructureSetLabel",
        "StructureSetName",
        "StructureSetDescription",
    ),
    *(
        "SoftwareVersions",
        "ContrastBolusAgent",
        "MedicalAlerts",
        "Occupation",
        "ContentDescription",
        "StructureSetDescription",
    ),
)
NAMES = (
    *("PatientName", "ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName"),
    *("NameOfPhysiciansReadingStudy", "ContentCreatorName", "PatientMotherBirthName", "OtherPatientNames"),
)
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "StructureSetDate")


def _short(keyword: str) -> str:
    return f"{STEM}{re.sub('[a-z]', '', keyword)}{len(keyword)}"


def plant(ds: Dataset, patient: int, roi_name: Callable[[str], str]) -> None:
    """Put a word to be searched for into every element that could name a person, place or day."""
    for keyword in TEXTS:
        setattr(ds, keyword, f"{_short(keyword)}{patient if keyword == 'PatientID' else ''}")
    for keyword in NAMES:
        setattr(ds, keyword, f"{_short(keyword)}^{CHINESE}")
    for keyword in DATES:
        setattr(ds, keyword, DAY)
    ds.PatientBirthDate = BIRTH
    ds.SpecificCharacterSet = "ISO_IR 192"
    block = ds.private_block(0x0099, f"{STEM} private", create=True)
    block.add_new(0x01, "LO", f"{STEM}privatevalue")
    for item in ds.get("StructureSetROISequence", ()):
        item.ROIName, item.ROIDescription = roi_name(item.ROIName), f"{STEM}description"
    for item in ds.get("SegmentSequence", ()):
        item.SegmentLabel, item.SegmentDescription = roi_name(item.SegmentLabel), f"{STEM}description"
    if ds.Modality == "PT":
        ds.CountsSource = "EMISSION"
        (item,) = ds.RadiopharmaceuticalInformationSequence
        item.Radiopharmaceutical = f"{STEM}tracer"
        if "RadiopharmaceuticalStartDateTime" in item:
            item.RadiopharmaceuticalStartDateTime = DAY + str(item.RadiopharmaceuticalStartDateTime)[8:]


@dataclass
class Planted:
    """Where the files are."""

    root: Path
    patients: tuple[str, ...] = ()
    uids: set[str] = field(default_factory=set)

    @property
    def table(self) -> Path:
        """Clinical data of the patients, with names and remarks."""
        return self.root / f"{STEM}clinical.csv"


def _roi(name: str) -> str:
    return f"{name} {STEM}dr {CHINESE}" if name == "GTV" else name.replace("LN_", f"LN {STEM}node ")


def _patient(folder: Path, number: int, modalities: tuple[str, ...], found: Planted) -> Path:
    made = folder / "made"
    _make_patient(made, f"P{number}", number, 0, modalities)
    target = folder / f"{STEM}folder {CHINESE} {number}"
    for file, ds in _near_lesions(made):
        plant(ds, number, _roi)
        found.uids |= {ds.SeriesInstanceUID, ds.StudyInstanceUID}
        place = target / file.parent.name / f"{STEM}file{file.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(place)
    found.patients += (f"{_short('PatientID')}{number}",)
    shutil.rmtree(made)
    return target


def _near_lesions(made: Path) -> Iterator[tuple[Path, Dataset]]:
    """The objects of a patient, of images only slices that a lesion is on or near."""
    for folder in sorted(made.iterdir()):
        found = [(file, pydicom.dcmread(file)) for file in sorted(folder.iterdir())]
        heights = [z for _, ds in found for z in _heights(ds)]
        for file, ds in found:
            z = float(ds.ImagePositionPatient[2]) if "ImagePositionPatient" in ds else heights[0]
            if min(heights) - 10 <= z <= max(heights) + 10:
                yield file, ds


def _heights(ds: Dataset) -> list[float]:
    rois = ds.get("ROIContourSequence", ())
    frames = ds.get("PerFrameFunctionalGroupsSequence", ())
    drawn = [float(contour.ContourData[2]) for roi in rois for contour in roi.ContourSequence]
    return drawn + [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in frames]


def _spoil(folder: Path, whole: Path) -> None:
    """Copies of a patient's CT and PET, each broken in its own way, under ids of their own."""

    def copy(name: str, kind: str, how: Callable[[Dataset, int], Any]) -> None:
        uids: dict[str, str] = {}
        for index, file in enumerate(sorted((whole / kind).iterdir())):
            ds = pydicom.dcmread(file)
            text = ds.to_json()
            for uid in set(re.findall(r"2\.25\.\d+", text)):
                text = text.replace(f'"{uid}"', f'"{uids.setdefault(uid, generate_uid(prefix=UID_ROOT))}"')
            changed = Dataset.from_json(text)
            changed.file_meta = ds.file_meta
            changed.file_meta.MediaStorageSOPInstanceUID = changed.SOPInstanceUID
            changed.PatientID = f"{STEM}{name}"
            how(changed, index)
            place = folder / f"{STEM}{name}" / kind / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            changed.save_as(place)

    def units(ds: Dataset, _: int) -> None:
        ds.Units = f"{STEM.upper()}UNITS"

    def words_as_weight(ds: Dataset, _: int) -> None:
        ds.PatientWeight = None
        ds.DecayCorrection = f"{STEM.upper()}DECAY"

    def flat(ds: Dataset, _: int) -> None:
        if "PixelData" in ds:
            ds.PixelData = bytes(len(ds.PixelData))

    def elsewhere(ds: Dataset, _: int) -> None:
        for roi in ds.get("ROIContourSequence", ()):
            for contour in roi.ContourSequence:
                points = np.add(np.reshape(contour.ContourData, (-1, 3)).astype(float), [900, 0, 0])
                contour.ContourData = [f"{value:.3f}" for value in points.ravel()]

    def map_of_somebody(ds: Dataset, _: int) -> None:
        ds.RescaleType = f"{STEM.upper()}TYPE"

    def cut(ds: Dataset, index: int) -> None:
        if index == 3 and "PixelData" in ds:
            ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]

    copy("units", "PT", units)
    copy("weight", "PT", words_as_weight)
    copy("flat", "PT", flat)
    copy("away", "PT", elsewhere)
    copy("type", "MR", map_of_somebody)
    copy("cut", "MR", cut)


def _image_files(folder: Path) -> None:
    """NIfTI, NRRD and MetaImage whose patients are known by folders and names only."""
    image = np.random.default_rng(0).normal(100, 20, (16, 16, 12)).astype(np.float32)
    mask = np.zeros(image.shape, np.uint8)
    mask[4:12, 4:12, 3:9] = 1
    for name, values in (("", mask), ("empty ", np.zeros_like(mask)), ("far ", mask)):
        place = folder / f"{STEM}nifti {name}{CHINESE}"
        place.mkdir(parents=True)
        for kind, data in (("T2", image), (f"T2_GTV {STEM}rater_mask", values)):
            file = nibabel.Nifti1Image(data, np.diag([1.0, 1.0, 1.0, 1.0]))
            if name == "far " and kind != "T2":
                file = nibabel.Nifti1Image(data, np.diag([1.0, 1.0, 5.0, 1.0]))
            file.header["descrip"] = f"{STEM}descrip"
            file.header["intent_name"] = f"{STEM}intent"
            nibabel.save(file, place / f"{STEM}_{kind}.nii.gz")
    picture = SimpleITK.GetImageFromArray(image.transpose(2, 1, 0))
    picture.SetMetaData("comment", f"{STEM}nrrd")
    (folder / f"{STEM}nrrd").mkdir()
    SimpleITK.WriteImage(picture, str(folder / f"{STEM}nrrd" / f"{STEM}T1.nrrd"))
    label = SimpleITK.GetImageFromArray(mask.transpose(2, 1, 0))
    label.SetMetaData("Segment0_LabelValue", "1")
    label.SetMetaData("Segment0_Name", f"GTV {STEM}segment")
    SimpleITK.WriteImage(label, str(folder / f"{STEM}nrrd" / f"{STEM}T1.seg.nrrd"))
    (folder / f"{STEM}broken.nii.gz").write_bytes(f"{STEM}no image".encode() * 50)
    (folder / f"{STEM}broken.dcm").write_bytes(bytes(128) + b"DICM" + f"{STEM}rubbish".encode() * 50)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """CT, MR and PET with RTSTRUCT, CT with SEG, image files, sound and broken; all full of planted words."""
    folder = tmp_path_factory.mktemp("privacy") / f"{STEM}root"
    folder.mkdir()
    found = Planted(folder)
    whole = _patient(folder, 0, ("CT", "MR", "PT"), found)
    _patient(folder, 2, ("CT",), found)
    _spoil(folder, whole)
    _image_files(folder)
    rows = [f"{who},{CHINESE},{n},{STEM}remark,1947-08-13" for n, who in enumerate(found.patients)]
    found.table.write_text("\n".join(["patient,name,stage,remark,born", *rows]), "utf-8")
    return found


ZSTD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"
DEPTH = 4


def unpacked(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """The bytes, and what zstd and gzip frames at any place in them hold, frames in frames included."""
    yield data
    if not depth:
        return
    for magic, kind in ((ZSTD, "zstd"), (GZIP, "gzip")):
        at = data.find(magic)
        while at >= 0:
            yield from (part for inner in _inflated(data[at:], kind) for part in unpacked(inner, depth - 1))
            at = data.find(magic, at + 1)
    for picture in re.findall(rb"base64,([A-Za-z0-9+/=]{16,})", data):
        yield base64.b64decode(picture)


def _inflated(data: bytes, kind: str) -> Iterable[bytes]:
    """What the frame at the start of some bytes holds; nothing where there is none after all."""
    try:
        if kind == "gzip":
            return [zlib.decompressobj(wbits=31).decompress(data)]
        with pyarrow.CompressedInputStream(
            pyarrow.BufferReader(data[: _zstd_length(data)]), "zstd"
        ) as stream:
            return [stream.read()]
    except (OSError, zlib.error, IndexError):
        return []


def _zstd_length(data: bytes) -> int:
    """Length of the zstd frame at the start of some bytes (RFC 8878, 3.1.1)."""
    flags = data[4]
    single, checksum = bool(flags & 0x20), bool(flags & 0x04)
    size = (1 if single else 0, 2, 4, 8)[flags >> 6]
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3] + size
    while True:
        head = int.from_bytes(data[at : at + 3], "little")
        if at + 3 > len(data):
            raise IndexError
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
        if head & 1:
            return at + 4 * checksum


@dataclass(frozen=True)
class Needles:
    """What must not be found, as bytes of every spelling it could have."""

    pattern: re.Pattern[bytes]

    @classmethod
    def of(cls, words: Iterable[str], more: str = "") -> Needles:
        spelled = {form for word in words for form in _forms(word)}
        parts = [re.escape(form) for form in sorted(spelled)] + ([more.encode()] if more else [])
        return cls(re.compile(b"|".join(parts), re.IGNORECASE))

    def in_bytes(self, data: bytes) -> set[str]:
        """What is found in bytes or in anything packed in them."""
        return {
            found.decode("utf-8", "replace")
            for part in unpacked(data)
            for found in self.pattern.findall(part)
        }

    def in_text(self, text: str) -> set[str]:
        """What is found in text."""
        return self.in_bytes(text.encode("utf-8", "surrogatepass"))

    def in_folder(self, folder: Path) -> dict[str, set[str]]:
        """By file: what is found in its name or bytes."""
        found = {}
        for path in sorted(folder.rglob("*")):
            here = self.in_text(str(path.relative_to(folder)))
            here |= self.in_bytes(path.read_bytes()) if path.is_file() else set()
            if here:
                found[str(path.relative_to(folder))] = here
        return found


def _forms(word: str) -> set[bytes]:
    escaped = word.encode("ascii", "backslashreplace")
    return {word.encode(), escaped, word.encode("utf-16-le"), word.encode("gb18030")}


@pytest.fixture(scope="session")
def secrets(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Needles:
    """All that was planted: words, dates, every UID, folders, and unkeyed digests of patient ids."""
    known = (*planted.patients, *planted.uids)
    digests = [hashlib.sha256(word.encode()).hexdigest()[:12] for word in known]
    words = [STEM, CHINESE, BIRTH, DAY, str(tmp_path_factory.getbasetemp()), *digests]
    return Needles.of(words, more=r"2\.25\.\d{6,}")


@pytest.fixture(scope="session")
def recipe() -> gclnm.Recipe:
    """Few features of anything: the way is what counts."""
    families = ("glrlm", "glszm", "gldm", "ngtdm", "glcm")
    return gclnm.Recipe.named("mr-t2").with_(
        name="few",
        modality="",
        quantity=["HU", "SUVbw", "arbitrary", "unspecified"],
        prepare={"filters": {"log": None, "wavelet": None}},
        compute__shape=["MeshVolume"],
        compute__firstorder=["Mean"],
        **{f"compute__{family}": () for family in families},
    )
