"""Maps of iodine whose header does not say so: the user states material and unit, and they are measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from pydicom.uid import CTImageStorage

import gclnm
from gclnm import pipeline
from gclnm.images import Geometry, MaskRef
from gclnm.images.volume import to_sitk
from gclnm.phantom.dicom.common import Identity, Series, decimal, image_dataset, put_pixels, write
from gclnm.phantom.scanners.equipment import Equipment

if TYPE_CHECKING:
    from distributed import Client

GRID = Geometry(size=(20, 20, 12), spacing_mm=(1.0, 1.0, 2.0), origin_mm=(-10.0, -10.0, -12.0))
PERSON = Identity("P1", "F", 60, 60.0, 1.6, 1)
SCANNER = Equipment("Maker", "Model", "S", "1", "7")
LESION = np.zeros(GRID.shape, bool)
LESION[4:8, 6:14, 6:14] = True
RECIPE = gclnm.Recipe(name="map", quantity=["mg/mL"], compute={"firstorder": ["Mean", "Maximum"]})
STATED = {"patient_id": ["P1"], "material": ["iodine"]}


def milligrams() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Concentrations: noise about 0.1, and 2.4 mg/mL in the lesion."""
    return np.asarray(np.random.default_rng(0).normal(0.1, 0.2, GRID.shape) + 2.3 * LESION)


TRUE = milligrams()[LESION].mean()


def labels(folder: Path, name: str, inside: Any = LESION, grid: Geometry = GRID) -> Path:
    import SimpleITK

    SimpleITK.WriteImage(to_sitk(inside.astype(np.uint8), grid), str(folder / name))
    return folder / name


def write_map(folder: Path, description: str, scale: float, slope: float, **header: Any) -> gclnm.Samples:
    """A series of DICOM in units of 1/scale mg/mL; attributes that are None are not in the header."""
    series = Series(PERSON, SCANNER, "CT", 1, description, "1", "20240101", "100000", PERSON.uid("frame"))
    for index, values in enumerate(milligrams() * scale):
        ds = image_dataset(series, CTImageStorage, GRID, index, 2.0)
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = decimal(-1000 * slope), decimal(slope), None
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType"):
            if getattr(ds, keyword) is None:
                delattr(ds, keyword)
        start = float(ds.get("RescaleIntercept", 0))
        put_pixels(ds, np.rint((values - start) / slope).astype(np.int16))
        write(ds, folder / "map" / f"{index}.dcm")
    return paired(folder, folder / "map")


def paired(folder: Path, image: Path) -> gclnm.Samples:
    mask = labels(folder, "mask.nii.gz")
    table = {"image": [str(image)], "mask": [str(mask)], "patient_id": ["P1"], "modality": ["CT"]}
    return gclnm.Samples.from_table(pd.DataFrame(table))


def mgml(folder: Path) -> gclnm.Samples:
    return write_map(folder, "MD map", 1.0, 0.01, RescaleType="MGML")


def bare(folder: Path) -> gclnm.Samples:
    bits: Any = {"RescaleIntercept": None, "RescaleSlope": None, "PixelRepresentation": 1}
    return write_map(folder, "GSI MD", 1000.0, 1.0, **bits)


def called_hu(folder: Path) -> gclnm.Samples:
    return write_map(folder, "MD map", 10.0, 0.1)


def nifti(folder: Path) -> gclnm.Samples:
    import SimpleITK

    SimpleITK.WriteImage(to_sitk(milligrams().astype(np.float32), GRID), str(folder / "map.nii.gz"))
    return paired(folder, folder / "map.nii.gz")


WAYS: Any = pytest.mark.parametrize(
    ("made", "unit"), [(mgml, ""), (bare, "ug/mL"), (called_hu, "100 ug/mL"), (nifti, "mg/mL")]
)


@WAYS
def test_a_stated_map_is_measured_in_mg_ml(made: Any, unit: str, tmp_path: Path, client: Client) -> None:
    samples = made(tmp_path).override(pd.DataFrame(STATED | {"unit": [unit]}))
    store = gclnm.open_store("memory://")
    run = gclnm.extract(samples, RECIPE, store=store, client=client, progress=False)
    assert (run.done, len(run.failed)) == (1, 0)
    assert store.table("map")["original_firstorder_Mean"].item() == pytest.approx(TRUE, abs=0.006)
    (row,) = pipeline.run(list(samples), RECIPE)
    told = {step["step"]: step for step in json.loads(row.history)["image"]}
    assert told["override"]["note"].startswith("supplied by the user: material")
    assert told["iodine"]["settings"]["overridden"] == (["material", "unit"] if unit else "material")


@WAYS
def test_a_map_that_nobody_states_is_refused_with_what_to_supply(
    made: Any, unit: str, tmp_path: Path
) -> None:
    (row,) = pipeline.run(list(made(tmp_path).assign(material="iodine")), RECIPE)
    assert row.status == "failed"
    if made in (mgml, bare):
        assert row.reason.startswith("not-hu")
        assert "`material`" in row.fix
        assert "samples.override" in row.fix
    else:
        assert row.reason.startswith("wrong-quantity")


def test_a_unit_without_a_material_is_refused_by_name(tmp_path: Path) -> None:
    samples = nifti(tmp_path).override(pd.DataFrame({"patient_id": ["P1"], "unit": ["mg/mL"]}))
    for recipe in (RECIPE, RECIPE.with_(quantity=["HU"])):
        (row,) = pipeline.run(list(samples), recipe)
        assert row.reason.startswith("no-material")
        assert "samples.override" in row.fix


def test_a_material_without_a_unit_and_a_unit_of_another_map_are_refused(tmp_path: Path) -> None:
    (row,) = pipeline.run(list(nifti(tmp_path).override(pd.DataFrame(STATED))), RECIPE)
    assert row.reason.startswith("no-unit")
    wrong = nifti(tmp_path).override(pd.DataFrame(STATED | {"unit": ["mm2/s"]}))
    (row,) = pipeline.run(list(wrong), RECIPE)
    assert row.reason.startswith("no-unit")


def test_a_stated_map_of_water_is_no_image_in_hu(tmp_path: Path) -> None:
    stated = {"patient_id": ["P1"], "material": ["water"], "unit": ["mg/mL"]}
    samples = nifti(tmp_path).override(pd.DataFrame(stated))
    (row,) = pipeline.run(list(samples), RECIPE.with_(quantity=["HU"]))
    assert row.reason.startswith("wrong-quantity")
    (row,) = pipeline.run(list(samples), RECIPE)
    assert "the image is in mg/mL of water" in row.reason
    (row,) = pipeline.run(list(samples), RECIPE.with_(quantity=["mg/mL of water"]))
    mean = row.values[RECIPE.features.index("original_firstorder_Mean")]
    assert mean == pytest.approx(TRUE, abs=0.001)


def test_an_aorta_that_lies_elsewhere_does_not_fail_the_row(tmp_path: Path) -> None:
    (sample,) = mgml(tmp_path).override(pd.DataFrame(STATED))
    far = replace(GRID, origin_mm=(500.0, 500.0, 500.0))
    aorta = MaskRef("labelmap", str(labels(tmp_path, "aorta.nii.gz", grid=far)), 1)
    recipe = RECIPE.with_(quantities__spectral="all")
    (row,) = pipeline.run([replace(sample, masks={**sample.masks, "aorta": aorta})], recipe)
    assert (row.status, row.reason) == ("ok", "")
    assert any("the ROI of role aorta cannot be used" in note for note in json.loads(row.history)["notes"])
    (row,) = pipeline.run([replace(sample, masks={"roi": aorta})], recipe)
    assert row.reason.startswith("mask-outside-image")
