"""Spectral CT: level, kind, material and unit by the standard's attributes and by vendors' words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from gclnm.harmonize import harmonize
from gclnm.images.dicom.elements import Groups
from gclnm.images.dicom.energy import KINDS_OF_MAPS, Spectral, described, spectral, unit_named
from gclnm.images.dicom.frames import frame_headers
from gclnm.images.dicom.frametypes import frame_kind
from gclnm.images.load import load_volume


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def shown(**elements: Any) -> Spectral:
    return spectral(Groups(item(Modality="CT", **elements)))


def code(value: str) -> Dataset:
    return item(CodeValue=value)


def test_the_21_series_descriptions_read_as_the_reference_says(data: Any) -> None:
    rows = json.loads((data("enhanced") / "spectral_series_descriptions.json").read_text())["rows"]
    assert len(rows) == 21
    for row in rows:
        found = described(row["text"])
        assert (found.kind, found.energy_kev, found.unit or None) == (row["kind"], row["keV"], row["unit"]), (
            row
        )


def test_the_standards_examples_read_as_printed(data: Any) -> None:
    examples = json.loads((data("enhanced") / "multienergy_header_examples.json").read_text())["examples"]
    for example in examples:
        expect = example["expect"]
        plain = ("ImageType", "MultienergyCTAcquisition", "RescaleType", "KVP")
        header = {name: example[name] for name in plain if name in example}
        if "materials" in example:
            materials = [item(MaterialCodeSequence=[code(m[0])]) for m in example["materials"]]
            header["MultienergyCTProcessingSequence"] = [item(DecompositionMaterialSequence=materials)]
        if "LUTLabel" in example:
            quantity = item(ConceptCodeSequence=[code(example["substance"][0])])
            header["RealWorldValueMappingSequence"] = [
                item(
                    LUTLabel=example["LUTLabel"],
                    MeasurementUnitsCodeSequence=[code(example["units"][0])],
                    QuantityDefinitionSequence=[quantity],
                )
            ]
        found = shown(**header)
        assert found.kind == expect["kind"], example["id"]
        assert found.energy_kev is None
        if "material" in expect:
            assert found.material == expect["material"]
        if "unit" in expect:
            assert found.unit == expect["unit"]


def test_the_standards_attribute_wins_over_words() -> None:
    level = Sequence([item(MonoenergeticEnergyEquivalent=55.0)])
    found = shown(
        MultienergyCTAcquisition="YES",
        ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"],
        MultienergyCTCharacteristicsSequence=level,
        SeriesDescription="MONO 70 keV",
    )
    assert (found.kind, found.energy_kev, found.source, found.unit) == ("vmi", 55.0, "standard", "HU")


def test_the_attribute_is_found_in_functional_groups() -> None:
    group = item(MultienergyCTCharacteristicsSequence=[item(MonoenergeticEnergyEquivalent=40.0)])
    assert spectral(Groups(Dataset(), shared=group)).energy_kev == 40.0


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("70 keV", 70.0),
        ("GSI QC 65KEV", 65.0),
        ("虚拟单能 50keV", 50.0),
        ("mono_70_keV", 70.0),
        ("Abd_1.25_70_keV", 70.0),
        ("Mono 70", 70.0),
        ("MONO 70 1.25mm", 70.0),
        ("VMI70", 70.0),
        ("keV70", 70.0),
        ("MonoE 130keV[HU]", 130.0),
        ("MONO 140 keV", 140.0),
        ("Mono+ 200 keV", 200.0),
        ("Mono+ 34 keV", None),
        ("40_140_keV", None),
        ("GSI 40-140 keV", None),  # a range
        ("40keV/70keV", None),
        ("Mono+ 300 keV", None),
    ],
)
def test_a_level_is_one_number_before_kev(words: str, level: float | None) -> None:
    assert described(words).energy_kev == level


@pytest.mark.parametrize(
    "words",
    [
        "120 kVp",
        "Abdomen 100kV",
        "Sn140kV",
        "DE 80/140 kV mixed",
        "DE_80_140_kV",
        "Mono 120 kV",
        "Iodine contrast",
        "Iodine_Contrast",
        "HAP (1.25mm)",
        "Virtual colonoscopy",
    ],
)
def test_a_tube_voltage_is_no_level_and_contrast_no_map(words: str) -> None:
    assert shown(SeriesDescription=words, KVP=120, RescaleType="HU").kind == "polychromatic"


def test_comments_help_where_the_description_is_silent() -> None:
    found = shown(SeriesDescription="Abdomen 1.0", ImageComments="Monoenergetic Plus 60 keV")
    assert (found.energy_kev, found.source) == (60.0, "comments")


def test_ge_names_kinds_in_the_image_type() -> None:
    found = shown(
        ImageType=["DERIVED", "SECONDARY", "AXIAL", "GSI MD"], SeriesDescription="2.5mm IODINE(WATER)"
    )
    assert (found.kind, found.material, found.source, found.unit) == (
        "material_specific",
        "iodine",
        "image type",
        "",
    )


@pytest.mark.parametrize(
    ("rescale", "unit"),
    [
        ("MGML", "mg/mL"),
        ("10^-2 MGML", "mg/mL"),
        ("100ug/cm^3", "100 ug/mL"),
        ("HU", "HU"),
        ("HU_MOD", "HU*"),
    ],
)
def test_the_unit_of_an_iodine_map_is_that_of_the_rescale_type(rescale: str, unit: str) -> None:
    assert shown(SeriesDescription="IODINE(WATER)", RescaleType=rescale).unit == unit


def test_a_unit_in_the_description_wins_over_a_habitual_hu() -> None:
    assert shown(SeriesDescription="Iodine Density[mg/ml]", RescaleType="HU").unit == "mg/mL"


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("mg/cm3", "mg/mL"),
        ("100 µg/cm³", "100 ug/mL"),
        ("100 μg/ml", "100 ug/mL"),
        ("mcg/mL", "ug/mL"),
        ("Gy", ""),
    ],
)
def test_units_in_many_spellings(written: str, unit: str) -> None:
    assert unit_named(written) == unit


@pytest.mark.parametrize(
    "words", ["VNC 1.0", "碘图", "RhoZ Z", "Z Effective", "Calcium Suppression 25", "HAP(water)"]
)
def test_what_is_a_map_here_is_not_hu_for_the_scan(words: str) -> None:
    assert described(words).kind in KINDS_OF_MAPS
    assert "not-hu" in frame_kind("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), description=words).flags


@pytest.mark.parametrize(
    ("words", "material"),
    [
        ("DE_VNC_1.0", "virtual_non_contrast"),
        ("Abd_VNC_3mm", "virtual_non_contrast"),
        ("VNC图", "virtual_non_contrast"),
        ("VNUE", "virtual_non_contrast"),
        ("virt. non-contrast", "virtual_non_contrast"),
        ("virtual native", "virtual_non_contrast"),
        ("虛擬平掃", "virtual_non_contrast"),
        ("虚拟平扫".encode().decode("latin-1"), "virtual_non_contrast"),
        ("VNCa", "virtual_non_calcium"),
        ("Iodine-free", "virtual_non_contrast"),
        ("Iodine suppressed", "virtual_non_contrast"),
        ("minus iodine", "virtual_non_contrast"),
        ("DE_Iodine_Map", "iodine"),
        ("IODINE_WATER", "iodine"),
        ("Iodine_no_Water", "iodine"),
        ("Water_(Iodine)", "water"),
        ("WATER_IODINE", "water"),
        ("DE_ZEFF_1mm", "effective_z"),
        ("Electron_Density", "electron_density"),
        ("Uric_Acid", "uric_acid"),
        ("HAP_water", "hydroxyapatite"),
    ],
)
def test_no_underscore_hides_a_map(words: str, material: str) -> None:
    found = described(words)
    assert found.kind in KINDS_OF_MAPS
    assert found.material == material
    assert "not-hu" in frame_kind("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), description=words).flags


@pytest.mark.parametrize("level", [35.0, 130.0, 140.0, 200.0])
def test_every_level_that_scanners_make_is_read_from_the_attribute(level: float) -> None:
    made = Sequence([item(MonoenergeticEnergyEquivalent=level)])
    assert shown(MultienergyCTCharacteristicsSequence=made).energy_kev == level


@pytest.mark.parametrize(
    "words",
    [
        "Smart Prep Series",
        "Smart_Prep_Series",
        "CT_Monitoring_10.0",
        "PreMonitoring",
        "Monitoring 10.0",
        "小剂量测试",
    ],
)
def test_images_that_time_the_bolus_are_no_volumes(words: str) -> None:
    assert frame_kind("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), description=words).name == "bolus-tracking"


def test_mr_has_no_spectral_fields(header: Any) -> None:
    mr = header(np.zeros((4, 4), np.uint16), "MR")
    mr.SeriesDescription = "70 keV"
    (frame,) = frame_headers(mr)
    assert (frame.energy_kev, frame.spectral, frame.phase_word) == (None, "", "")


def test_a_map_brings_material_and_unit_along_as_facts(write_series: Any) -> None:
    stored = np.arange(32, dtype=np.uint16).reshape(2, 4, 4)
    words = {"SeriesDescription": "IODINE(WATER)", "RescaleIntercept": 0, "RescaleType": "100ug/cm3"}
    volume = load_volume(write_series(stored, common=words))
    assert (volume.quantity, volume.facts["material"], volume.facts["unit"]) == (
        "unspecified",
        "iodine",
        "100 ug/mL",
    )
    plain = load_volume(write_series(stored))
    assert not {"material", "unit", "spectral", "energy_kev"} & set(plain.facts)


@pytest.mark.parametrize(
    ("rescale_type", "slope", "description"),
    [
        ("MGML", 0.1, "Iodine Density"),
        ("10^-2 MGML", 10, "IODINE(WATER)"),
        (None, 0.1, "Iodine no Water[mg/ml*]"),
        ("100ug/cm3", 1, "2.5mm IODINE(WATER)"),
    ],
)
def test_files_of_each_dialect_read_as_2_4_mg_ml(
    write_series: Any, rescale_type: str | None, slope: float, description: str
) -> None:
    pixels = np.zeros((3, 8, 8), np.int16)
    pixels[1, 2:6, 2:6] = 24
    header = {"RescaleIntercept": 0, "RescaleSlope": slope, "RescaleType": rescale_type}
    volume = load_volume(write_series(pixels, common=header | {"SeriesDescription": description}))
    assert harmonize(volume).array.max() == pytest.approx(2.4)
