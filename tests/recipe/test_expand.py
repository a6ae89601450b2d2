"""Rows that a recipe asks for: which images they are made of, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.catalog.samples import Samples
from gclnm.errors import RecipeError
from gclnm.images import MaskRef, Sample, VolumeRef
from gclnm.recipe import Recipe
from gclnm.recipe.expand import expand


def one(volume: str, modality: str = "CT", mask: str = "rs.dcm", **coords: Any) -> Sample:
    told = {"patient_id": "p", "roi": "GTV", "study_uid": "s", "phase": "unknown", "series_uid": volume}
    return Sample(
        {"image": VolumeRef(volume, "dicom", (f"{volume}.dcm",), modality=modality)},
        {"roi": MaskRef("rtstruct", mask, 1)},
        {**told, "paired_by": "acquisition", "modality": modality, **coords},
    )


def levels(*kev: float, **coords: Any) -> list[Sample]:
    told = {"energy_source": "standard", **coords}
    return [one(f"{coords.get('phase', '')}{e:g}", energy_kev=e, **told) for e in kev]


def made_of(sample: Sample) -> tuple[float | None, ...]:
    return tuple(ref.energy_kev for ref in sample.images.values())


def test_native_levels_stay_and_others_come_from_the_nearest_pair_around():
    rows = expand(levels(40, 70, 140), energies_kev=[40, 50, 70, 100, 140])
    found = [(row.coords["energy_kev"], row.derivation, made_of(row)) for row in rows.samples]
    assert found == [
        (40.0, "", (None,)),
        (50.0, "vmi 50 keV", (40.0, 70.0)),
        (70.0, "", (None,)),
        (100.0, "vmi 100 keV", (70.0, 140.0)),
        (140.0, "", (None,)),
    ]
    assert rows.samples[1].coords["energy_source"] == "derived from 40 and 70 keV"
    assert rows.samples[1].coords["derivation"] == "vmi 50 keV"
    assert list(rows.samples[1].images) == ["image", "high"]
    assert rows.refused == ()


def test_a_level_that_a_header_rounds_is_native_and_keeps_its_number():
    (row,) = expand(levels(69.7, 140), energies_kev=[70]).samples
    assert (row.derivation, row.coords["energy_kev"]) == ("", 70.0)
    assert row.coords["energy_source"] == "standard, 69.7 keV"


def test_outside_the_pair_only_by_the_flag_and_then_from_the_widest_pair():
    given_levels = levels(60, 80, 140)
    refused = expand(given_levels, energies_kev=[40, 50, 70])
    assert [row.coords["energy_kev"] for row in refused.samples] == [70.0]
    (refusal,) = refused.refused
    assert (refusal.code, refusal.severity) == ("outside-pair", "refused")
    assert refusal.reason == "40, 50 keV cannot be had: the levels reach from 60 to 140 keV"
    forty, seventy = expand(given_levels, energies_kev=[40, 70], extrapolate=True).samples
    assert made_of(forty) == (60.0, 140.0)
    assert made_of(seventy) == (60.0, 80.0)


def test_one_level_and_none_are_refused_and_say_how_to_pair():
    single = expand(levels(70), energies_kev=[40, 70])
    assert [row.derivation for row in single.samples] == [""]
    assert [(r.code, "acquisition" in r.fix) for r in single.refused] == [("one-level", True)]
    none = expand([one("a")], energies_kev=[40, 70])
    assert none.samples == ()
    assert [r.severity for r in none.refused] == ["info", "refused"]
    assert {r.code for r in none.refused} == {"no-energy"}


def test_two_images_of_one_level_are_no_choice_of_ours():
    twice = [*levels(40, 140), one("again", energy_kev=40.0)]
    rows = expand(twice, energies_kev=[40, 70, 140])
    assert [row.coords["energy_kev"] for row in rows.samples] == [140.0]
    assert rows.refused[0].reason == "40, 70 keV cannot be had: several images are of 40 keV"


@pytest.mark.parametrize(
    "difference", [{"phase": "arterial"}, {"kernel": "B70"}, {"roi_instance": "2"}, {"mask": "other.dcm"}]
)
def test_levels_of_different_phases_kernels_or_contours_make_no_pair(difference: dict[str, Any]):
    low = one("low", energy_kev=40.0)
    high = one("high", energy_kev=140.0, **difference)
    rows = expand([low, high], energies_kev=[70])
    assert rows.samples == ()
    assert {r.code for r in rows.refused} == {"one-level"}


def test_images_that_share_a_frame_only_need_a_phase_or_the_users_word():
    def pair(**coords: Any) -> list[Sample]:
        return levels(40, 140, paired_by="frame", **coords)

    lost = expand(pair(), energies_kev=[70])
    assert [r.code for r in lost.refused] == ["not-one-acquisition"]
    assert len(expand(pair(phase="arterial"), energies_kev=[70]).samples) == 1
    assert len(expand(pair(acquisition="1"), energies_kev=[70]).samples) == 1


def test_maps_of_iodine_and_water_give_levels_where_no_pair_does():
    maps = [one("i", material="iodine"), one("w", material="water")]
    (row,) = expand(maps, energies_kev=[70]).samples
    assert (list(row.images), row.derivation) == (["image", "water"], "vmi 70 keV")
    assert row.coords["energy_source"] == "derived from iodine and water"
    assert row.coords["material"] == ""
    assert [r.code for r in expand(maps[:1], energies_kev=[70]).refused] == ["no-energy"]


def test_a_corrected_level_replaces_the_derived_row_it_does_not_double_it():
    before = expand(levels(40, 140), energies_kev=[70]).samples[0]
    wrong = [one("40", energy_kev=45.0), one("140", energy_kev=140.0)]
    after = expand(wrong, energies_kev=[70]).samples[0]
    assert after.sample_id == before.sample_id
    assert made_of(after) != made_of(before)


kev = st.sampled_from([40.0, 45.0, 50.0, 65.0, 70.0, 100.0, 140.0])


@given(there=st.sets(kev, min_size=1), wanted=st.sets(kev, min_size=1), extrapolate=st.booleans())
def test_each_level_that_is_asked_for_is_a_row_or_a_refusal(there, wanted, extrapolate):
    rows = expand(levels(*sorted(there)), energies_kev=sorted(wanted), extrapolate=extrapolate)
    made = [row.coords["energy_kev"] for row in rows.samples]
    lost = {float(word) for r in rows.refused for word in r.reason.split(" keV cannot")[0].split(", ")}
    assert len(set(made)) == len(made)
    assert set(made) | lost == wanted
    assert not set(made) & lost
    assert len({row.sample_id for row in rows.samples}) == len(rows.samples)
    for row in rows.samples:
        if row.derivation and not extrapolate:
            low, high = made_of(row)
            assert low < row.coords["energy_kev"] < high


def test_all_b_values_make_one_adc_row_and_maps_are_left():
    dwi = [one(f"b{b}", "MR", b_value=float(b), sequence="DWI", paired_by="diffusion") for b in (800, 0, 400)]
    adc_map = one("map", "MR", b_value=float("nan"), sequence="ADC", paired_by="diffusion")
    rows = expand([*dwi, adc_map], derive="adc")
    (row,) = rows.samples
    assert {role: ref.b_value for role, ref in row.images.items()} == {
        "image": 0.0,
        "b=400": 400.0,
        "b=800": 800.0,
    }
    assert (row.derivation, row.coords["sequence"], row.coords["b_value"]) == ("adc", "ADC", None)
    assert [(r.code, r.severity) for r in rows.refused] == [("adc-map", "info")]


def test_directions_of_one_series_are_averaged_per_b_value():
    dirs = [
        one(f"d{n}", "MR", series_uid="dwi", split=f"b=800/dir={n}", b_value=800.0, paired_by="diffusion")
        for n in (2, 1, 3)
    ]
    (row,) = expand(
        [*dirs, one("b0", "MR", series_uid="dwi", split="b=0", b_value=0.0, paired_by="diffusion")],
        derive="adc",
    ).samples
    assert {role: ref.volume_id for role, ref in row.images.items()} == {
        "image": "b0",
        "b=800/1": "d1",
        "b=800/2": "d2",
        "b=800/3": "d3",
    }


def test_one_b_value_or_one_twice_gives_no_adc():
    def dwi(*b_values: float, paired_by: str = "diffusion") -> list[Sample]:
        return [one(f"{n}", "MR", b_value=b, paired_by=paired_by) for n, b in enumerate(b_values)]

    for given_images, code in (
        (dwi(800.0), "one-b-value"),
        (dwi(0.0, 800.0, 800.0), "same-b-value"),
        (dwi(0.0, 800.0, paired_by="frame"), "not-one-acquisition"),
    ):
        rows = expand(given_images, derive="adc")
        assert rows.samples == ()
        assert [r.code for r in rows.refused] == [code]


def test_each_later_time_point_is_compared_with_the_first_of_its_series():
    points = [one(f"t{n}", "MR", series_uid="dce", split=f"t={n}", paired_by="frame") for n in (3, 1, 2)]
    other = one("t2w", "MR", paired_by="frame")
    rows = expand([*points, other], derive="enhancement")
    assert [(row.images["image"].volume_id, row.images["pre"].volume_id) for row in rows.samples] == [
        ("t2", "t1"),
        ("t3", "t1"),
    ]
    assert [(r.code, r.severity) for r in rows.refused] == [("no-time-point", "info")]


def test_series_of_their_own_are_ordered_by_phase():
    phases = ("arterial", "native", "portal_venous")
    series = [one(phase, "MR", phase=phase, paired_by="frame") for phase in phases]
    rows = expand(series, derive="subtraction").samples
    assert [(row.coords["phase"], row.images["pre"].volume_id) for row in rows] == [
        ("arterial", "native"),
        ("portal_venous", "native"),
    ]
    assert {row.derivation for row in rows} == {"subtraction"}
    lost = expand(series[:1], derive="subtraction")
    assert [r.code for r in lost.refused] == ["no-pre"]
    assert [r.code for r in expand([series[1]], derive="subtraction").refused] == ["no-post"]


def test_samples_keep_what_cannot_be_made_and_the_names_of_their_rois():
    low, high = levels(40, 140)
    names = {low.sample_id: ("GTV-1", "rs/1"), high.sample_id: ("GTV-1", "rs/1")}
    recipe = Recipe.named("ct").with_(energies_kev=[30 + 10 * n for n in range(1, 3)] + [150])
    made = recipe.expand(Samples((low, high), names=names))
    assert isinstance(made, Samples)
    assert made.table["derivation"].fillna("").tolist() == ["", "vmi 50 keV"]
    assert made.table["roi_name"].tolist() == ["GTV-1"] * 2
    assert made.unpaired[["kind", "name", "code"]].to_numpy().tolist() == [["row", "GTV", "outside-pair"]]
    assert recipe.expand([low, high]) == list(made)


def test_levels_are_numbers_with_or_without_their_unit_sorted_and_known():
    recipe = Recipe.named("ct").with_(energies_kev=["70 keV", 40, 70])
    assert recipe.energies_kev == (40.0, 70.0)
    assert recipe.id != Recipe.named("ct").id
    with pytest.raises(RecipeError, match=r"energies_kev\.0"):
        recipe.with_(energies_kev=[30])
    with pytest.raises(RecipeError, match="not both"):
        recipe.with_(derive="adc")
