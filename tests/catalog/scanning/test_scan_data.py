"""Scans of the reference data, against what their READMEs and expected.json say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gclnm.catalog.scan import scan


@pytest.fixture(scope="module")
def dwi(data):
    return scan(data("dwi"), progress=False)


@pytest.fixture(scope="module")
def mr_raw(data):
    return scan(data("mr_raw"), progress=False)


def rows(catalog, folder: str):
    """Volumes whose files lie in a folder."""
    return catalog.volumes[catalog.volumes["folder"].map(lambda f: Path(f).name) == folder]


def test_the_sarcoma_cohort_has_48_volumes_and_48_regions(data):
    catalog = scan(data("sts"), progress=False)
    assert catalog.volumes["usable"].sum() == 48
    assert catalog.volumes["modality"].value_counts().to_dict() == {"CT": 16, "PT": 16, "MR": 16}
    assert len(catalog.segmentations) == 48
    assert catalog.segmentations["usable"].all()
    assert catalog.problems.empty
    assert set(catalog.segmentations["name"]) == {"GTV_Mass_CT", "GTV_Mass_PET", "GTV_Mass_MR_T1"}
    first = catalog.volumes.query("patient_id == 'STS_001' and modality == 'CT'").iloc[0]
    assert (first["rows"], first["columns"], first["n_slices"]) == (202, 198, 59)
    assert first["spacing_z_mm"] == pytest.approx(3.27, abs=1e-6)
    assert (first["kernel"], first["kvp"]) == ("SOFT", 140)
    contours = catalog.segmentations.query("patient_id == 'STS_001'")["n_contours"]
    assert contours.tolist() == [32, 32, 32]


@pytest.mark.parametrize(
    ("folder", "levels"),
    [
        ("ge_signa_pioneer", {0: 2, 1000: 4}),
        ("ge_signa_pioneer_mb", {0: 1, 1000: 1}),
        ("philips_achieva_dstream", {0: 2, 2000: 4}),
        ("canon_galan_v60", {0: 3, 1500: 6}),
        ("uih_umr770_vframe", {1.252: 20, 928.289: 40}),
        ("siemens_prisma_mosaic", {0: 25, 1000: 50}),
    ],
)
def test_b_values_of_classic_dialects(dwi, folder, levels):
    table = rows(dwi, folder)
    found: dict[float, int] = {}
    for b, n in zip(table["b_value_s_mm2"], table["n_slices"], strict=True):
        found[round(b, 3)] = found.get(round(b, 3), 0) + n
    assert found == levels


def test_near_zero_b_values_are_one_group_and_keep_their_value(dwi):
    table = rows(dwi, "philips_elition_near_zero_b")
    zero = table[table["split"].str.startswith("b=0/")]
    assert sorted(zero["b_value_s_mm2"].round(4)) == [0, 0.001, 0.002, 0.003, 0.004]
    assert (table["b_value_s_mm2"] == 1000).sum() == 2


def test_b_values_of_siemens_enhanced_frames(dwi):
    table = rows(dwi, "siemens_xa30_enhanced")
    raw = table[table["image_type"] == r"ORIGINAL\PRIMARY\DIFFUSION\NONE"]
    assert sorted(raw["b_value_s_mm2"]) == [0, 2500, 2500]
    assert set(raw["n_slices"]) == {39}
    assert raw["usable"].all()
    adc = table[table["flags"] == "derived-map"].iloc[0]
    assert adc["usable"]
    assert adc["b_value_s_mm2"] != adc["b_value_s_mm2"]
    trace = table[table["image_type"].str.endswith("TRACEW")].iloc[0]
    assert trace["b_value_s_mm2"] == 2500


def test_tiled_diffusion_is_read_as_volumes(dwi):
    for folder, slices in (("siemens_prisma_mosaic", 25), ("uih_umr770_vframe", 20)):
        table = rows(dwi, folder)
        assert set(table["n_slices"]) == {slices}
        assert set(table["flags"]) == {""}
        assert table["usable"].all()


def test_dynamic_series_without_temporal_tags_split_by_time(mr_raw):
    table = rows(mr_raw, "breast_dce_t1fs_ge_genesis_1p5T")
    assert table["n_slices"].tolist() == [6, 6, 6]
    assert sorted(table["split"]) == ["t=1", "t=2", "t=3"]
    assert table["usable"].all()
    assert set(table["orientation"]) == {"sagittal"}
    assert table["spacing_z_mm"].tolist() == pytest.approx([2.0] * 3, abs=1e-5)


def test_field_strength_in_gauss_becomes_tesla(mr_raw):
    strengths = mr_raw.volumes.query("kind == 'dicom'").set_index("folder")["field_strength_t"]
    expected = {folder: 3.0 if folder.endswith("3T") else 1.5 for folder in strengths.index}
    assert strengths.to_dict() == expected


def test_an_adc_map_is_usable_and_flagged_and_has_no_b_value(mr_raw):
    (row,) = rows(mr_raw, "abdomen_adc_titan_1p5T").to_dict("records")
    assert (row["usable"], row["flags"]) == (True, "derived-map")
    assert row["b_value_s_mm2"] != row["b_value_s_mm2"]


def test_slices_lie_as_far_apart_as_their_positions_not_as_thick_as_they_are(mr_raw):
    (row,) = rows(mr_raw, "abdomen_t2_titan_1p5T").to_dict("records")
    assert (row["spacing_z_mm"], row["slice_thickness_mm"]) == (pytest.approx(8.0), 7.0)


def test_quantities_that_are_no_signal_and_no_hu_are_never_usable(data):
    table = scan(data("enhanced"), progress=False).volumes
    perfusion = table[table["modality"] == "CT"].iloc[0]
    assert (perfusion["usable"], perfusion["flags"]) == (False, "derived-map;not-hu")
    fields = table[table["split"] == "field-map"].iloc[0]
    assert (fields["n_slices"], fields["usable"]) == (32, False)
    magnitude = table[table["split"] == "image"].iloc[0]
    assert (magnitude["n_slices"], magnitude["usable"], magnitude["te_ms"]) == (32, True, 1.52)
    label = table[table["image_type"].str.contains("PERFUSION") & (table["modality"] == "MR")].iloc[0]
    assert not label["usable"]


@pytest.mark.parametrize("folder", ["dwi", "mr_raw", "abdomen"])
def test_every_case_of_the_expectations_is_in_the_catalog(data, folder):
    place = data(folder)
    catalog = scan(place, progress=False)
    expected = json.loads((place / "expected.json").read_text())
    for case, facts in expected.items():
        if not (place / case).is_dir():
            continue
        found = scan(place / case, progress=False)
        slices = int(found.volumes["n_slices"].sum())
        frames = sum(
            int(shape.split("x")[0]) if shape.count("x") == 2 else 1
            for shape in facts["shape"] * (len(facts["files"]) if len(facts["shape"]) == 1 else 1)
        )
        # A picture of tiles is as many slices.
        frames *= {"siemens_prisma_mosaic": 25, "uih_umr770_vframe": 20}.get(case, 1)
        assert slices == frames, case
        assert found.problems.query("severity == 'error'").empty, case
    assert catalog.problems.query("severity == 'error'").empty


def test_compressed_twins_are_copies_of_one_object(data):
    catalog = scan(data("abdomen"), progress=False)
    assert catalog.problems.query("code == 'copy'")["what"].tolist() == [
        "3 objects are copies of others of the same SOPInstanceUID and count once, by their"
        " headers: they are encoded otherwise, and their pixels are not compared"
    ]
    venous = rows(catalog, "siemens_mct_venous_j2k").iloc[0]
    assert (venous["n_slices"], venous["spacing_z_mm"], venous["kernel"]) == (20, 2.0, "Br38f\\3")


def test_raw_pet_with_its_structure_sets(data):
    catalog = scan(data("pet_real"), progress=False)
    pet = catalog.volumes.query("kind == 'dicom'")
    assert sorted(pet["n_slices"]) == [48, 59]
    assert sorted(pet["units"]) == ["BQML", "GML"]
    rois = catalog.segmentations.query("kind == 'rtstruct'").set_index("name")
    assert rois.loc["GTV_Mass", "n_contours"] == 32
    # The second patient's structure set was drawn on another series of the same scan.
    assert catalog.problems["code"].tolist().count("missing-series") == 1
