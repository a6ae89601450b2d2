"""The IBSI's validation: patients, three modalities, and what the teams that took part agreed on."""

from __future__ import annotations

import csv
import gzip
from typing import Any

import pytest

from gclnm import vocabulary
from gclnm.engines import engine
from gclnm.harmonize import harmonize
from gclnm.images import Case
from gclnm.images.load import read_mask, read_series
from gclnm.prepare import onto
from gclnm.recipe import Recipe

# Zwanenburg 2020, doi:10.1148/radiol.2020191145, as the teams applied it: voxels, rounding, range, width.
SETTINGS: dict[str, tuple[int, bool, list[float | None], float]] = {
    "CT": (1, True, [-200, 200], 10),
    "PET": (3, False, [0, None], 0.25),
    "MR_T1": (1, False, [0, None], 10),
}
FAMILIES = [family for family in vocabulary.FAMILIES if family != "shape2D"]


def recipe(modality: str) -> Recipe:
    spacing, rounded, span, width = SETTINGS[modality]
    grid = {"spacing_mm": [spacing] * 3, "align": "centre", "mask": "linear", "round": rounded}
    compute: dict[str, Any] = {family: list(vocabulary.names(family, every=True)) for family in FAMILIES}
    return Recipe(
        name="ibsi",
        prepare={
            "resample": grid,
            "resegment": {"range": span, "cut_shape": False},
            "discretise": {"bin_width": width, "origin": "minimum"},
        },
        compute={**compute, "texture": {"weighting": "no_weighting"}},
    )


@pytest.mark.slow
@pytest.mark.parametrize("patient", ["STS_008", "STS_019"])
@pytest.mark.parametrize("modality", SETTINGS)
def test_features_are_what_five_teams_agree_on(data, patient: str, modality: str) -> None:
    with gzip.open(data("ibsi") / "ibsi1_phase3_consensus.csv.gz", "rt") as handle:
        rows = [r for r in csv.DictReader(handle) if (r["patient"], r["modality"]) == (patient, modality)]
    agreed = {r["tag"]: float(r["consensus"]) for r in rows if int(r["n_agree"] or 0) >= 5}
    root = data("sts") / patient / modality
    image = harmonize(read_series(root / "image"))
    roi = onto(read_mask(next((root / "mask").glob("*.dcm")), image), image)
    asked = recipe(modality)
    result = engine("pyradiomics").run(Case({"image": image}, {"roi": roi}), asked.prepare, asked.compute)
    measured = {"int_mask_vox_count_reseg_roi": result.diagnostics["voxels_analysed"]}
    for column, value in result.values.items():
        measured[vocabulary.feature(column).ibsi_tag.replace("_3D_avg", "_3D_comb")] = value
    found = {tag: value for tag, value in measured.items() if tag in agreed}
    # On PET fewer teams agree to the fifth.
    assert len(found) > (30 if modality == "PET" else 90)
    wrong = {
        tag: (value, agreed[tag]) for tag, value in found.items() if value != pytest.approx(agreed[tag], 1e-3)
    }
    assert wrong == {}
