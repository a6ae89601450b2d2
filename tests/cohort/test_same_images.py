"""One image under two patients with other contours: a sentence and a table, and both rows are written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import generate_uid

import gclnm
from gclnm.cohort.extract import extract
from gclnm.cohort.same_images import same_images
from gclnm.phantom import cohort
from gclnm.recipe.recipe import Recipe

if TYPE_CHECKING:
    from distributed import Client

    from gclnm.catalog.samples import Samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """PET of two patients, and the first one again under another id, drawn by another reader."""
    folder = tmp_path_factory.mktemp("both")
    made = cohort(folder / "made", patients=2, modalities=["PT"], workers=1, progress=False).dicom
    shutil.copytree(made, folder / "dicom")
    for file in sorted(path for path in (made / "P001").rglob("*") if path.is_file()):
        ds = pydicom.dcmread(file)
        for element in ds.iterall():
            if element.VR == "UI" and str(element.value).startswith("2.25."):
                element.value = generate_uid(entropy_srcs=["again", str(element.value)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = ds.PatientName = "again"
        if ds.Modality == "RTSTRUCT":
            for roi in ds.ROIContourSequence:
                roi.ContourSequence = roi.ContourSequence[: len(roi.ContourSequence) // 2]
        target = folder / "dicom" / "again"
        target.mkdir(exist_ok=True)
        ds.save_as(target / file.name)
    return gclnm.pair(gclnm.scan(folder / "dicom", progress=False), "GTV")


@pytest.fixture
def options(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("GCLNM_CACHE", str(tmp_path / "cache"))
    compute = {"shape": ["MeshVolume"], "firstorder": ["Mean"], "min_voxels": 8}
    recipe = Recipe(name="pet", modality="PT", quantity="SUVbw", compute=compute)
    return {"recipe": recipe, "client": client, "progress": False}


def test_another_contour_on_the_image_of_another_patient_is_told_and_both_rows_stay(
    samples: Samples, options: dict[str, Any]
) -> None:
    run = extract(samples, **options)
    assert (run.done, len(run.failed), len(run.twins)) == (3, 0, 0)
    found = run.same_images
    assert sorted(found.loc[0, ["patient_id", "same_patient_id"]]) == ["P001", "again"]
    assert len(found) == 1
    assert found["roi"].tolist() == ["GTV"]
    assert {found["sample_id"][0], found["same_image_as"][0]} < set(run.dataset["sample_id"].values)
    for shown in (repr(run), run._repr_html_()):
        assert "1 sample has the image of another patient under another contour" in shown
    again = extract(samples, store=run.store, **options)
    assert again.same_images.empty
    assert "image of another patient" not in repr(again)


def test_two_contours_of_one_patient_and_samples_of_which_more_is_known_are_not_told(
    samples: Samples,
) -> None:
    one = {sample.sample_id: "5f 77" for sample in samples}
    assert len(same_images(samples, one, ())) == 2
    of_one = [sample for sample in samples if sample.coords["patient_id"] == "P001"]
    assert same_images(of_one * 2, one, ()).empty
    assert len(same_images(samples, one, [samples[1].sample_id])) == 1
    assert same_images(samples, {}, ()).empty
