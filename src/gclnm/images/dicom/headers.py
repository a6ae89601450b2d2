"""One DICOM file without its pixels: the facts of each frame, or of each region it outlines."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from gclnm.errors import ReadError
from gclnm.images.dicom.bvalues import BValue, b_value
from gclnm.images.dicom.complete import check_complete, check_last_element
from gclnm.images.dicom.elements import (
    FunctionalGroups,
    items,
    number,
    numbers,
    private,
    read,
    stamp,
    text,
    texts,
    whole,
)
from gclnm.images.dicom.frametypes import frame_kind
from gclnm.images.dicom.rois import RoiHeader, rtstruct_headers, seg_headers

__all__ = ["FileHeader", "FrameHeader", "looks_like_dicom", "read_header"]

CLASSIC = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
}
ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.128.1": "PT",  # legacy converted
    "1.2.840.10008.5.1.4.1.1.130": "PT",
}
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the header says of one frame; millimetres, LPS, ms, tesla, keV, s/mm2.

    ``frame`` is None in single-frame files, else its number from 0. Values a header lacks are None or
    ``""``. ``spacing`` is (x, y): the distance of columns, then of rows. ``kind`` is a name of
    :data:`gclnm.images.dicom.frametypes.KINDS`. ``birth_digest`` is keyed by the reader's salt and empty
    without one; a patient's name is never read.
    """

    file: str = ""
    frame: int | None = None
    n_frames: int = 1
    sop_class: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    frame_uid: str = ""
    patient_id: str = ""
    patient_sex: str = ""
    birth_digest: str = ""
    deidentified: bool = False
    modality: str = ""
    rows: int = 0
    columns: int = 0
    samples: int = 1
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, ...] | None = None
    slice_thickness: float | None = None
    slice_spacing: float | None = None
    tilt: float | None = None
    tiles: str = ""
    kind: str = "image"
    image_type: tuple[str, ...] = ()
    b_value: float | None = None
    b_nominal: float | None = None
    b_source: str = ""
    b_direction: tuple[float, ...] = ()
    te_ms: float | None = None
    tr_ms: float | None = None
    flip_angle_deg: float | None = None
    field_strength_t: float | None = None
    temporal_position: int | None = None
    acquisition_number: int | None = None
    instance_number: int | None = None
    echo_number: int | None = None
    trigger_time: float | None = None
    acquisition_time: str = ""
    content_time: str = ""
    study_date: str = ""
    energy_kev: float | None = None
    kvp: float | None = None
    kernel: str = ""
    units: str = ""
    rescale_type: str = ""
    tracer: str = ""
    contrast: str = ""
    manufacturer: str = ""
    model: str = ""
    station: str = ""
    software: str = ""
    series_description: str = ""
    series_number: int | None = None
    transfer_syntax: str = ""


@dataclass(frozen=True)
class FileHeader:
    """What one DICOM file is.

    Parameters
    ----------
    file
        Path.
    kind
        ``"image"`` (CT, MR, PT), ``"rtstruct"``, ``"seg"`` or ``"other"``.
    frames
        Of an image: one for each frame.
    rois
        Of a structure set or segmentation: one for each ROI or segment.
    sop_class
        SOP Class UID, which names what an ``"other"`` object is.
    """

    file: str
    kind: Literal["image", "rtstruct", "seg", "other"]
    frames: tuple[FrameHeader, ...] = ()
    rois: tuple[RoiHeader, ...] = ()
    sop_class: str = ""


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file begin a DICOM data set, with or without its preamble.

    Examples
    --------
    >>> looks_like_dicom(bytes(128) + b"DICM"), looks_like_dicom(b"patient,age")
    (True, False)
    """
    if start[128:132] == b"DICM":
        return True
    # Without preamble: a data set in little endian whose first group is 2 or 8.
    if len(start) < 8 or start[:2] not in (b"\x02\x00", b"\x08\x00") or start[3] != 0:
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or int.from_bytes(start[4:8], "little") < 1024


def read_header(path: str | Path, *, salt: bytes = b"") -> FileHeader:
    """Read the header of one DICOM file; pixels are not read, but their presence is checked.

    Parameters
    ----------
    path
        A DICOM file with any name, with or without the 128-byte preamble.
    salt
        Key under which a birth date is digested (for finding two persons under one id); without it
        no digest is made.

    Raises
    ------
    ReadError
        When the file is not DICOM, or is cut off in its header or its pixels.
    """
    file = str(path)
    # Odd value lengths and character sets are common and of no interest here.
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        return _read(file, salt)


def _read(file: str, salt: bytes) -> FileHeader:
    try:
        with open(file, "rb") as stream:
            start = stream.read(132)
            if not looks_like_dicom(start):
                raise ReadError("not a DICOM file", where=file, code="not-dicom")
            stream.seek(0)
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=start[128:132] != b"DICM")
            header = _file_header(file, dataset, salt)
            if header.kind in ("image", "seg"):
                check_complete(stream, dataset, file)
            elif header.kind == "rtstruct":
                check_last_element(stream, dataset, file)
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(
            "the file cannot be opened", where=file, fix="Check its permissions.", code="cannot-open"
        ) from error
    except InvalidDicomError as error:
        raise ReadError("not a DICOM file", where=file, code="not-dicom") from error
    except Exception as error:  # pydicom raises whatever its decoders raise on a damaged header
        raise ReadError(
            f"the DICOM header is damaged ({type(error).__name__})", where=file, fix="Export the file again."
        ) from error
    return header


def _file_header(file: str, dataset: Dataset, salt: bytes) -> FileHeader:
    meta = getattr(dataset, "file_meta", None) or Dataset()
    sop_class = text(read(dataset, "SOPClassUID")) or text(read(meta, "MediaStorageSOPClassUID"))
    if sop_class == RTSTRUCT:
        return FileHeader(file, "rtstruct", rois=rtstruct_headers(file, dataset), sop_class=sop_class)
    if sop_class == SEGMENTATION:
        return FileHeader(file, "seg", rois=seg_headers(file, dataset), sop_class=sop_class)
    modality = CLASSIC.get(sop_class) or ENHANCED.get(sop_class, "")
    if not modality and not sop_class and "Rows" in dataset:
        # Some anonymisers drop every UID; the modality still says what the object is.
        modality = text(read(dataset, "Modality"))
    if modality not in ("CT", "MR", "PT"):
        if not sop_class and "Rows" not in dataset and "PatientID" not in dataset:
            raise ReadError("not a DICOM file, or cut off early", where=file, code="not-dicom")
        return FileHeader(file, "other", sop_class=sop_class)
    common = _common(file, dataset, sop_class, modality, salt)
    if sop_class in ENHANCED:
        return FileHeader(file, "image", _enhanced_frames(dataset, common), sop_class=sop_class)
    return FileHeader(file, "image", (_classic_frame(dataset, common),), sop_class=sop_class)


def _common(file: str, dataset: Dataset, sop_class: str, modality: str, salt: bytes) -> FrameHeader:
    """What all frames of a file share."""
    meta = getattr(dataset, "file_meta", None) or Dataset()
    birth = text(read(dataset, "PatientBirthDate"))
    digest = hashlib.blake2b(birth.encode(), key=salt[:64], digest_size=8).hexdigest()
    return FrameHeader(
        file=file,
        sop_class=sop_class,
        sop_uid=text(read(dataset, "SOPInstanceUID")),
        series_uid=text(read(dataset, "SeriesInstanceUID")),
        study_uid=text(read(dataset, "StudyInstanceUID")),
        frame_uid=text(read(dataset, "FrameOfReferenceUID")),
        patient_id=text(read(dataset, "PatientID")),
        patient_sex=text(read(dataset, "PatientSex")),
        birth_digest=digest if birth and salt else "",
        deidentified=text(read(dataset, "PatientIdentityRemoved")).upper() == "YES",
        modality=modality,
        rows=whole(read(dataset, "Rows")) or 0,
        columns=whole(read(dataset, "Columns")) or 0,
        samples=whole(read(dataset, "SamplesPerPixel")) or 1,
        tilt=number(read(dataset, "GantryDetectorTilt")),
        field_strength_t=_tesla(number(read(dataset, "MagneticFieldStrength"))),
        acquisition_number=whole(read(dataset, "AcquisitionNumber")),
        instance_number=whole(read(dataset, "InstanceNumber")),
        study_date=text(read(dataset, "StudyDate")),
        units=text(read(dataset, "Units")),
        tracer=_tracer(dataset),
        contrast=_contrast(dataset),
        manufacturer=text(read(dataset, "Manufacturer")),
        model=text(read(dataset, "ManufacturerModelName")),
        station=text(read(dataset, "StationName")),
        software=text(read(dataset, "SoftwareVersions")),
        series_description=text(read(dataset, "SeriesDescription")),
        series_number=whole(read(dataset, "SeriesNumber")),
        transfer_syntax=text(read(meta, "TransferSyntaxUID")),
    )


def _tesla(value: float | None) -> float | None:
    # Old GE systems write gauss.
    return value / 10_000 if value is not None and value > 100 else value


def _tracer(dataset: Dataset) -> str:
    for item in items(dataset, "RadiopharmaceuticalInformationSequence")[:1]:
        named = text(read(item, "Radiopharmaceutical"))
        codes = items(item, "RadiopharmaceuticalCodeSequence") or items(item, "RadionuclideCodeSequence")
        return named or (text(read(codes[0], "CodeMeaning")) if codes else "")
    return ""


def _contrast(dataset: Dataset) -> str:
    agents = [text(read(dataset, "ContrastBolusAgent"))]
    for item in items(dataset, "ContrastBolusAgentSequence"):
        agents.append(text(read(item, "CodeMeaning")))
    return next((agent for agent in agents if agent), "")


def _triple(value: Any, length: int) -> tuple[float, ...] | None:
    found = numbers(value)
    return found if len(found) == length else None


def _spacing(value: Any) -> tuple[float, ...] | None:
    found = _triple(value, 2)  # rows first in DICOM
    return (found[1], found[0]) if found and min(found) > 0 else None


def _acquired(dataset: Dataset) -> str:
    """Date and time of acquisition, from its DT attribute or its DA and TM pair."""
    joined = _date_time(read(dataset, "AcquisitionDateTime"))
    return joined or stamp(read(dataset, "AcquisitionDate"), read(dataset, "AcquisitionTime"))


def _date_time(content: Any) -> str:
    joined = text(content)
    return stamp(joined[:8], joined[8:].split("+")[0].split("-")[0]) if joined[:8].isdigit() else ""


def _content(dataset: Dataset) -> str:
    return stamp(read(dataset, "ContentDate"), read(dataset, "ContentTime"))


def _tiles(dataset: Dataset, image_type: tuple[str, ...]) -> str:
    """How a whole volume is packed into one frame, if it is."""
    if "MOSAIC" in image_type:
        return "mosaic"
    if "VFRAME" in image_type or (number(private(dataset, 0x0065, "Image Private Header", 0x50)) or 0) > 1:
        return "vframe"
    return ""


def _energy(dataset: Dataset, groups: FunctionalGroups | None = None) -> float | None:
    levels = [dataset, *(groups.levels() if groups else ())]
    for level in levels:
        for item in items(level, "MultienergyCTCharacteristicsSequence"):
            found = number(read(item, "MonoenergeticEnergyEquivalent"))
            if found is not None:
                return found
    return None


def _mapped_unit(dataset: Any) -> str:
    for item in items(dataset, "RealWorldValueMappingSequence")[:1]:
        for code in items(item, "MeasurementUnitsCodeSequence")[:1]:
            return text(read(code, "CodeValue"))
    return ""


def _classic_frame(dataset: Dataset, common: FrameHeader) -> FrameHeader:
    image_type = texts(read(dataset, "ImageType"))
    rescale_type = text(read(dataset, "RescaleType"))
    n_frames = whole(read(dataset, "NumberOfFrames")) or 1
    kind = frame_kind(
        common.modality,
        image_type + (texts(read(dataset, "SeriesType")) if common.modality == "PT" else ()),
        component=text(read(dataset, "ComplexImageComponent")),
        ge_raw=whole(private(dataset, 0x0043, "GEMS_PARM_01", 0x2F)) if common.modality == "MR" else None,
        rescale_type=rescale_type,
        unit=_mapped_unit(dataset) if common.modality == "CT" else "",
        description=common.series_description,
    )
    weighting = b_value(dataset) if common.modality == "MR" else None
    averaged = kind.name == "image" and _isotropic(dataset, weighting)
    return replace(
        common,
        n_frames=n_frames,
        frame=None,
        position=_triple(read(dataset, "ImagePositionPatient"), 3) if n_frames == 1 else None,
        orientation=_triple(read(dataset, "ImageOrientationPatient"), 6),
        spacing=_spacing(read(dataset, "PixelSpacing")),
        slice_thickness=number(read(dataset, "SliceThickness")),
        slice_spacing=number(read(dataset, "SpacingBetweenSlices")),
        tiles=_tiles(dataset, image_type) if common.modality == "MR" else "",
        kind="trace" if averaged else kind.name,
        image_type=image_type,
        b_value=weighting.value if weighting else None,
        b_nominal=weighting.nominal if weighting else None,
        b_source=weighting.source if weighting else "",
        b_direction=weighting.direction if weighting else (),
        te_ms=number(read(dataset, "EchoTime")),
        tr_ms=number(read(dataset, "RepetitionTime")),
        flip_angle_deg=number(read(dataset, "FlipAngle")),
        temporal_position=whole(read(dataset, "TemporalPositionIdentifier")),
        echo_number=whole(read(dataset, "EchoNumbers")),
        trigger_time=number(read(dataset, "TriggerTime")),
        acquisition_time=_acquired(dataset),
        content_time=_content(dataset),
        energy_kev=_energy(dataset),
        kvp=number(read(dataset, "KVP")),
        kernel=text(read(dataset, "ConvolutionKernel")),
        rescale_type=rescale_type,
    )


def _isotropic(dataset: Dataset, weighting: BValue | None) -> bool:
    """Philips appends direction-averaged images to a diffusion series: b > 0 and direction I."""
    if weighting is None or weighting.value < 5:
        return False
    return text(private(dataset, 0x2001, "Philips Imaging DD 001", 0x04)).upper() == "I"


def _enhanced_frames(dataset: Dataset, common: FrameHeader) -> tuple[FrameHeader, ...]:
    shared = next(iter(items(dataset, "SharedFunctionalGroupsSequence")), None)
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    count = whole(read(dataset, "NumberOfFrames")) or len(per_frame) or 1
    base = replace(
        common,
        n_frames=count,
        content_time=_content(dataset),
        acquisition_time=_acquired(dataset),
    )
    frames = []
    for index in range(count):
        own = per_frame[index] if index < len(per_frame) else None
        frames.append(_enhanced_frame(dataset, base, FunctionalGroups(own, shared), index))
    return tuple(frames)


FRAME_TYPES = {
    "CT": "CTImageFrameTypeSequence",
    "MR": "MRImageFrameTypeSequence",
    "PT": "PETFrameTypeSequence",
}


def _enhanced_frame(dataset: Dataset, base: FrameHeader, groups: FunctionalGroups, index: int) -> FrameHeader:
    types = FRAME_TYPES[base.modality]
    image_type = texts(groups.get(types, "FrameType")) or texts(read(dataset, "ImageType"))
    component = text(groups.get(types, "ComplexImageComponent")) or text(
        read(dataset, "ComplexImageComponent")
    )
    rescale_type = text(groups.get("PixelValueTransformationSequence", "RescaleType"))
    units = [_mapped_unit(level) for level in groups.levels()]
    kind = frame_kind(
        base.modality,
        image_type,
        component=text(component),
        rescale_type=rescale_type,
        unit=next((unit for unit in units if unit), "") if base.modality == "CT" else "",
        description=base.series_description,
    )
    weighting = b_value(dataset, groups) if base.modality == "MR" else None
    content = groups.item("FrameContentSequence") or Dataset()
    timing = groups.item("MRTimingAndRelatedParametersSequence") or dataset
    moment = _date_time(read(content, "FrameAcquisitionDateTime")) or base.acquisition_time
    acquisition = whole(read(content, "FrameAcquisitionNumber"))
    return replace(
        base,
        frame=index,
        position=_triple(groups.get("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_triple(groups.get("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        spacing=_spacing(groups.get("PixelMeasuresSequence", "PixelSpacing")),
        slice_thickness=number(groups.get("PixelMeasuresSequence", "SliceThickness")),
        slice_spacing=number(groups.get("PixelMeasuresSequence", "SpacingBetweenSlices"))
        or number(read(dataset, "SpacingBetweenSlices")),
        tilt=base.tilt or number(groups.get("CTAcquisitionDetailsSequence", "GantryDetectorTilt")),
        kind=kind.name,
        image_type=image_type,
        b_value=weighting.value if weighting else None,
        b_nominal=weighting.nominal if weighting else None,
        b_source=weighting.source if weighting else "",
        b_direction=weighting.direction if weighting else (),
        te_ms=number(groups.get("MREchoSequence", "EffectiveEchoTime")) or number(read(dataset, "EchoTime")),
        tr_ms=number(read(timing, "RepetitionTime")),
        flip_angle_deg=number(read(timing, "FlipAngle")),
        temporal_position=whole(read(content, "TemporalPositionIndex"))
        or whole(groups.get("UnassignedPerFrameConvertedAttributesSequence", "TemporalPositionIdentifier")),
        acquisition_number=acquisition if acquisition is not None else base.acquisition_number,
        trigger_time=number(groups.get("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime")),
        acquisition_time=moment,
        energy_kev=_energy(dataset, groups),
        kvp=number(groups.get("CTXRayDetailsSequence", "KVP")) or number(read(dataset, "KVP")),
        kernel=text(groups.get("CTReconstructionSequence", "ConvolutionKernel")),
        rescale_type=rescale_type,
    )
