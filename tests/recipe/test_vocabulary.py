"""The vocabulary: complete against pyradiomics and the IBSI, bounds and units that hold."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest

from gclnm import vocabulary
from gclnm.engines.upstream import quiet
from gclnm.errors import InputError


def test_it_holds_every_feature_of_pyradiomics_that_has_a_value() -> None:
    with quiet():
        from radiomics import getFeatureClasses

        classes = getFeatureClasses()
    without_value = {
        *("Homogeneity1", "Homogeneity2", "Dissimilarity", "SumVariance"),
        *("DependencePercentage",),
    }
    for family, calculator in classes.items():
        named = calculator.getFeatureNames()
        default = {name for name, deprecated in named.items() if not deprecated}
        assert set(vocabulary.names(family)) == default
        rest = set(vocabulary.names(family, every=True)) - default
        assert rest == set(named) - default - without_value - (
            {"GrayLevelNonUniformityNormalized"} if family == "gldm" else set()
        )
    assert set(classes) == set(vocabulary.FAMILIES)


def test_codes_and_tags_are_those_of_the_ibsi(data) -> None:
    with (data("ibsi") / "ibsi1_reference_values.csv").open() as handle:
        known = {row["tag"]: row["ibsi_code"] for row in csv.DictReader(handle)}
    for name, row in vocabulary.table().iterrows():
        if row["ibsi_tag"]:
            assert known[row["ibsi_tag"]] == row["ibsi_code"], name
        else:
            assert not row["ibsi_code"], name


def test_the_table_is_well_formed() -> None:
    with files("gclnm.vocabulary").joinpath("features.csv").open() as handle:
        assert {len(row) for row in csv.reader(handle)} == {12}


def test_codes_are_unique_and_every_row_is_explained() -> None:
    table = vocabulary.table()
    codes = table.loc[table["ibsi_code"] != "", "ibsi_code"]
    assert codes.is_unique
    assert (table["formula"].str.len() >= 5).all()
    assert (table["lower"] <= table["upper"]).all()
    assert table["source"].str.contains("doi").all()


def test_a_column_splits_into_image_family_and_feature() -> None:
    assert vocabulary.split("wavelet-LLH_firstorder_Mean") == ("wavelet-LLH", "firstorder", "Mean")
    assert vocabulary.split("original_shape_Sphericity").family == "shape"
    with pytest.raises(InputError, match="no feature"):
        vocabulary.split("original_shape_Sphericty")
    with pytest.raises(InputError):
        vocabulary.split("Sphericity")


def test_an_unknown_feature_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        vocabulary.feature("glcm_JointEntrpy")
    assert "glcm_JointEntropy" in caught.value.fix


def test_bounds_differ_where_the_image_cannot_be_negative() -> None:
    lower, upper = vocabulary.bounds(
        ["original_firstorder_Mean", "square_firstorder_Mean", "wavelet-HHH_firstorder_Minimum"]
    )
    assert lower.tolist() == [-np.inf, 0, -np.inf]
    assert np.isinf(upper).all()
    assert vocabulary.bounds([])[0].shape == (0,)


def test_units_follow_the_image() -> None:
    assert vocabulary.unit("original_firstorder_TotalEnergy", "SUVbw") == "SUVbw^2 mm^3"
    assert vocabulary.unit("lbp-2D_firstorder_Mean", "HU") == "1"
    assert vocabulary.unit("original_glcm_JointEntropy", "HU") == "bit"
