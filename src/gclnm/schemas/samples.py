"""What pairing hands on: the table of samples, what could not be paired, what was left out."""

from __future__ import annotations

from gclnm.schemas.table import Column, Table

__all__ = ["EXCLUDED", "SAMPLES", "UNPAIRED"]

# Empty where a user made the sample by hand.
PAIRED_BY = ("reference", "file-name", "acquisition", "diffusion", "geometry", "frame", "manifest", "")

SAMPLES = Table(
    "samples",
    (
        Column(
            "sample_id",
            "str",
            "Key of the row: digest of patient, volumes, ROI, instance, reader.",
            unique=True,
        ),
        Column("patient_id", "str", "Patient, as scan's patient_key made it."),
        Column("roi", "str", "What the user called the ROI: the name, the pattern, or its group `roi`."),
        Column("roi_instance", "str", "Which one of several; empty when there is one."),
        Column("rater", "str", "Who drew it; empty when not given."),
        Column("timepoint", "str", "Assigned by the user; empty when not given."),
        Column("modality", "str", "DICOM modality of the image."),
        Column("study_uid", "str", "StudyInstanceUID of the image."),
        Column("series_uid", "str", "SeriesInstanceUID of the image."),
        Column("phase", "str", "Contrast phase of the image."),
        Column("phase_source", "str", "Where the contrast phase comes from, or why it is unknown."),
        Column("energy_kev", "float", "Energy level of a monoenergetic image, keV.", nullable=True),
        Column("energy_source", "str", "Where the energy level comes from."),
        Column("material", "str", "What a material map of spectral CT shows; empty for other images."),
        Column("sequence", "str", "Identity of the MR sequence."),
        Column("fat_suppressed", "str", "MR: yes or no."),
        Column("post_contrast", "str", "MR: yes, no or unknown."),
        Column("temporal_position", "float", "Number of the time point.", nullable=True),
        Column("b_value", "float", "Diffusion weighting, s/mm2.", nullable=True),
        Column("centre", "str", "Hospital."),
        Column("scanner", "str", "Scanner: manufacturer and model."),
        Column("manufacturer", "str", "Manufacturer of the scanner."),
        Column("model", "str", "Model of the scanner."),
        Column("kernel", "str", "Convolution kernel."),
        Column("slice_thickness_mm", "float", "Slice thickness, mm.", nullable=True),
        Column("field_strength_t", "float", "Magnetic field strength, tesla.", nullable=True),
        Column(
            "split", "str", "Which part of the series the volume is; empty when the series is one volume."
        ),
        Column("paired_by", "str", "The rule that brought image and ROI together.", isin=PAIRED_BY),
        Column("volume_id", "str", "The volume that features are computed on."),
        Column("roi_name", "str", "Name of the ROI in its file; stays in memory.", required=False),
        Column("segmentation_id", "str", "Object and number of the ROI; stays in memory.", required=False),
    ),
    description="One future row of a feature set: an image, an ROI, and the row's coordinates.",
    open=True,
)

UNPAIRED = Table(
    "unpaired",
    (
        Column("severity", "str", "Refused (an ROI is lost) or info.", isin=("refused", "info")),
        Column("kind", "str", "What it is: an ROI, a volume, a row of the manifest."),
        Column("patient_id", "str", "Patient."),
        Column("name", "str", "Name of the ROI, or description of the volume."),
        Column("code", "str", "Short, stable name of the reason."),
        Column("reason", "str", "Why there is no sample."),
        Column("fix", "str", "What to do about it."),
        Column("id", "str", "segmentation_id, volume_id or row of the manifest."),
    ),
    description="One ROI, volume or row of a manifest that is in no sample, and why.",
)

EXCLUDED = Table(
    "excluded",
    (
        Column("sample_id", "str", "Key of the sample that was left out."),
        Column("reason", "str", "Why, in the user's words."),
        Column("patient_id", "str", "Patient.", required=False),
    ),
    description="One sample that the user left out, with the reason.",
    open=True,
)
