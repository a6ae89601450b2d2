"""What a scan found: one row for each image volume, and the summary of each series."""

from __future__ import annotations

from gclnm.schemas.table import Column, Table

__all__ = ["SERIES", "VOLUMES"]

MODALITIES_NOTE = "CT, MR, PT; for NIfTI, NRRD and MetaImage what the names say, or empty."


def _lengths(name: str, what: str, unit: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"{name}_{axis}_{unit}", "float", f"{what} along {axis}, {unit}.", nullable=True)
        for axis in "xyz"
    )


VOLUMES = Table(
    "volumes",
    (
        Column("volume_id", "str", "Key: SeriesInstanceUID and split, or a digest for files.", unique=True),
        Column("patient_id", "str", "Patient, as patient_key made it."),
        Column("study_uid", "str", "StudyInstanceUID."),
        Column("series_uid", "str", "SeriesInstanceUID."),
        Column("frame_uid", "str", "FrameOfReferenceUID."),
        Column("modality", "str", MODALITIES_NOTE),
        Column("split", "str", "What tells the volume from others of its series; empty if alone."),
        Column("n_slices", "int", "Number of slices.", ge=1),
        Column("columns", "int", "Voxels along x.", ge=0),
        Column("rows", "int", "Voxels along y.", ge=0),
        *_lengths("spacing", "Distance of voxel centres", "mm"),
        *_lengths("origin", "Centre of the first voxel (LPS)", "mm"),
        Column("direction", "str", "Nine numbers: rows of the matrix whose columns are the x, y, z axes."),
        Column(
            "orientation",
            "str",
            "Plane of the slices.",
            isin=("axial", "coronal", "sagittal", "oblique"),
        ),
        Column("manufacturer", "str", "Manufacturer."),
        Column("model", "str", "Model name."),
        Column("station", "str", "Station name."),
        Column("software", "str", "Software versions."),
        Column("kvp", "float", "Tube voltage, kV.", nullable=True),
        Column("kernel", "str", "Convolution kernel."),
        Column("slice_thickness_mm", "float", "Slice thickness as written, mm.", nullable=True),
        Column(
            "field_strength_t",
            "float",
            "Field strength, tesla: 1.0, 1.5, 3.0, 7.0, else as written.",
            nullable=True,
        ),
        Column("te_ms", "float", "Echo time, ms.", nullable=True),
        Column("tr_ms", "float", "Repetition time, ms.", nullable=True),
        Column("flip_angle_deg", "float", "Flip angle, degrees.", nullable=True),
        Column("b_value_s_mm2", "float", "Diffusion weighting, s/mm2.", nullable=True, ge=0),
        Column("b_value_source", "str", "Where the b-value was found."),
        Column("tracer", "str", "Radiopharmaceutical."),
        Column("contrast", "str", "Contrast agent as written; empty or NONE proves nothing."),
        Column("units", "str", "Units of PET, or rescale type of CT and enhanced objects."),
        Column("image_type", "str", "Image type or frame type, values joined by a backslash."),
        Column("series_description", "str", "Series description."),
        Column("series_number", "int", "Series number.", nullable=True),
        Column("acquisition_number", "int", "Acquisition number.", nullable=True),
        Column("acquisition_time", "str", "Start of acquisition: [YYYYMMDD]HHMMSS.FFFFFF, or empty."),
        Column("temporal_position", "int", "Number of the time point.", nullable=True),
        Column("phase", "str", "Contrast phase."),
        Column("phase_source", "str", "Where the contrast phase was found, or why it is unknown."),
        Column("energy_kev", "float", "Energy level of a monoenergetic image, keV.", nullable=True),
        Column("energy_source", "str", "Where the energy level was found."),
        Column("spectral", "str", "CT: polychromatic, vmi, or the kind of material map; empty for others."),
        Column("material", "str", "What a material map shows: iodine, water, effective_z ...; else empty."),
        Column("unit", "str", "Unit of a spectral image or map; empty where nothing says it."),
        Column("sequence", "str", "Identity of the MR sequence."),
        Column("sequence_source", "str", "What said so; where two contradict each other, both."),
        Column("fat_suppressed", "str", "MR: yes or no.", isin=("yes", "no", "")),
        Column("post_contrast", "str", "MR: yes, no or unknown.", isin=("yes", "no", "unknown", "")),
        Column(
            "source_volume_id",
            "str",
            "Derived MR: volumes that its header names as its sources, joined by semicolons.",
        ),
        Column("centre", "str", "Hospital; the user's to give."),
        Column("scanner", "str", "Manufacturer and model."),
        Column("transfer_syntax", "str", "Transfer syntax UID."),
        Column("flags", "str", "What is odd about it, sorted, joined by semicolons."),
        Column("usable", "bool", "Whether it can be read as one volume."),
        Column("reason", "str", "Why it cannot; empty where it can."),
        Column("kind", "str", "How it is stored.", isin=("dicom", "image")),
        Column("folder", "str", "Where its files are; kept in memory only."),
    ),
    description="One image volume: a series, or the part of it that is one b-value, time point or echo.",
)

SERIES = Table(
    "series",
    (
        Column("series_uid", "str", "SeriesInstanceUID, or a digest for files."),
        Column("patient_id", "str", "Patient, as patient_key made it."),
        Column("study_uid", "str", "StudyInstanceUID."),
        Column("modality", "str", MODALITIES_NOTE),
        Column("series_number", "int", "Series number.", nullable=True),
        Column("series_description", "str", "Series description."),
        Column("n_volumes", "int", "Volumes it was split into.", ge=1),
        Column("n_usable", "int", "Volumes that can be used.", ge=0),
        Column("n_slices", "int", "Slices of all its volumes.", ge=1),
        Column("splits", "str", "What tells its volumes apart, joined by semicolons."),
        Column("flags", "str", "Flags of its volumes, sorted, joined by semicolons."),
    ),
    description="One series and the volumes it holds.",
)
