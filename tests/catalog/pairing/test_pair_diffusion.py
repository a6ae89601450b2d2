"""A contour drawn on one b-value reaches the others and the ADC map; nothing else of the study."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.catalog.pair import pair
from gclnm.catalog.samples import Samples
from gclnm.recipe import Recipe

NAN = float("nan")


def study(make: Any, drawn_on: str = "b800") -> Samples:
    """Three b-values in two series, the scanner's ADC map, another grid, another study, a T2."""
    told: dict[str, dict[str, Any]] = {
        "b0": {"b_value_s_mm2": 0.0, "series_uid": "dwi", "split": "b=0"},
        "b800": {"b_value_s_mm2": 800.0, "series_uid": "dwi", "split": "b=800"},
        "b400": {"b_value_s_mm2": 400.0},
        "adc": {"image_type": "DERIVED\\SECONDARY\\ADC", "sequence": "ADC"},
        "fine": {"b_value_s_mm2": 1000.0, "spacing_x_mm": 0.5},
        "elsewhere": {"b_value_s_mm2": 600.0, "study_uid": "other"},
        "moved": {"b_value_s_mm2": 600.0, "frame_uid": "other frame"},
        "t2": {},
    }
    for name, columns in told.items():
        make.volume(name, modality="MR", **{"image_type": "ORIGINAL\\PRIMARY", **columns})
    make.roi("GTV", on=drawn_on)
    return pair(make.catalog(), "GTV", on="diffusion")


def found(samples: Samples) -> dict[str, str]:
    return dict(zip(samples.table["volume_id"], samples.table["paired_by"], strict=True))


@pytest.mark.parametrize("drawn_on", ["b800", "b0", "adc"])
def test_every_b_value_and_the_map_of_one_grid_get_the_contour(make: Any, drawn_on: str) -> None:
    assert found(study(make, drawn_on)) == {
        name: "reference" if name == drawn_on else "diffusion" for name in ("b0", "b400", "b800", "adc")
    }


def test_a_contour_on_no_diffusion_image_is_refused(make: Any) -> None:
    samples = study(make, "t2")
    assert len(samples) == 0
    refused = samples.unpaired[samples.unpaired["severity"] == "refused"]
    assert refused["code"].tolist() == ["no-diffusion"]


def test_what_is_paired_so_makes_one_adc_row(make: Any) -> None:
    recipe = Recipe.named("mr-adc").with_(derive="adc")
    rows = recipe.expand(study(make))
    assert rows.table["derivation"].tolist() == ["adc"]
    assert {role: ref.b_value for role, ref in rows[0].images.items()} == {
        "image": 0.0,
        "b=400": 400.0,
        "b=800": 800.0,
    }
    left = rows.unpaired.set_index("code").loc["adc-map"]
    assert (left["severity"], left["kind"]) == ("info", "row")
