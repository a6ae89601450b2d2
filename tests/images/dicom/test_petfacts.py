"""What SUV needs of PET headers: private elements, offsets from UTC, what differs, and no free text."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from gclnm.images.dicom.petfacts import pet_facts, slice_facts

PHILIPS = "Philips PET Private Group"


def header(**values: Any) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def injection(**values: Any) -> Dataset:
    return header(RadiopharmaceuticalInformationSequence=[header(**values)], SeriesDate="20200301")


@pytest.mark.parametrize("block", [0x10, 0x11])
@pytest.mark.parametrize(
    ("vr", "value"), [("DS", "0.0005"), ("DS", "0.0005 "), ("UN", b"0.0005\0"), ("LO", "0.0005")]
)
def test_a_private_factor_is_found_by_its_creator_in_any_block(block: int, vr: str, value: Any) -> None:
    dataset = header(Manufacturer="")
    dataset.add_new((0x7053, block), "LO", f"{PHILIPS} ")
    dataset.add_new((0x7053, block << 8), vr, value)
    assert slice_facts(dataset)["philips_suv_factor"] == 0.0005


@pytest.mark.parametrize(
    ("manufacturer", "creator", "found"),
    [
        ("Philips Medical Systems", None, True),
        ("PHILIPS", None, True),
        ("SIEMENS", None, False),
        ("Philips Medical Systems", "SOMEBODY ELSE", False),
    ],
)
def test_without_creator_a_private_factor_is_found_by_number_in_files_of_its_vendor(
    manufacturer: str, creator: str | None, found: bool
) -> None:
    dataset = header(Manufacturer=manufacturer)
    if creator:
        dataset.add_new((0x7053, 0x10), "LO", creator)
    dataset.add_new((0x7053, 0x1009), "DS", "0.5")
    assert slice_facts(dataset)["philips_activity_factor"] == (0.5 if found else None)


def test_the_times_of_ge_share_their_own_date() -> None:
    dataset = header(Manufacturer="GE MEDICAL SYSTEMS", SeriesDate="18850827")
    dataset.add_new((0x0009, 0x100D), "DT", "19971017001156.00")
    dataset.add_new((0x0009, 0x103B), "DT", "19971016232900.00")
    facts = slice_facts(dataset)
    assert facts["vendor_reference_clock_s"] == 11 * 60 + 56
    assert facts["vendor_uptake_s"] == 31 * 60 + 11 * 60 + 56


def test_siemens_says_what_decay_is_corrected_to() -> None:
    dataset = header(Manufacturer="SIEMENS")
    block = dataset.private_block(0x0071, "SIEMENS MED PT", create=True)
    block.add_new(0x22, "DT", "20200301111218.000000")
    assert slice_facts(dataset)["vendor_reference_clock_s"] == 40338.0


def test_a_half_life_at_the_top_of_the_header_is_a_trap() -> None:
    dataset = injection(RadionuclideTotalDose=4e8)
    dataset.RadiopharmaceuticalStartTime, dataset.RadionuclideHalfLife = "080000", 1.0
    facts = slice_facts(dataset)
    assert facts["injection_clock_s"] is None
    assert facts["half_life_s"] is None
    assert facts["dose_bq"] == 4e8


@pytest.mark.parametrize(
    ("stamp", "offset", "seconds", "said"),
    [
        ("20200301100000", None, 36000.0, ""),
        ("20200301100000.5+0100", "+0100", 36000.5, ""),
        ("20200301100000+0000", "+0100", 39600.0, "shifted"),
        ("20200229230000-0330", "-0230", 0.0, "shifted"),
        ("20200301100000+0100", None, 36000.0, "local"),
        ("20200301100000-0000", None, 36000.0, "utc"),
        ("20200229100000", None, 36000.0 - 86400, ""),
        ("202003011000", None, 36000.0, ""),
        ("", None, None, ""),
    ],
)
def test_a_dated_injection_is_on_the_clock_of_the_series(
    stamp: str, offset: str | None, seconds: float | None, said: str
) -> None:
    dataset = injection(RadiopharmaceuticalStartDateTime=stamp)
    if offset:
        dataset.TimezoneOffsetFromUTC = offset
    facts = slice_facts(dataset)
    assert (facts["injection_s"], facts["injection_offset"]) == (seconds, said)


@pytest.mark.parametrize(
    ("words", "tracer"),
    [
        ("FDG", "FDG"),
        ("Fluorodeoxyglucose", "FDG"),
        ("FLUDEOXYGLUCOSE F18", "FDG"),
        ("18F-FDG Dr. Smith", "FDG"),
        ("Ga68-PSMA", ""),
        ("Smith", ""),
    ],
)
def test_the_tracer_is_fdg_or_nothing(words: str, tracer: str) -> None:
    assert slice_facts(injection(Radiopharmaceutical=words))["tracer"] == tracer


@pytest.mark.parametrize(("method", "named"), [("CT measured", True), ("NONE", False), ("", False)])
def test_a_method_of_attenuation_correction_is_named_or_not(method: str, named: bool) -> None:
    assert slice_facts(header(AttenuationCorrectionMethod=method))["attenuation_method_named"] is named


def test_what_slices_have_of_their_own_keeps_the_order_of_the_array() -> None:
    times = [("111000", 30000.0), ("111000", 30000.0), ("110500", None)]
    slices = [
        slice_facts(header(AcquisitionTime=time, ActualFrameDuration=duration, PatientWeight=70 + index))
        for index, (time, duration) in enumerate(times)
    ]
    facts = pet_facts(slices)
    assert facts["acquisition_s"] == "40200.0*2 39900.0"
    assert facts["frame_duration_ms"] == "30000.0*2 -"
    assert "decay_factor" not in facts
    assert facts["differing"] == "weight_kg"
    assert facts["weight_kg"] == 70.0
