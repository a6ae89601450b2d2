"""Pairs that a table names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gclnm.catalog.pair import pair
from gclnm.errors import InputError


@pytest.fixture
def catalog(make: Any) -> Any:
    make.volume("ct", series_uid="1.2")
    make.volume("b0", series_uid="1.3", modality="MR")
    make.volume("b800", series_uid="1.3", modality="MR")
    make.volume("broken", usable=False, reason="a slice is missing")
    make.roi("GTV", rs="rs", file="/data/rs.dcm")
    make.roi("LN", rs="rs", file="/data/rs.dcm")
    make.roi("GTV", rs="ann", file="/data/ann.dcm", usable=False, reason="no contours")
    return make.catalog()


def codes(samples: Any) -> list[str]:
    return samples.unpaired["code"].tolist()


def test_a_row_pairs_an_image_and_a_mask_with_the_coordinates_it_gives(catalog):
    table = pd.DataFrame(
        {
            "Image": ["1.2", "b800"],
            "mask": ["/data/rs.dcm", "rs/2"],
            "label": ["gtv", ""],
            "roi": ["tumour", "node"],
            "rater": ["ann", ""],
            "patient_id": [7.0, 8.0],
            "arm": ["A", "B"],
        }
    )
    samples = pair(catalog, manifest=table)
    first, second = samples
    assert (first.coords["patient_id"], first.coords["roi"], first.coords["rater"]) == ("7", "tumour", "ann")
    assert (first.images["image"].volume_id, first.masks["roi"].label) == ("ct", 1)
    assert (second.coords["modality"], second.masks["roi"].label) == ("MR", 2)
    assert samples.query("arm == 'B'").table["roi"].tolist() == ["node"]
    assert set(samples.table["paired_by"]) == {"manifest"}


def test_paths_start_at_the_manifest(make, tmp_path):
    make.volume("v", kind="image", file=str(tmp_path / "p1" / "ct.nii.gz"), modality="")
    make.labelmap("", file="m")
    make.rois[0]["file"] = str(tmp_path / "p1" / "m.nii.gz")
    (tmp_path / "m.csv").write_text("image,mask,label,roi,modality\np1/ct.nii.gz,p1/m.nii.gz,1,GTV,pet\n")
    samples = pair(make.catalog(), manifest=tmp_path / "m.csv")
    assert samples.table["modality"].tolist() == ["PT"]
    assert samples[0].images["image"].modality == "PT"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"image": "nowhere"}, "missing-image"),
        ({"image": ""}, "no-image"),
        ({"mask": "nowhere.nii"}, "missing-mask"),
        ({"mask": ""}, "no-mask"),
        ({"image": "1.3"}, "several-volumes"),
        ({"image": "broken"}, "unusable-image"),
        ({"label": ""}, "which-label"),
        ({"label": "9"}, "no-such-label"),
        ({"mask": "ann"}, "unusable-roi"),
        ({"modality": "MR"}, "other-modality"),
    ],
)
def test_a_row_that_cannot_be_paired_is_listed_with_its_number(catalog, row, code):
    table = pd.DataFrame([{"image": "ct", "mask": "/data/rs.dcm", "label": "1", "modality": "", **row}])
    samples = pair(catalog, manifest=table)
    assert len(samples) == 0
    assert codes(samples) == [code]
    assert samples.unpaired.loc[0, "id"].startswith("row 2")


def test_rows_that_claim_one_place_are_both_refused_and_a_repeated_row_counts_once(catalog):
    table = pd.DataFrame({"image": ["ct"] * 3, "mask": ["rs"] * 3, "label": ["1", "2", "2"], "roi": "GTV"})
    samples = pair(catalog, manifest=table)
    assert codes(samples) == ["several-masks"] * 2
    assert "rows 2 and 3" in samples.unpaired.loc[0, "reason"]
    assert len(pair(catalog, manifest=table.assign(roi_instance=["1", "2", "2"]))) == 2


def test_roi_and_modality_choose_rows(catalog):
    table = pd.DataFrame({"image": ["ct", "b0"], "mask": "rs", "label": ["1", "2"], "roi": ["GTV", "LN"]})
    assert pair(catalog, "gtv", manifest=table).table["roi"].tolist() == ["GTV"]
    by_modality = pair(catalog, modality="MR", manifest=table)
    assert by_modality.table["roi"].tolist() == ["LN"]
    assert codes(by_modality) == ["other-modality"]
    with pytest.raises(InputError, match="'GTV'"):
        pair(catalog, "GVT", manifest=table)
    with pytest.raises(InputError, match="one name or pattern"):
        pair(catalog, {"roi": "GTV"}, manifest=table)


@pytest.mark.parametrize("text", ["img,mask\na,b\n", "", "image\tmask\n"])
def test_a_table_that_is_no_manifest_is_refused(catalog, tmp_path: Path, text):
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"column|read"):
        pair(catalog, manifest=path)


def test_a_manifest_that_is_not_there_is_refused(catalog):
    with pytest.raises(InputError, match="no such file"):
        pair(catalog, manifest="/nowhere/m.csv")
