"""Two energy levels of made DICOM, with known water and iodine: through the whole house to one cube."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage

import gclnm
from gclnm.errors import InputError
from gclnm.harmonize.spectral import iodine_hu
from gclnm.images import Geometry
from gclnm.phantom.dicom.common import Identity, Series, decimal, image_dataset, put_pixels, write
from gclnm.phantom.scanners.equipment import Equipment

if TYPE_CHECKING:
    from distributed import Client

GRID = Geometry(size=(20, 20, 12), spacing_mm=(1.0, 1.0, 2.0), origin_mm=(-10.0, -10.0, -12.0))
PERSON = Identity("P1", "F", 60, 60.0, 1.6, 1)
SCANNER = Equipment("Maker", "Model", "S", "1", "7")
# mg/mL of iodine in the ROI by phase: what a spectral scan would show.
IODINE = {"arterial": 1.5, "portal_venous": 3.0}
MADE: Any = {"name": "levels", "quantity": ["HU"], "compute": {"firstorder": ["Mean", "Maximum"]}}


def grains() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Density of water, g/mL: grains of some HU, the same in every image."""
    return np.asarray(1.0 + np.random.default_rng(5).normal(0.0, 0.02, GRID.shape))


def inside() -> np.ndarray[Any, np.dtype[np.bool_]]:
    z, y, x = np.indices(GRID.shape)
    return np.asarray((z - 6) ** 2 + ((y - 10) / 2) ** 2 + ((x - 10) / 2) ** 2 < 9)


def truth(kev: float, iodine: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """HU at an energy: water of each voxel's density, iodine in the ROI, air outside the body."""
    values = 1000.0 * (grains() - 1.0) + iodine_hu(kev) * iodine * inside()
    values[:, :2] = -1000.0
    return np.asarray(values)


def write_level(folder: Path, kev: float, phase: str, number: int) -> list[Dataset]:
    frame = PERSON.uid("frame", phase)
    minute = 1 if phase == "arterial" else 2
    series = Series(
        PERSON, SCANNER, "CT", number, f"{phase} {kev:g}", "1", "20240101", f"10{minute:02d}00", frame
    )
    objects = []
    for index, values in enumerate(truth(kev, IODINE[phase])):
        ds = image_dataset(series, CTImageStorage, GRID, index, 2.0)
        ds.AcquisitionNumber = minute
        ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL", "VMI"]
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, decimal(0.1), "HU"
        ds.KVP = None
        ds.MultienergyCTAcquisition = "YES"
        level = Dataset()
        level.MonoenergeticEnergyEquivalent = float(kev)
        ds.MultienergyCTCharacteristicsSequence = Sequence([level])
        put_pixels(ds, np.rint((values + 1024) * 10).astype(np.uint16))
        write(ds, folder / phase / f"{kev:g}" / f"{index}.dcm")
        objects.append(ds)
    return objects


def write_contour(folder: Path, phase: str, objects: list[Dataset]) -> None:
    """The ROI as a segmentation on the grid of one level."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    what = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="GTV",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    seg = hd.seg.Segmentation(
        source_images=objects,
        pixel_array=inside(),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[what],
        series_instance_uid=PERSON.uid("seg", phase),
        series_number=90,
        sop_instance_uid=PERSON.uid("seg object", phase),
        instance_number=1,
        manufacturer="Maker",
        manufacturer_model_name="Model",
        software_versions="1",
        device_serial_number="7",
    )
    seg.save_as(folder / f"seg-{phase}.dcm")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> gclnm.Samples:
    """One patient: two phases, each of 40, 70 and 140 keV with a contour drawn at 70."""
    folder = tmp_path_factory.mktemp("levels")
    number = 0
    for phase in IODINE:
        for kev in (40.0, 70.0, 140.0):
            number += 1
            objects = write_level(folder, kev, phase, number)
            if kev == 70:
                write_contour(folder, phase, objects)
    paired = gclnm.pair(gclnm.scan(folder, progress=False), roi="GTV", on="acquisition")
    phase_of = {str(PERSON.uid("series", "CT", n)): list(IODINE)[(n - 1) // 3] for n in range(1, 7)}
    return paired.assign(phase=lambda row: phase_of[row["series_uid"]])


@pytest.fixture(scope="module")
def recipe() -> gclnm.Recipe:
    return gclnm.Recipe(**MADE, energies_kev=[40, 50, 70, 100, 140])


@pytest.fixture(scope="module")
def store() -> gclnm.FeatureStore:
    return gclnm.open_store("memory://")


@pytest.fixture(scope="module")
def run(
    samples: gclnm.Samples, recipe: gclnm.Recipe, store: gclnm.FeatureStore, client: Client
) -> gclnm.Extraction:
    return gclnm.extract(samples, recipe, store=store, client=client, progress=False)


def test_one_contour_reaches_every_level_of_its_phase(samples: gclnm.Samples) -> None:
    assert samples.table.groupby("phase")["energy_kev"].apply(sorted).to_dict() == {
        "arterial": [40.0, 70.0, 140.0],
        "portal_venous": [40.0, 70.0, 140.0],
    }


def test_a_plan_shows_the_rows_to_come_phases_and_what_is_derived(
    samples: gclnm.Samples, recipe: gclnm.Recipe
) -> None:
    made = gclnm.plan(samples, recipe.with_(energies_kev=[40, 50, 150]), n=2, progress=False)
    assert len(made.rows) == 4
    text = repr(made)
    assert "phases:    arterial 2, portal_venous 2" in text
    assert "derived:   vmi 50 keV 2" in text
    assert "2 x outside-pair: 150 keV cannot be had" in text


def test_a_plan_tells_of_levels_that_the_recipe_does_not_name(
    samples: gclnm.Samples, recipe: gclnm.Recipe
) -> None:
    silent = gclnm.Recipe(**MADE)
    made = gclnm.plan(samples, silent, n=None, progress=False).issues.set_index("code")
    assert set(made["severity"]) == {"odd"}
    assert len(made.loc[["monoenergetic"]]) == 6
    told = made.loc["monoenergetic", "what"].str.extract(r"image of (\d+) keV")[0]
    assert sorted(told.astype(int)) == [40, 40, 70, 70, 140, 140]
    assert "40 keV, 70 keV, 140 keV" in made.loc["several-levels", "what"]
    one = gclnm.plan(samples.query("energy_kev == 70"), silent, progress=False).issues
    assert one["code"].to_list().count("monoenergetic") == 2
    assert "several-levels" not in set(one["code"])
    named = gclnm.plan(samples, recipe, n=2, progress=False).issues
    assert not {"monoenergetic", "several-levels"} & set(named["code"])


def test_the_cube_of_levels_holds_the_truth_of_water_and_iodine(run: gclnm.Extraction) -> None:
    assert (run.done, len(run.failed), len(run.not_made)) == (10, 0, 0)
    assert "phases:    arterial 5, portal_venous 5" in repr(run)
    cube = run.store.read("levels", dims=("patient_id", "roi", "phase", "energy_kev"))
    assert cube["value"].dims == ("patient_id", "roi", "phase", "energy_kev", "feature")
    assert cube["value"].shape == (1, 1, 2, 5, 2)
    for phase, iodine in IODINE.items():
        for kev in (40, 50, 70, 100, 140):
            found = cube["value"].sel(phase=phase, energy_kev=kev, feature="original_firstorder_Mean").item()
            # Stored values are rounded to 0.1 HU.
            assert found == pytest.approx(truth(kev, iodine)[inside()].mean(), abs=0.02), (phase, kev)


def test_deltas_between_phases_and_along_energy_are_those_of_the_iodine(run: gclnm.Extraction) -> None:
    cube = run.store.read("levels", dims=("patient_id", "roi", "phase", "energy_kev"))
    change = gclnm.delta(cube, "phase", "arterial", "portal_venous")["value"].sel(
        feature="original_firstorder_Mean"
    )
    assert change.dims == ("patient_id", "roi", "energy_kev")
    expected = [iodine_hu(kev) * (IODINE["portal_venous"] - IODINE["arterial"]) for kev in cube["energy_kev"]]
    assert change.values.ravel() == pytest.approx(expected, abs=0.05)
    curve = gclnm.slope(cube, between=(40, 70))["value"].sel(feature="original_firstorder_Mean")
    assert curve.sel(phase="arterial").item() == pytest.approx(
        np.polyfit([40, 50, 70], [1.5 * iodine_hu(kev) for kev in (40, 50, 70)], 1)[0], abs=2e-3
    )


def test_native_and_derived_levels_differ_in_their_source(run: gclnm.Extraction) -> None:
    rows = run.store.table("levels")
    sources = rows.groupby("energy_kev")["energy_source"].unique().map(list).to_dict()
    assert sources[50.0] == ["derived from 40 and 70 keV"]
    assert sources[100.0] == ["derived from 70 and 140 keV"]
    assert sources[40.0] == sources[70.0] == sources[140.0]
    assert set(rows.loc[rows["energy_kev"].isin([50, 100]), "derivation"]) == {"vmi 50 keV", "vmi 100 keV"}


def test_the_history_of_a_derived_row_names_the_pair_and_what_was_done_to_both(
    samples: gclnm.Samples, recipe: gclnm.Recipe
) -> None:
    from gclnm import pipeline

    (row, *_) = [r for r in pipeline.run(recipe.expand(samples), recipe) if r.coords["energy_kev"] == 50]
    history = json.loads(row.history)
    steps = {step["step"]: step for step in history["image"]}
    assert steps["monoenergetic"]["settings"]["low_kev"] == 40
    assert steps["monoenergetic"]["settings"]["high_kev"] == 70
    assert set(history["inputs"]) >= {"voxels:image", "voxels:high", "facts:high"}


def test_a_second_run_computes_nothing_and_a_redo_gives_the_same(
    run: gclnm.Extraction, samples: gclnm.Samples, recipe: gclnm.Recipe, client: Client
) -> None:
    again = gclnm.extract(samples, recipe, store=run.store, client=client, progress=False)
    assert (again.done, again.skipped) == (0, 10)
    rows = run.store.table("levels")
    key = rows.loc[rows["derivation"] == "vmi 100 keV", "sample_id"].iloc[0]
    told = run.store.explain(key, redo=samples)
    assert told.redone.outcome == "identical"


def test_levels_that_cannot_be_had_are_told_with_the_run(samples: gclnm.Samples, client: Client) -> None:
    recipe = gclnm.Recipe(**MADE, energies_kev=[40, 150])
    made = gclnm.extract(samples, recipe, client=client, progress=False)
    assert made.done == 2
    assert made.not_made["code"].tolist() == ["outside-pair"] * 2
    assert set(made.not_made["phase"]) == set(IODINE)
    assert "2 x 150 keV cannot be had" in repr(made)
    with pytest.raises(InputError, match="150 keV cannot be had"):
        gclnm.extract(samples, recipe.with_(energies_kev=[150]), client=client, progress=False)
