"""PET: SUVbw or a refusal that names the attribute."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.harmonize import harmonize
from gclnm.harmonize.pet import suv
from gclnm.images import Geometry, Volume
from gclnm.images.dicom.facts import pet_facts, scanner_facts, slice_facts

GRID = Geometry(size=(2, 2, 1), spacing_mm=(4.0, 4.0, 3.0))
GOOD: dict[str, Any] = {
    "modality": "PT",
    "units": "BQML",
    "decay_correction": "START",
    "corrected_image": "ATTN;DECY;SCAT",
    "series_type": "WHOLE BODY;IMAGE",
    "rescale_intercept": 0.0,
    "weight_kg": 80.0,
    "dose_bq": 4e8,
    "half_life_s": 6586.2,
    "nuclide": "C-111A1",
    "injection_s": 36000.0,
    "injection_clock_s": 36000.0,
    "series_s": 36000.0 + 6586.2,
    "acquisition_first_s": 36000.0 + 6586.2,
    "differing": "",
}


def pet(**changes: Any) -> Volume:
    facts = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return Volume(np.array([[[1000.0, 2000.0], [0.0, 500.0]]]), GRID, "Bq/mL", facts)


def test_one_half_life_after_injection_the_factor_is_weight_over_half_the_dose() -> None:
    result = suv(pet())
    np.testing.assert_allclose(result.array, pet().array * 80_000 / 2e8, rtol=1e-6)
    assert result.quantity == "SUVbw"
    assert result.history[-1].settings["uptake_min"] == pytest.approx(109.77)


def test_an_image_corrected_to_the_injection_needs_no_times() -> None:
    result = suv(pet(decay_correction="ADMIN", series_s=None, injection_s=None, injection_clock_s=None))
    np.testing.assert_allclose(result.array, pet().array * 80_000 / 4e8, rtol=1e-6)


def test_an_injection_before_midnight_belongs_to_the_day_before() -> None:
    late = pet(injection_s=None, injection_clock_s=86400 - 600.0, series_s=3000.0, acquisition_first_s=3000.0)
    assert suv(late).history[-1].settings["uptake_min"] == 60.0


def test_suv_images_stay_as_they_are() -> None:
    for suv_type in ("BW", None):
        volume = pet(units="GML", suv_type=suv_type, weight_kg=None, dose_bq=None)
        np.testing.assert_array_equal(suv(volume).array, volume.array)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"units": "CNTS"}, "CNTS"),
        ({"units": "PROPCNTS"}, "PROPCNTS"),
        ({"units": "NONE"}, "NONE"),
        ({"units": None}, "absent"),
        ({"units": "GML", "suv_type": "LBM"}, "LBM"),
        ({"corrected_image": "DECY"}, "ATTN"),
        ({"corrected_image": "ATTN"}, "DECY"),
        ({"decay_correction": "NONE"}, "DecayCorrection"),
        ({"decay_correction": None}, "DecayCorrection"),
        ({"series_type": "WHOLE BODY;REPROJECTION"}, "REPROJECTION"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.130"}, "enhanced"),
        ({"rescale_intercept": 5.0}, "RescaleIntercept"),
        ({"weight_kg": None}, "PatientWeight is missing"),
        ({"weight_kg": 0.0}, "PatientWeight is missing"),
        ({"weight_kg": 80_000.0}, "PatientWeight of 80000 kg"),
        ({"dose_bq": None}, "RadionuclideTotalDose is missing"),
        ({"dose_bq": 400.0}, "RadionuclideTotalDose of 400 Bq"),
        ({"half_life_s": 109.77}, "RadionuclideHalfLife"),
        ({"half_life_s": 1223.1}, "RadionuclideHalfLife"),
        ({"injection_s": None, "injection_clock_s": None}, "RadiopharmaceuticalStartTime"),
        ({"injection_s": 36000.0 + 86400}, "before the scan"),
        ({"injection_s": 36000.0 - 86400}, "before the scan"),
        ({"injection_clock_s": 36500.0}, "disagree"),
        ({"series_s": None}, "SeriesTime is missing"),
        ({"acquisition_first_s": None}, "AcquisitionTime is missing"),
        ({"series_s": 36000.0 + 6686.2}, "SeriesTime is 100 s after"),
        ({"acquisition_first_s": 36000.0 + 16586.2}, "more than an hour"),
        ({"differing": "weight_kg;dose_bq"}, "PatientWeight, RadionuclideTotalDose"),
        ({"first_vendor_scan_clock_s": 36000.0 + 6631.2}, "disagree by 45 s"),
    ],
)
def test_what_would_need_a_guess_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(QuantityError, match=r".") as caught:
        suv(pet(**changes))
    assert named in str(caught.value)
    assert caught.value.fix
    assert caught.value.code == "no-suv"


@pytest.mark.parametrize("sign", [-1, 1])
def test_clocks_may_differ_by_ten_seconds_and_no_more(sign: int) -> None:
    start_s = GOOD["series_s"]
    suv(pet(first_vendor_scan_clock_s=start_s + sign * 9.0))
    with pytest.raises(QuantityError, match="disagree by 11 s"):
        suv(pet(first_vendor_scan_clock_s=start_s + sign * 11.0))


def test_a_decay_factor_that_contradicts_series_time_is_refused_and_one_that_agrees_passes() -> None:
    rate, length = np.log(2) / 6586.2, 240.0
    during = rate * length / (1 - np.exp(-rate * length))
    bed = {"first_frame_duration_ms": 240000.0, "first_frame_reference_ms": 0.0}
    suv(pet(first_decay_factor=float(during), **bed))
    with pytest.raises(QuantityError, match="DecayFactor"):
        suv(pet(first_decay_factor=float(during * np.exp(rate * 300)), **bed))


def injected(stamp: str, clock: str | None, offset: str | None) -> dict[str, Any]:
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = stamp
    slice_ = Dataset()
    slice_.SeriesDate, slice_.SeriesTime = "20200301", "114946"
    if clock is not None:
        item.RadiopharmaceuticalStartTime = clock
    if offset is not None:
        slice_.TimezoneOffsetFromUTC = offset
    slice_.RadiopharmaceuticalInformationSequence = [item]
    facts = pet_facts([slice_facts(slice_)])
    keys = ("injection_s", "injection_clock_s", "injection_other_offset")
    return {key: facts.get(key) for key in keys}


@pytest.mark.parametrize("offset", [None, "+0200"])
def test_an_injection_on_a_clock_of_its_own_offset_from_utc_is_refused(offset: str | None) -> None:
    with pytest.raises(QuantityError, match="RadiopharmaceuticalStartDateTime has an offset") as caught:
        suv(pet(**injected("20200301100000+0100", None, offset)))
    assert "RadiopharmaceuticalStartTime" in caught.value.fix


@pytest.mark.parametrize(
    ("stamp", "clock", "offset"),
    [
        ("20200301100000+0100", None, "+0100"),
        ("20200301100000-0000", None, "+0000"),
        ("20200301100000+0100", "100030", None),
        ("20200301100000", None, None),
        ("20200301100000", None, "+0100"),
    ],
)
def test_an_injection_on_the_clock_of_the_series_counts(
    stamp: str, clock: str | None, offset: str | None
) -> None:
    assert suv(pet(**injected(stamp, clock, offset))).history[-1].settings["uptake_min"] == 109.77


def test_a_pet_file_without_header_is_refused() -> None:
    bare = Volume(np.array([[[1.0, 2.0]]]), Geometry((2, 1, 1), (1.0, 1.0, 1.0)), facts={"modality": "PT"})
    with pytest.raises(QuantityError, match="Units"):
        harmonize(bare)


def dataset(record: dict[str, Any], manufacturer: str) -> Dataset:
    result = Dataset()
    result.Modality, result.Manufacturer = "PT", manufacturer
    for keyword, value in record.items():
        if keyword == "private":
            _add_private(result, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            setattr(result, keyword, [dataset(value[0], "")])
        elif value is not None:
            setattr(result, keyword, value)
    return result


def _add_private(result: Dataset, elements: dict[str, Any]) -> None:
    for tag, element in elements.items():
        number = int(tag, 16)
        group, creator = number >> 16, element.get("creator")
        if creator:
            block = result.private_block(group, creator, create=True)
            block.add_new(number & 0xFF, element.get("vr") or element.get("VR") or "LO", element["value"])


def headers() -> list[str]:
    return [
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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", headers())
def test_a_vendors_header_gives_the_right_factor_or_a_refusal_never_another(
    data: Callable[[str], Path], name: str
) -> None:
    case = json.loads((data("suv_headers") / f"{name}.json").read_text())
    slices = [dataset(record, case["manufacturer_header"]) for record in case["instances"]]
    facts = scanner_facts(slices[0]) | pet_facts([slice_facts(s) for s in slices])
    facts["modality"] = "PT"
    volume = Volume(np.array([[[0.0, 1.0]]]), Geometry((2, 1, 1), (1.0, 1.0, 1.0)), facts=facts)
    if name not in PLAIN:
        with pytest.raises(QuantityError) as caught:
            suv(volume)
        assert caught.value.fix
        return
    assert case["expected"]["outcome"] == "ok"
    factor = float(suv(volume).array[0, 0, 1])
    assert factor == pytest.approx(case["expected"]["suvbw_factor"], rel=case["expected"]["tol_rel"])


# Nothing is doubtful in these: refusing them would be a failure too.
PLAIN = {
    "ge_bqml_start",
    "ge_dst_bqml_six_beds",
    "ge_dst_gml_bw_admin",
    "philips_bqml_with_private_factors",
    "philips_gemini_phantom_1h",
    "siemens_bqml_start",
    "siemens_mct_bqml_start",
}
