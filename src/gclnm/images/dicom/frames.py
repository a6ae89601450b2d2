"""The facts of each frame of a DICOM image, classic or enhanced, without pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset

from gclnm.images.dicom.bvalues import BValue, b_value
from gclnm.images.dicom.elements import (
    Groups,
    as_number,
    as_numbers,
    as_text,
    as_texts,
    first_item,
    frame_count,
    items,
    number,
    private,
    stamp,
    text,
    texts,
    whole,
)
from gclnm.images.dicom.energy import spectral
from gclnm.images.dicom.frametypes import FrameKind, frame_kind
from gclnm.images.dicom.objects import ENHANCED, modality_of, sop_class_of
from gclnm.images.dicom.phase import phase_evidence
from gclnm.images.dicom.sequence import MrSequence, mr_sequence
from gclnm.images.dicom.sources import source_uids
from gclnm.images.dicom.tiles import tiling

__all__ = [
    "FrameHeader",
    "Plane",
    "field_class",
    "field_strength_t",
    "frame_headers",
    "kind_of",
    "mapped_unit",
    "plane_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where a frame lies; millimetres, LPS. What the header lacks is None, 0 or ``""``.

    ``spacing`` is (x, y): the distance of columns, then of rows.
    """

    rows: int = 0
    columns: int = 0
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, ...] | None = None
    slice_thickness: float | None = None
    slice_spacing: float | None = None
    frame_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader(Plane):
    """What the header says of one frame; millimetres, LPS, ms, tesla, keV, s/mm2.

    ``frame`` is None in single-frame files, else its number from 0; so are tiles numbered. ``tiles`` names
    a packing whose places the header does not give. Values a header lacks are None or ``""``. ``spectral``,
    ``material`` and ``unit`` are as in :class:`gclnm.images.dicom.energy.Spectral`, the evidence of the
    contrast phase as in :class:`gclnm.images.dicom.phase.PhaseEvidence`. ``kind`` is a name of
    :data:`gclnm.images.dicom.frametypes.KINDS`. ``sources`` are SOP Instance UIDs of the images
    that a derived MR frame was made of. ``birth_digest`` is keyed by the reader's salt and empty without one;
    a patient's name is never read.
    """

    file: str = ""
    frame: int | None = None
    n_frames: int = 1
    sop_class: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    patient_id: str = ""
    patient_sex: str = ""
    birth_digest: str = ""
    deidentified: bool = False
    modality: str = ""
    samples: int = 1
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
    sequence: str = "unknown"
    sequence_source: str = ""
    fat_suppressed: str = ""
    post_contrast: str = ""
    sources: tuple[str, ...] = ()
    temporal_position: int | None = None
    acquisition_number: int | None = None
    instance_number: int | None = None
    echo_number: int | None = None
    trigger_time: float | None = None
    acquisition_time: str = ""
    content_time: str = ""
    study_date: str = ""
    energy_kev: float | None = None
    energy_source: str = ""
    spectral: str = ""
    material: str = ""
    unit: str = ""
    phase_code: str = ""
    phase_word: str = ""
    bolus_s: float | None = None
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


def frame_headers(dataset: Dataset, file: str = "", *, salt: bytes = b"") -> tuple[FrameHeader, ...]:
    """One header for each frame of a CT, MR or PET object; one for an object of a single-frame class.

    A picture of tiles (Siemens mosaic, UIH VFRAME) has one for each tile.
    """
    common = _common(dataset, file, salt)
    if common.sop_class not in ENHANCED:
        return _tiles(dataset, _frame(Groups(dataset), common, None))
    return tuple(_frame(groups, common, index) for index, groups in enumerate(Groups.of(dataset)))


def _common(dataset: Dataset, file: str, salt: bytes) -> FrameHeader:
    """What all frames of a file share."""
    birth = text(dataset, "PatientBirthDate")
    digest = hashlib.blake2b(birth.encode(), key=salt[:64], digest_size=8).hexdigest()
    return FrameHeader(
        file=file,
        n_frames=frame_count(dataset),
        sop_class=sop_class_of(dataset),
        sop_uid=text(dataset, "SOPInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        frame_uid=text(dataset, "FrameOfReferenceUID"),
        patient_id=text(dataset, "PatientID"),
        patient_sex=text(dataset, "PatientSex"),
        birth_digest=digest if birth and salt else "",
        deidentified=text(dataset, "PatientIdentityRemoved").upper() == "YES",
        modality=modality_of(dataset),
        samples=whole(dataset, "SamplesPerPixel") or 1,
        field_strength_t=field_strength_t(dataset),
        instance_number=whole(dataset, "InstanceNumber"),
        echo_number=whole(dataset, "EchoNumbers"),
        acquisition_number=whole(dataset, "AcquisitionNumber"),
        acquisition_time=_date_time(text(dataset, "AcquisitionDateTime"))
        or stamp(text(dataset, "AcquisitionDate"), text(dataset, "AcquisitionTime")),
        content_time=stamp(text(dataset, "ContentDate"), text(dataset, "ContentTime")),
        study_date=text(dataset, "StudyDate"),
        units=text(dataset, "Units"),
        tracer=_tracer(dataset),
        contrast=_contrast(dataset),
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        station=text(dataset, "StationName"),
        software=text(dataset, "SoftwareVersions"),
        series_description=text(dataset, "SeriesDescription"),
        series_number=whole(dataset, "SeriesNumber"),
        transfer_syntax=text(getattr(dataset, "file_meta", None), "TransferSyntaxUID"),
    )


def _frame(groups: Groups, common: FrameHeader, index: int | None) -> FrameHeader:
    dataset, mr = groups.dataset, common.modality == "MR"
    weighting = b_value(groups) if mr else None
    kind = kind_of(groups, common.modality).name
    kind = "trace" if kind == "image" and _isotropic(dataset, weighting) else kind
    sequence = mr_sequence(groups, kind, weighting) if mr else MrSequence(fat_suppressed="", post_contrast="")
    image_type = _image_type(groups, common.modality)
    plane = plane_of(groups)
    if index is None and common.n_frames > 1:
        plane["position"] = None  # several frames of a class that has no place for them
    content = groups.item("FrameContentSequence")
    moment = _date_time(text(content, "FrameAcquisitionDateTime"))
    acquisition = whole(content, "FrameAcquisitionNumber")
    trigger = groups.get("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime")
    return replace(
        common,
        **plane,
        frame=index,
        tilt=as_number(groups.get("CTAcquisitionDetailsSequence", "GantryDetectorTilt")),
        kind=kind,
        image_type=image_type,
        b_value=weighting.value if weighting else None,
        b_nominal=weighting.nominal if weighting else None,
        b_source=weighting.source if weighting else "",
        b_direction=weighting.direction if weighting else (),
        te_ms=as_number(groups.get("MREchoSequence", "EffectiveEchoTime")) or number(dataset, "EchoTime"),
        tr_ms=as_number(groups.get("MRTimingAndRelatedParametersSequence", "RepetitionTime")),
        flip_angle_deg=as_number(groups.get("MRTimingAndRelatedParametersSequence", "FlipAngle")),
        sequence=sequence.name,
        sequence_source=sequence.source,
        fat_suppressed=sequence.fat_suppressed,
        post_contrast=sequence.post_contrast,
        sources=source_uids(groups, kind, image_type) if mr else (),
        temporal_position=_temporal_position(groups),
        acquisition_number=common.acquisition_number if acquisition is None else acquisition,
        trigger_time=number(dataset, "TriggerTime") if trigger is None else as_number(trigger),
        acquisition_time=moment or common.acquisition_time,
        **_ct(groups) if common.modality == "CT" else {},
        kvp=as_number(groups.get("CTXRayDetailsSequence", "KVP")),
        kernel=as_text(groups.get("CTReconstructionSequence", "ConvolutionKernel")),
        rescale_type=_rescale_type(groups),
    )


def plane_of(groups: Groups) -> dict[str, Any]:
    """Fields of :class:`Plane` for one frame of an image or a segmentation."""
    spacing = _exactly(2, groups.get("PixelMeasuresSequence", "PixelSpacing"))  # rows first in DICOM
    return {
        "rows": whole(groups.dataset, "Rows") or 0,
        "columns": whole(groups.dataset, "Columns") or 0,
        "position": _exactly(3, groups.get("PlanePositionSequence", "ImagePositionPatient")),
        "orientation": _exactly(6, groups.get("PlaneOrientationSequence", "ImageOrientationPatient")),
        "spacing": (spacing[1], spacing[0]) if spacing and min(spacing) > 0 else None,
        "slice_thickness": as_number(groups.get("PixelMeasuresSequence", "SliceThickness")),
        "slice_spacing": as_number(groups.get("PixelMeasuresSequence", "SpacingBetweenSlices")),
        "frame_uid": text(groups.dataset, "FrameOfReferenceUID"),
    }


FRAME_TYPES = {
    "CT": "CTImageFrameTypeSequence",
    "MR": "MRImageFrameTypeSequence",
    "PT": "PETFrameTypeSequence",
}


def kind_of(groups: Groups, modality: str) -> FrameKind:
    """What the values of one frame are."""
    dataset, types = groups.dataset, FRAME_TYPES.get(modality, "")
    image_type = _image_type(groups, modality) + (texts(dataset, "SeriesType") if modality == "PT" else ())
    ge_raw = as_number(private(dataset, 0x0043, "GEMS_PARM_01", 0x2F)) if modality == "MR" else None
    return frame_kind(
        modality,
        image_type,
        component=as_text(groups.get(types, "ComplexImageComponent") if types else None),
        ge_raw=None if ge_raw is None else int(ge_raw),
        rescale_type=_rescale_type(groups),
        unit=mapped_unit(groups) if modality == "CT" else "",
        description=text(dataset, "SeriesDescription"),
    )


def mapped_unit(groups: Groups) -> str:
    """Unit of a frame's real-world value map; empty without one."""
    item = groups.item("RealWorldValueMappingSequence")
    return text(first_item(item, "MeasurementUnitsCodeSequence"), "CodeValue")


def _image_type(groups: Groups, modality: str) -> tuple[str, ...]:
    types = FRAME_TYPES.get(modality)
    own = as_texts(groups.get(types, "FrameType")) if types else ()
    return own or texts(groups.dataset, "ImageType")


def _rescale_type(groups: Groups) -> str:
    return as_text(groups.get("PixelValueTransformationSequence", "RescaleType"))


# What headers write for magnets of these strengths: 2.89 and 2.8936 T are sold as 3.0 T.
FIELDS_T = {1.0: (0.9, 1.1), 1.5: (1.3, 1.6), 3.0: (2.7, 3.2), 7.0: (6.5, 7.5)}


def field_class(tesla: float) -> float:
    """The class of a magnet: 1.0, 1.5, 3.0 or 7.0 T; other strengths as they are.

    Examples
    --------
    >>> field_class(2.89), field_class(1.494), field_class(0.55)
    (3.0, 1.5, 0.55)
    """
    return next((field for field, (low, high) in FIELDS_T.items() if low <= tesla <= high), tesla)


def field_strength_t(dataset: Dataset) -> float | None:
    """Magnetic field strength in tesla, as the class of the magnet: 1.0, 1.5, 3.0 or 7.0; others as written.

    Examples
    --------
    >>> header = Dataset()
    >>> header.MagneticFieldStrength = 15000
    >>> field_strength_t(header)
    1.5
    """
    value = number(dataset, "MagneticFieldStrength")
    if value is None or value <= 0:
        return None
    # Old GE systems write gauss.
    value = value / 10_000 if value > 100 else value
    return field_class(value)


def _exactly(count: int, value: Any) -> tuple[float, ...] | None:
    found = as_numbers(value)
    return found if len(found) == count else None


def _date_time(joined: str) -> str:
    return stamp(joined[:8], joined[8:].split("+")[0].split("-")[0]) if joined[:8].isdigit() else ""


def _temporal_position(groups: Groups) -> int | None:
    found = number(groups.item("FrameContentSequence"), "TemporalPositionIndex")
    unassigned = "UnassignedPerFrameConvertedAttributesSequence"
    found = found or as_number(groups.get(unassigned, "TemporalPositionIdentifier"))
    return None if found is None else int(found)


def _tracer(dataset: Dataset) -> str:
    item = first_item(dataset, "RadiopharmaceuticalInformationSequence")
    codes = items(item, "RadiopharmaceuticalCodeSequence") or items(item, "RadionuclideCodeSequence")
    return text(item, "Radiopharmaceutical") or (text(codes[0], "CodeMeaning") if codes else "")


def _contrast(dataset: Dataset) -> str:
    agents = [text(dataset, "ContrastBolusAgent")]
    agents += [text(item, "CodeMeaning") for item in items(dataset, "ContrastBolusAgentSequence")]
    return next((agent for agent in agents if agent), "")


def _tiles(dataset: Dataset, frame: FrameHeader) -> tuple[FrameHeader, ...]:
    """The frame itself, or one for each tile where a whole volume is packed into it."""
    tiled = tiling(dataset) if frame.modality == "MR" and frame.n_frames == 1 else None
    if tiled is None:
        return (frame,)
    if not tiled.positions:
        return (replace(frame, tiles=tiled.kind),)
    one = replace(frame, rows=tiled.rows, columns=tiled.columns, n_frames=len(tiled.positions))
    return tuple(replace(one, frame=k, position=place) for k, place in enumerate(tiled.positions))


def _ct(groups: Groups) -> dict[str, Any]:
    """What CT alone has: the contrast phase's evidence, and what is shown of the spectrum."""
    shown, phase = spectral(groups), phase_evidence(groups)
    return {
        "energy_kev": shown.energy_kev,
        "energy_source": shown.source,
        "spectral": shown.kind,
        "material": shown.material,
        "unit": shown.unit,
        "phase_code": phase.code,
        "phase_word": phase.word,
        "bolus_s": phase.bolus_s,
    }


def _isotropic(dataset: Dataset, weighting: BValue | None) -> bool:
    """Philips appends direction-averaged images to a diffusion series: b > 0 and direction I."""
    if weighting is None or weighting.value < 5:
        return False
    return as_text(private(dataset, 0x2001, "Philips Imaging DD 001", 0x04)).upper() == "I"
