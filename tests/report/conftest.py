"""Samples made straight from the phantom's files, so that these tests need neither scan nor pair."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from gclnm.images import MaskRef, Sample, VolumeRef
from gclnm.phantom import cohort


def samples_of(dicom: Path) -> list[Sample]:
    """One sample per patient, modality and ROI of a phantom."""
    found = []
    for folder in sorted(dicom.glob("*/*")):
        headers = [(pydicom.dcmread(f, stop_before_pixels=True), str(f)) for f in folder.iterdir()]
        images = [(ds, name) for ds, name in headers if "ImagePositionPatient" in ds]
        images.sort(key=lambda pair: float(pair[0].ImagePositionPatient[2]))
        ((seg, file),) = [pair for pair in headers if pair[0].Modality in ("SEG", "RTSTRUCT")]
        first = images[0][0]
        files = tuple(name for _, name in images)
        image = VolumeRef(first.SeriesInstanceUID, "dicom", files, modality=first.Modality)
        if seg.Modality == "SEG":
            rois = [(int(s.SegmentNumber), s.SegmentLabel) for s in seg.SegmentSequence]
        else:
            rois = [(int(s.ROINumber), s.ROIName) for s in seg.StructureSetROISequence]
        for number, name in rois:
            kind = "seg" if seg.Modality == "SEG" else "rtstruct"
            coords = {"patient_id": first.PatientID, "roi": name, "modality": first.Modality, "rater": ""}
            found.append(Sample({"image": image}, {"roi": MaskRef(kind, file, number)}, coords))
    return found


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Samples of patients 1 (one node, RTSTRUCT), 2 (two nodes, RTSTRUCT) and 3 (SEG)."""
    made = cohort(tmp_path_factory.mktemp("report") / "cohort", patients=3, progress=False)
    return samples_of(made.dicom)


@pytest.fixture(scope="session")
def pet(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A gross tumour on FDG PET."""
    made = cohort(
        tmp_path_factory.mktemp("report") / "pet", patients=1, seed=3, modalities=("PT",), progress=False
    )
    return next(sample for sample in samples_of(made.dicom) if "GTV" in sample.coords["roi"])
