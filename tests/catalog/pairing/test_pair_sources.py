"""Two diffusion acquisitions of one grid in one study: the sources that maps name tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from gclnm.catalog.pair import pair
from gclnm.catalog.samples import Samples
from gclnm.recipe import Recipe

ORIGINAL, TRACE, ADC = (
    "ORIGINAL\\PRIMARY\\DIFFUSION",
    "DERIVED\\PRIMARY\\TRACEW",
    "DERIVED\\PRIMARY\\ADC",
)


def dwi(make: Any, name: str, *levels: float, **columns: Any) -> None:
    for b in levels:
        told = {"series_uid": name, "split": f"b={b:g}", "b_value_s_mm2": b, "image_type": ORIGINAL}
        make.volume(f"{name}/b={b:g}", modality="MR", **{**told, **columns})


def adc(make: Any, name: str, *sources: str, **columns: Any) -> None:
    told = {"image_type": ADC, "sequence": "ADC", "source_volume_id": ";".join(sources)}
    make.volume(name, modality="MR", **{**told, **columns})


def paired(make: Any, drawn_on: str) -> Samples:
    make.roi("GTV", on=drawn_on)
    return pair(make.catalog(), "GTV", on="diffusion")


def volumes(samples: Samples) -> set[str]:
    return set(samples.table["volume_id"])


def told(samples: Samples) -> list[str]:
    """Codes of the rows about ROIs."""
    listed = samples.unpaired
    return listed[listed["kind"] != "volume"]["code"].tolist()


@pytest.mark.parametrize("n", ["1", "2"])
@pytest.mark.parametrize("drawn_on", ["dwi{}/b=0", "dwi{}/b=800", "adc{}"])
def test_each_contour_reaches_the_map_of_its_own_acquisition(make: Any, drawn_on: str, n: str) -> None:
    for k in "12":
        dwi(make, f"dwi{k}", 0, 800)
        adc(make, f"adc{k}", f"dwi{k}/b=0", f"dwi{k}/b=800")
    samples = paired(make, drawn_on.format(n))
    assert volumes(samples) == {f"dwi{n}/b=0", f"dwi{n}/b=800", f"adc{n}"}
    assert told(samples) == []
    assert len(Recipe.named("mr-adc").with_(derive="adc").expand(samples)) == 1


def test_without_references_the_fit_of_two_acquisitions_is_refused(make: Any) -> None:
    for k in "12":
        dwi(make, f"dwi{k}", 0, 800)
        adc(make, f"adc{k}")
    samples = paired(make, "dwi1/b=800")
    assert len(samples) == 6
    rows = Recipe.named("mr-adc").with_(derive="adc").expand(samples)
    assert len(rows) == 0
    assert "refused" in set(rows.unpaired["severity"])


def test_a_b_value_that_the_map_does_not_name_goes_with_its_series(make: Any) -> None:
    for k in "12":
        dwi(make, f"dwi{k}", 0, 400, 800)
        adc(make, f"adc{k}", f"dwi{k}/b=800")
    assert volumes(paired(make, "dwi2/b=0")) == {"dwi2/b=0", "dwi2/b=400", "dwi2/b=800", "adc2"}


def test_a_trace_image_without_references_goes_with_the_only_acquisition(make: Any) -> None:
    dwi(make, "dwi", 0, 800)
    adc(make, "adc", "dwi/b=0", "dwi/b=800")
    dwi(make, "trace", 800, image_type=TRACE)
    everything = {"dwi/b=0", "dwi/b=800", "adc", "trace/b=800"}
    assert volumes(paired(make, "trace/b=800")) == everything


@pytest.mark.parametrize("second_map", [True, False])
def test_a_map_is_no_partner_of_an_acquisition_that_it_does_not_name(make: Any, second_map: bool) -> None:
    for k in "12":
        dwi(make, f"dwi{k}", 0, 800)
    adc(make, "adc1", "dwi1/b=0", "dwi1/b=800")
    if second_map:
        adc(make, "adc2")
    samples = paired(make, "dwi2/b=0")
    assert volumes(samples) == {"dwi2/b=0", "dwi2/b=800"} | ({"adc2"} if second_map else set())
    assert told(samples) == ["other-sources"]


def test_an_image_that_may_be_of_either_acquisition_reaches_neither_map_and_says_so(make: Any) -> None:
    for k in "12":
        dwi(make, f"dwi{k}", 0, 800)
        adc(make, f"adc{k}", f"dwi{k}/b=0", f"dwi{k}/b=800")
    dwi(make, "trace", 800, image_type=TRACE)
    samples = paired(make, "trace/b=800")
    assert volumes(samples) == {"trace/b=800"}
    assert told(samples) == ["other-sources"]


def test_missing_sources_leave_it_to_geometry_and_are_told_where_that_is_ambiguous(make: Any) -> None:
    dwi(make, "dwi", 0, 800)
    adc(make, "adc1", flags="derived-map;missing-source")
    adc(make, "adc2", flags="derived-map;missing-source")
    samples = paired(make, "dwi/b=800")
    assert volumes(samples) == {"dwi/b=0", "dwi/b=800", "adc1", "adc2"}
    assert told(samples) == ["missing-source"]
    assert samples.unpaired.set_index("code").loc["missing-source", "severity"] == "info"


def test_one_map_whose_sources_are_missing_is_no_news(make: Any) -> None:
    dwi(make, "dwi", 0, 800)
    adc(make, "adc", flags="derived-map;missing-source")
    samples = paired(make, "dwi/b=800")
    assert len(samples) == 3
    assert told(samples) == []


@pytest.mark.parametrize(("frame", "reached"), [("frame", True), ("other", False), ("", False)])
def test_a_named_source_reaches_a_map_on_a_finer_grid_of_its_frame(
    make: Any, frame: str, reached: bool
) -> None:
    dwi(make, "dwi", 0, 800)
    adc(make, "fine", "dwi/b=0", "dwi/b=800", spacing_x_mm=0.5, columns=12, frame_uid=frame)
    assert ("fine" in volumes(paired(make, "dwi/b=800"))) is reached


def test_a_map_of_two_maps_joins_what_they_were_made_of(make: Any) -> None:
    # Listed before what it names: order does not count.
    adc(make, "adc", "trace/b=800", "dwi1/b=0")
    dwi(make, "trace", 800, image_type=TRACE, source_volume_id="dwi1/b=800")
    for k in "12":
        dwi(make, f"dwi{k}", 0, 800)
    assert volumes(paired(make, "dwi1/b=0")) == {"adc", "trace/b=800", "dwi1/b=0", "dwi1/b=800"}
