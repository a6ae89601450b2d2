"""Slope, intercept and quantity of a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.images.dicom.elements import Groups
from gclnm.images.dicom.quantity import Scale, frame_scale
from gclnm.images.volume import UNKNOWN


def header(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def scale_of(dataset: Dataset) -> Scale:
    return frame_scale(Groups(dataset))


def ct(**elements: Any) -> Dataset:
    plain = {
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    return header(**(plain | elements))


def unit_map(code: str, slope: float = 2.0, intercept: float = 1.0) -> list[Dataset]:
    return [
        header(
            RealWorldValueSlope=slope,
            RealWorldValueIntercept=intercept,
            MeasurementUnitsCodeSequence=[header(CodeValue=code, CodingSchemeDesignator="UCUM")],
        )
    ]


@pytest.mark.parametrize("rescale_type", [None, "HU"])
def test_ct_with_a_rescale_is_hu(rescale_type: str | None) -> None:
    elements = {} if rescale_type is None else {"RescaleType": rescale_type}
    scale = scale_of(ct(**elements))
    assert (scale.slope, scale.intercept, scale.quantity) == (1.0, -1024.0, "HU")


def test_ct_without_rescale_is_not_called_hu() -> None:
    bare = header(Modality="CT", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    assert scale_of(bare).quantity == UNKNOWN


@pytest.mark.parametrize(
    ("rescale_type", "slope", "quantity"),
    [
        ("MGML", 1.0, "mg/mL"),
        ("10^-2 MGML", 0.01, "mg/mL"),
        ("10^-2 Z_EFF", 0.01, "effective Z"),
        ("HU_MOD", 1.0, "modified HU"),
        ("US", 1.0, UNKNOWN),
        ("something else", 1.0, UNKNOWN),
    ],
)
def test_the_rescale_type_names_the_quantity(rescale_type: str, slope: float, quantity: str) -> None:
    scale = scale_of(ct(RescaleType=rescale_type))
    assert (scale.slope, scale.quantity) == (slope, quantity)


def test_the_standards_multi_energy_examples_read_as_printed(data: Any) -> None:
    examples = json.loads((data("enhanced") / "multienergy_header_examples.json").read_text())["examples"]
    checked = 0
    for example in examples:
        if "RescaleType" not in example:
            continue
        keys = ("ImageType", "RescaleSlope", "RescaleIntercept", "RescaleType")
        scale = scale_of(ct(**{key: example[key] for key in keys}))
        assert (scale.quantity == "HU") == example["expect"]["is_hu"], example["id"]
        for name, value in example["expect"].items():
            if name.startswith("value_of_stored_"):
                stored = float(name.rsplit("_", 1)[1])
                assert scale.slope * stored + scale.intercept == pytest.approx(value)
                checked += 1
    assert checked >= 3


def test_material_maps_in_series_descriptions_are_not_hu(data: Any) -> None:
    rows = json.loads((data("enhanced") / "spectral_series_descriptions.json").read_text())["rows"]
    for row in rows:
        quantity = scale_of(ct(SeriesDescription=row["text"])).quantity
        if row["kind"] in (
            "material_specific",
            "material_modified",
            "electron_density",
            "effective_atomic_number",
        ):
            assert quantity != "HU", row["text"]
        if row["kind"] in ("vmi", "conventional", "polychromatic"):
            assert quantity == "HU", row["text"]
        if row["unit"] == "mg/mL" and "[" in row["text"]:
            assert quantity == "mg/mL", row["text"]


def test_a_perfusion_map_is_not_hu() -> None:
    assert scale_of(ct(ImageType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"])).quantity == UNKNOWN


def test_a_real_world_value_map_with_a_unit_wins() -> None:
    scale = scale_of(ct(RescaleType="US", RealWorldValueMappingSequence=unit_map("ml/100ml/s")))
    assert (scale.slope, scale.intercept, scale.quantity) == (2.0, 1.0, "ml/100ml/s")
    assert scale_of(ct(RealWorldValueMappingSequence=unit_map("[hnsf'U]"))).quantity == "HU"


def test_a_map_without_unit_leaves_mr_signal_as_it_is() -> None:
    dataset = header(Modality="MR", RescaleSlope=3, RealWorldValueMappingSequence=unit_map("1"))
    assert (scale_of(dataset).slope, scale_of(dataset).quantity) == (3.0, "arbitrary")


def test_free_text_in_a_unit_is_not_passed_on() -> None:
    dataset = header(Modality="MR", RealWorldValueMappingSequence=unit_map("J Doe b. 1950"))
    assert scale_of(dataset).quantity == UNKNOWN


@pytest.mark.parametrize(
    ("image_type", "quantity"),
    [
        (["ORIGINAL", "PRIMARY", "M", "NONE"], "arbitrary"),
        (["DERIVED", "SECONDARY", "ADC"], "ADC, unit unknown"),
        (["ORIGINAL", "PRIMARY", "P"], "phase, unit unknown"),
        (["ORIGINAL", "PRIMARY", "T1", "FIELD_MAP"], "field map, unit unknown"),
    ],
)
def test_mr_maps_are_not_called_signal(image_type: list[str], quantity: str) -> None:
    assert scale_of(header(Modality="MR", ImageType=image_type)).quantity == quantity


def test_an_adc_map_with_a_unit_says_so() -> None:
    dataset = header(
        Modality="MR",
        ImageType=["DERIVED", "PRIMARY", "ADC"],
        RealWorldValueMappingSequence=unit_map("um2/s", 1, 0),
    )
    assert scale_of(dataset).quantity == "1e-6 mm2/s"


@pytest.mark.parametrize(
    ("units", "quantity"),
    [("BQML", "Bq/mL"), ("GML", "g/mL"), ("CNTS", "counts"), ("PROPCNTS", "units PROPCNTS"), ("", UNKNOWN)],
)
def test_pet_is_named_by_its_units(units: str, quantity: str) -> None:
    assert scale_of(header(Modality="PT", Units=units)).quantity == quantity


def test_the_frames_own_rescale_wins_over_the_shared_one() -> None:
    def group(slope: float) -> Dataset:
        return header(PixelValueTransformationSequence=[header(RescaleSlope=slope, RescaleIntercept=0)])

    dataset = ct(
        SharedFunctionalGroupsSequence=[group(2)],
        PerFrameFunctionalGroupsSequence=[group(5), Dataset()],
    )
    assert [frame_scale(Groups.of(dataset)[frame]).slope for frame in (0, 1)] == [5.0, 2.0]


def test_a_slope_of_zero_and_look_up_tables_are_refused() -> None:
    with pytest.raises(QuantityError, match="zero"):
        scale_of(ct(RescaleSlope=0))
    with pytest.raises(QuantityError, match="look-up table"):
        scale_of(
            header(
                Modality="MR",
                RealWorldValueMappingSequence=[header(MeasurementUnitsCodeSequence=[header(CodeValue="ms")])],
            )
        )
    with pytest.raises(QuantityError, match="Modality LUT"):
        scale_of(header(Modality="CT", ModalityLUTSequence=[Dataset()]))


@pytest.mark.parametrize("word", ["WANGXIAOMING", "MR_T", "MISTER"])
def test_a_unit_that_is_somebodys_own_word_is_not_kept(word):
    mapped = ct(RescaleType="US", RealWorldValueMappingSequence=unit_map(word))
    assert scale_of(mapped).quantity == UNKNOWN
    assert scale_of(header(Modality="PT", Units=word, RescaleSlope=1)).quantity == UNKNOWN


@pytest.mark.parametrize("unit", ["ml/100ml/s", "10-6.mm2/s", "kBq/ml", "umol/min", "1/min", "%"])
def test_a_unit_of_ucum_that_has_no_name_of_ours_is_kept(unit):
    scale = scale_of(ct(RescaleType="US", RealWorldValueMappingSequence=unit_map(unit)))
    assert scale.quantity in (unit, "1e-6 mm2/s")
