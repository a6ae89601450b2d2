"""Headers of four vendors, with published factors: each exactly right, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import PetSettings, factor, normalizer
from gclnm.images.dicom.facts import scanner_facts
from gclnm.images.dicom.petfacts import pet_facts, slice_facts

CASES = [
    "cps_series_time_45min_after_acquisition",
    "ge_bqml_start",
    "ge_d710_nac_propcps",
    "ge_dst_bqml_six_beds",
    "ge_dst_deidentified_three_date_systems",
    "ge_dst_gml_bw_admin",
    "philips_bqml_with_private_factors",
    "philips_cnts_both_factors",
    "philips_gemini_phantom_1h",
    "siemens_bqml_start",
    "siemens_mct_bqml_start",
]
# Of these two the header determines the factor only within the file's tolerance.
LOOSE = {"ge_dst_deidentified_three_date_systems", "philips_gemini_phantom_1h"}
SETTINGS = {
    "BW": PetSettings(),
    "LBMJANMA": PetSettings(quantity="SUVlbm"),
    "LBMJAMES128": PetSettings(quantity="SUVlbm", lean_mass="james"),
    "IBW": PetSettings(quantity="SUVibw"),
    "BSA": PetSettings(quantity="SUVbsa"),
}

Facts = dict[str, Any]
Case = tuple[dict[str, Any], list[Dataset]]


@pytest.fixture
def case(data: Callable[[str], Path], pet_dataset: Callable[..., Dataset]) -> Callable[[str], Case]:
    def read(name: str) -> Case:
        found = json.loads((data("suv_headers") / f"{name}.json").read_text())
        return found, [pet_dataset(record, found["manufacturer_header"]) for record in found["instances"]]

    return read


def facts_of(slices: list[Dataset]) -> Facts:
    return scanner_facts(slices[0]) | pet_facts([slice_facts(s) for s in slices])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_vendors_header_gives_its_published_factor(case: Callable[[str], Case], name: str) -> None:
    about, slices = case(name)
    expected = about["expected"]
    if expected["outcome"] == "refuse":
        with pytest.raises(QuantityError, match="ATTN") as caught:
            factor(facts_of(slices))
        assert "attenuation-corrected series" in caught.value.fix
        return
    found = factor(facts_of(slices))
    tolerance = expected["tol_rel"] if name in LOOSE else 1e-6
    assert found.factors == (pytest.approx(expected["suvbw_factor"], rel=tolerance),)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_every_normalization_of_a_vendors_header(case: Callable[[str], Case], name: str) -> None:
    about, slices = case(name)
    for kind, value in about["expected"].get("factors_all", {}).items():
        if kind in SETTINGS:
            assert factor(facts_of(slices), SETTINGS[kind]).factors == (pytest.approx(value, rel=1e-6),)
        else:
            # The misprinted constant of DICOM's LBM is read in files, never made.
            record = about["instances"][0]
            body = (record["PatientWeight"], record["PatientSize"], record["PatientSex"])
            ratio = normalizer(kind, *body) / normalizer("BW", *body)
            assert about["expected"]["suvbw_factor"] * ratio == pytest.approx(value, rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_proportional_counts_are_refused_though_attenuation_were_corrected(
    case: Callable[[str], Case],
) -> None:
    _, slices = case("ge_d710_nac_propcps")
    slices[0].CorrectedImage = ["DECY", "ATTN"]
    with pytest.raises(QuantityError, match="PROPCPS"):
        factor(facts_of(slices))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_order_and_number_of_slices_change_nothing(case: Callable[[str], Case], name: str) -> None:
    about, slices = case(name)
    if about["expected"]["outcome"] == "refuse":
        return
    whole = factor(facts_of(slices)).factors
    assert factor(facts_of(slices[::-1])).factors == whole
    for one in slices:
        assert factor(facts_of([one])).factors == whole


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_private_factors_of_an_image_in_activity_change_nothing(
    case: Callable[[str], Case], name: str
) -> None:
    about, slices = case(name)
    if about["expected"]["outcome"] == "refuse" or about["instances"][0]["Units"] != "BQML":
        return
    before = factor(facts_of(slices)).factors
    for one in slices:
        one.remove_private_tags()
    assert factor(facts_of(slices)).factors[0] == pytest.approx(before[0], rel=about["expected"]["tol_rel"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_shifted_or_missing_dates_change_nothing(case: Callable[[str], Case], name: str) -> None:
    about, slices = case(name)
    if about["expected"]["outcome"] == "refuse":
        return
    before = factor(facts_of(slices)).factors
    for one in slices:
        one.SeriesDate, one.AcquisitionDate = "19991231", "20010704"
    assert factor(facts_of(slices)).factors == pytest.approx(before, rel=1e-9)
    for one in slices:
        del one.SeriesDate, one.AcquisitionDate
    assert factor(facts_of(slices)).factors == pytest.approx(before, rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_the_history_of_a_deidentified_header_tells_the_rule_and_the_other_candidates(
    case: Callable[[str], Case],
) -> None:
    _, slices = case("ge_dst_deidentified_three_date_systems")
    told = factor(facts_of(slices)).told
    assert told["reference"] == "the vendor's own time"
    assert told["others_s"] == {"Decay Factor": 0.0, "Frame Reference Time": 0.0, "Series Time": -45.0}
    assert len(told["doubts"]) == 2
    with pytest.raises(QuantityError, match="strict"):
        factor(facts_of(slices), PetSettings(strict=True))
