"""What the values of a frame are, by its header."""

from __future__ import annotations

import json

import pytest

from gclnm.images.dicom.frametypes import frame_kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("ORIGINAL\\PRIMARY\\M\\ND\\NORM", "image"),
        ("ORIGINAL\\PRIMARY\\M_SE\\M\\SE", "image"),
        ("ORIGINAL\\PRIMARY\\OTHER", "image"),
        ("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW", "trace"),
        ("DERIVED\\SECONDARY\\ADC", "adc"),
        ("DERIVED\\PRIMARY\\DIFFUSION\\FA", "map"),
        ("ORIGINAL\\PRIMARY\\PHASE MAP\\P\\FFE", "phase"),
        ("ORIGINAL\\PRIMARY\\P\\ND", "phase"),
        ("ORIGINAL\\PRIMARY\\R_FFE\\R\\FFE", "real"),
        ("ORIGINAL\\PRIMARY\\B0 MAP\\B0\\UNSPECIFIED", "field-map"),
        ("DERIVED\\PRIMARY\\M\\SUB", "subtraction"),
        ("DERIVED\\SECONDARY\\PROJECTION IMAGE\\MIP", "mip"),
        ("ORIGINAL\\PRIMARY\\LOCALIZER", "localizer"),
        ("DERIVED\\SECONDARY\\MPR", "reformat"),
        ("DERIVED\\PRIMARY\\T1 MAP\\T1", "map"),
    ],
)
def test_mr_frames(words, kind):
    assert frame_kind("MR", tuple(words.split("\\"))).name == kind


def test_the_complex_component_and_ge_raw_type_decide_where_words_do_not():
    plain = ("ORIGINAL", "PRIMARY", "OTHER")
    assert frame_kind("MR", plain, component="PHASE").name == "phase"
    assert frame_kind("MR", plain, component="MAGNITUDE").name == "image"
    assert frame_kind("MR", plain, ge_raw=2).name == "real"
    assert frame_kind("MR", plain, ge_raw=0).name == "image"


@pytest.mark.parametrize(
    ("rescale", "kind"),
    [("HU", "image"), ("US", "image"), ("", "image"), ("MGML", "material"), ("10^-2 Z_EFF", "material")],
)
def test_ct_rescale_types(rescale, kind):
    assert frame_kind("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), rescale_type=rescale).name == kind


def test_pet_projections_are_not_volumes():
    assert frame_kind("PT", ("DERIVED", "SECONDARY", "STATIC", "REPROJECTION")).reason
    assert not frame_kind("PT", ("ORIGINAL", "PRIMARY", "STATIC", "IMAGE")).reason


def test_maps_of_spectral_ct_are_never_taken_for_hu(data):
    rows = json.loads((data("enhanced") / "spectral_series_descriptions.json").read_text())["rows"]
    for row in rows:
        found = frame_kind("CT", ("DERIVED", "PRIMARY", "AXIAL"), description=row["text"])
        is_hu = row["kind"] in ("vmi", "polychromatic")
        assert ("not-hu" in found.flags) != is_hu, row["text"]


@pytest.mark.parametrize(
    "description", ["Thorax portal venous", "CT Abdomen with water as contrast", "Fatima"]
)
def test_ordinary_descriptions_are_no_maps(description):
    assert frame_kind("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), description=description).name == "image"
