"""The digital reference objects of the IBSI's SUV manual, read as DICOM: 0.20, 1.00 and 4.00 each."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gclnm
from gclnm.cohort.look import look_at
from gclnm.harmonize import harmonize

VERSIONS = (0,), (0,), (0, 1, 2, 4, 5), (0, 2, 3, 4), (0, 1), (0,)
OBJECTS = [f"DRO_{group}_{n}" for group, numbers in enumerate(VERSIONS) for n in numbers]


@pytest.mark.parametrize("name", OBJECTS)
def test_a_reference_object_has_its_published_values(
    data: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = data("suv_dro")
    with (folder / "expected.csv").open() as lines:
        expected = next(row for row in csv.DictReader(lines) if row["object"] == name)
    with zipfile.ZipFile(folder / f"{name}.zip") as whole:
        whole.extractall(tmp_path)
    catalog = gclnm.scan(tmp_path, progress=False)
    samples = gclnm.pair(catalog, roi="region_1", modality="PT")
    case = gclnm.load(samples[0])
    volume = harmonize(case.image)
    assert volume.quantity == "SUVbw"
    inside = volume.array[case.roi.array]
    found = [float(inside.min()), float(np.median(inside)), float(inside.max())]
    # The README: GML objects are stored in coarse integers.
    assert found == pytest.approx([0.20, 1.00, 4.00], abs=0.005)
    measured = [float(expected[f"measured_{key}"]) for key in ("min", "median", "max")]
    assert found == pytest.approx(measured, rel=1e-5)
    factors = volume.history[-1].settings["factor"]
    wanted = [float(value) for value in expected["factors"].split(";")]
    assert np.atleast_1d(factors) == pytest.approx(wanted, rel=1e-6)


def test_a_reference_object_gives_features_in_suv(data: Callable[[str], Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(data("suv_dro") / "DRO_3_4.zip") as whole:
        whole.extractall(tmp_path)
    samples = gclnm.pair(gclnm.scan(tmp_path, progress=False), roi="region_1", modality="PT")
    case = gclnm.load(samples[0])
    recipe = gclnm.Recipe(
        name="suv", modality="PT", quantity=["SUVbw"], compute={"firstorder": ["Maximum", "Median"]}
    )
    values = gclnm.features(case.image, case.roi, recipe)
    assert values["original_firstorder_Maximum"] == pytest.approx(4.00, abs=0.005)
    assert values["original_firstorder_Median"] == pytest.approx(1.00, abs=0.005)


def test_a_plan_shows_what_had_to_be_repaired(data: Callable[[str], Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(data("suv_dro") / "DRO_3_0.zip") as whole:
        whole.extractall(tmp_path)
    samples = gclnm.pair(gclnm.scan(tmp_path, progress=False), roi="region_1", modality="PT")
    pet = gclnm.Recipe.named("pet")
    findings = look_at(samples[0], pet).findings
    doubts = [finding.what for finding in findings if finding.code == "doubtful-header"]
    assert doubts == ["RadionuclideTotalDose of 368.08 taken as MBq"]
    (refused,) = look_at(samples[0], pet.with_(harmonize__pet__strict=True)).findings
    assert refused.severity == "refused"
    assert "strict settings do not allow" in refused.what
