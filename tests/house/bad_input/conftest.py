"""A small cohort to spoil, the way through the house, and what must hold on it whatever was spoilt."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

import gclnm
from gclnm.catalog.catalog import Catalog
from gclnm.catalog.samples import Samples
from gclnm.cohort.extraction import Extraction
from gclnm.recipe.recipe import Recipe
from gclnm.store.store import FeatureStore

if TYPE_CHECKING:
    from distributed import Client
    from pydicom.dataset import Dataset

MARGIN_MM = 10.0


def _lesion_heights(folder: Path) -> list[float]:
    """Heights of the slices that any lesion of one patient's CT is drawn on."""
    files = sorted(folder.iterdir())
    for file in files:
        ds = pydicom.dcmread(file)
        if ds.Modality == "RTSTRUCT":
            contours = [c for roi in ds.ROIContourSequence for c in roi.ContourSequence]
            return [float(c.ContourData[2]) for c in contours]
        if ds.Modality == "SEG":
            frames = ds.PerFrameFunctionalGroupsSequence
            return [float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in frames]
    raise AssertionError("no segmentation was made")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CT of three patients, P001 and P002 with RTSTRUCT, P003 with SEG; only slices near lesions."""
    made = gclnm.phantom.cohort(
        tmp_path_factory.mktemp("cohort") / "made", patients=3, modalities=["CT"], workers=1, progress=False
    )
    for patient in made.dicom.iterdir():
        heights = _lesion_heights(patient / "CT")
        for file in (patient / "CT").iterdir():
            ds = pydicom.dcmread(file, stop_before_pixels=True)
            if ds.Modality == "CT":
                z = float(ds.ImagePositionPatient[2])
                if not min(heights) - MARGIN_MM <= z <= max(heights) + MARGIN_MM:
                    file.unlink()
    return made.dicom


@pytest.fixture(scope="session")
def whole_pet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PET of one patient, in Bq/mL."""
    made = gclnm.phantom.cohort(
        tmp_path_factory.mktemp("cohort") / "pet", patients=1, modalities=["PT"], workers=1, progress=False
    )
    return made.dicom


@dataclass(frozen=True)
class Tree:
    """A copy of the cohort that a test may spoil."""

    path: Path

    def images(self, patient: str = "P001") -> list[Path]:
        """The image files of a patient, lowest slice first."""
        found = []
        for file in self.path.glob(f"{patient}/[CP]T/IM*"):
            ds = pydicom.dcmread(file, stop_before_pixels=True)
            found.append((float(ds.ImagePositionPatient[2]), file))
        return [file for _, file in sorted(found)]

    def rois(self, patient: str = "P001") -> Path:
        """The segmentation of a patient."""
        (file,) = (*self.path.glob(f"{patient}/*/RTSTRUCT*"), *self.path.glob(f"{patient}/*/SEG*"))
        return file

    def change(self, file: Path, how: Callable[[Dataset], Any], to: Path | None = None) -> Path:
        """Write a file anew, changed."""
        ds = pydicom.dcmread(file)
        how(ds)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(to or file)
        return to or file


def _copy(whole: Path, to: Path, *patients: str) -> Tree:
    for patient in patients:
        shutil.copytree(whole / patient, to / patient)
    return Tree(to)


@pytest.fixture
def tree(whole: Path, tmp_path: Path) -> Tree:
    """Two patients with RTSTRUCT: P001 to be spoilt, P002 to stay sound."""
    return _copy(whole, tmp_path / "dicom", "P001", "P002")


@pytest.fixture
def seg_tree(whole: Path, tmp_path: Path) -> Tree:
    """P003 with SEG to be spoilt, P002 to stay sound."""
    return _copy(whole, tmp_path / "dicom", "P002", "P003")


@pytest.fixture
def pet(whole_pet: Path, tmp_path: Path) -> Tree:
    """One patient with a PET."""
    shutil.copytree(whole_pet, tmp_path / "pet")
    return Tree(tmp_path / "pet")


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The built-in recipe for CT without its filters, and with few features."""
    few = {f"compute__{family}": () for family in ("glrlm", "glszm", "gldm", "ngtdm")}
    return Recipe.named("ct").with_(
        prepare__filters={"log": None, "wavelet": None},
        compute__shape=["MeshVolume", "Sphericity"],
        compute__glcm=["JointEntropy"],
        **few,
    )


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """A Dask client whose worker is a thread of this process, so that its warnings are errors here too."""
    from distributed import Client

    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as made:
        yield made


@dataclass(frozen=True)
class Outcome:
    """Everything that one way through the house gave."""

    catalog: Catalog
    samples: Samples
    run: Extraction
    store: FeatureStore

    @property
    def ok(self) -> set[str]:
        """Patients with features."""
        return set(self.store.table(self.run.name)["patient_id"])

    def refusal(self, patient: str = "P001", *, kind: str | None = None) -> Any:
        """The one ROI (or object of a kind) of a patient that was not paired."""
        table = self.samples.unpaired
        chosen = table["kind"].ne("volume") if kind is None else table["kind"].eq(kind)
        (row,) = table[table["patient_id"].eq(patient) & chosen].to_dict("records")
        return row

    def failure(self, patient: str = "P001") -> str:
        """Why the one sample of a patient has no features."""
        (reason,) = self.run.failed.loc[self.run.failed["patient_id"].eq(patient), "reason"]
        return str(reason)

    def problem(self, code: str) -> Any:
        """The one problem of a code."""
        (row,) = self.catalog.problems.query("code == @code").to_dict("records")
        return row


Way = Callable[..., Outcome]


@pytest.fixture
def way(recipe: Recipe, client: Client, tmp_path: Path) -> Way:
    """Scan, pair, extract, and hold the account: what went in came out, and the store tells no secret."""

    def go(path: Path, roi: str = "GTV", *, by: Recipe | None = None, **options: Any) -> Outcome:
        catalog = gclnm.scan(path, progress=False)
        samples = gclnm.pair(catalog, roi=roi, **options)
        store = gclnm.open_store("memory://")
        chosen = by or recipe
        run = gclnm.extract(samples, chosen, store=store, client=client, progress=False)
        outcome = Outcome(catalog, samples, run, store)
        nothing_lost(outcome, roi)
        no_secret(outcome, tmp_path)
        return outcome

    return go


def nothing_lost(outcome: Outcome, roi: str) -> None:
    """ROIs in = samples + unpaired; samples = rows; images in = images of samples + unpaired."""
    names = outcome.catalog.segmentations
    fitting = set(names.loc[names["name"].str.fullmatch(roi, case=False), "segmentation_id"])
    table, unpaired = outcome.samples.table, set(outcome.samples.unpaired["id"])
    assert fitting <= set(table["segmentation_id"]) | unpaired
    assert set(outcome.catalog.volumes["volume_id"]) <= set(table["volume_id"]) | unpaired
    assert outcome.run.done + len(outcome.run.failed) == len(outcome.samples)
    keys = outcome.store.keys(outcome.run.name)
    assert set(keys["sample_id"]) == set(table["sample_id"])
    assert len(keys) == len(table)
    assert outcome.samples.unpaired["reason"].str.len().gt(0).all()


def no_secret(outcome: Outcome, folder: Path) -> None:
    """Reasons that are stored hold no path, patient id, ROI name or UID, and none of them is an accident."""
    failed = outcome.store.read(outcome.run.name, where="status == 'failed'")
    for reason in [str(text) for text in failed["reason"].values]:
        assert not reason.startswith("internal"), reason
        for secret in (str(folder), "/", "P00", "GTV", "LN_", "2.25."):
            assert secret not in reason


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No other library speaks, in a log or on stderr, however bad the input is."""
    capfd = None if request.config.getoption("capture") == "no" else request.getfixturevalue("capfd")
    with caplog.at_level(logging.WARNING):
        yield
    loud = [r for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    assert [(record.name, record.getMessage()) for record in loud] == []
    if capfd is not None:
        out, err = capfd.readouterr()
        print(out)
        assert err == ""


def _say(message: object) -> None:
    print(f"\n    {message}")


@pytest.fixture
def say() -> Callable[[object], None]:
    """Show a message as the user reads it: ``pytest -s`` gives the list of all."""
    return _say


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write an array (z, y, x, or t, z, y, x) as an image file of 1 mm voxels."""

    def write(path: Path, array: Any, *, vector: bool | None = None) -> Path:
        import SimpleITK

        image = SimpleITK.GetImageFromArray(np.asarray(array), isVector=vector)
        path.parent.mkdir(parents=True, exist_ok=True)
        SimpleITK.WriteImage(image, str(path))
        return path

    return write
