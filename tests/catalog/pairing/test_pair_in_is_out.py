"""Whatever a catalog holds, every ROI that fits is in a sample or in the list of refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclnm.catalog.pair import pair
from gclnm.catalog.pairing.names import RoiPattern, normalise, number_keys
from gclnm.errors import InputError

NAMES = ["GTV", "gtv", "GTV1", "GTV 2", "GTV_Mass", "ＧＴＶ", "LN", "Aorta", "GTV_12345"]
PATTERNS: list[Any] = [
    "GTV",
    "GTV.*",
    r"GTV.?(?P<instance>\d?)",
    r"(?P<roi>gtv|ln).*",
    {"roi": "GTV.*", "aorta": "Aorta|LN"},
]

volumes = st.lists(
    st.fixed_dictionaries(
        {
            "patient_id": st.sampled_from(["p1", "p2"]),
            "frame_uid": st.sampled_from(["f1", "f2", ""]),
            "series_uid": st.sampled_from(["s1", "s2"]),
            "modality": st.sampled_from(["CT", "PT"]),
            "acquisition_time": st.sampled_from(["101010", "101020", ""]),
            "spacing_z_mm": st.sampled_from([3.0, 1.0]),
            "usable": st.booleans(),
            "reason": st.just("a slice is missing"),
        }
    ),
    max_size=4,
)
rois = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["rtstruct", "seg", "labelmap"]),
            "name": st.sampled_from(NAMES),
            "rs": st.sampled_from(["a", "b", "c"]),
            "patient_id": st.sampled_from(["p1", "p2"]),
            "frame_uid": st.sampled_from(["f1", "f2", ""]),
            "number": st.integers(1, 4),
            "approval": st.sampled_from(["APPROVED", "UNAPPROVED", ""]),
            "created": st.sampled_from(["20240101", "20240301", ""]),
            "referenced_series_uid": st.sampled_from(["s1", "s2", "gone", ""]),
            "referenced_volume_id": st.sampled_from(["", "", "v0", "gone"]),
            "usable": st.booleans(),
            "size": st.sampled_from(["6 5 4", "", "x"]),
            "drawn": st.sampled_from([(), ("v0.0", "v0.1"), ("v1.0",), ("v0.0", "v1.0"), ("gone",)]),
        }
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    volumes=volumes,
    rois=rois,
    roi=st.sampled_from(PATTERNS),
    on=st.sampled_from(["reference", "acquisition", "geometry", "frame"]),
    modality=st.sampled_from([None, "CT"]),
    rater=st.sampled_from([None, "/([ab])[.]dcm", {"a": "x"}]),
    prefer=st.sampled_from([None, "approved", "newest"]),
)
def test_what_goes_in_comes_out(new_make, volumes, rois, roi, on, modality, rater, prefer):
    make = new_make()
    for place, columns in enumerate(volumes):
        make.volume(f"v{place}", **columns)
    for columns in rois:
        drawn = columns.pop("drawn")
        make.roi(columns.pop("name"), on=drawn, rs=columns.pop("rs"), direction="1 0 0 0 1 0 0 0 1",
                 spacing="1 1 3", origin="0 0 0", **columns)  # fmt: skip
    catalog = make.catalog()
    try:
        samples = pair(catalog, roi, on=on, modality=modality, rater=rater, prefer=prefer)
    except InputError:
        # Nothing fits, or there is no image of the modality: said, so nothing is lost.
        return
    main = RoiPattern("roi", roi if isinstance(roi, str) else roi["roi"])
    unique = catalog.segmentations.drop_duplicates("segmentation_id")
    going_in = {
        key for key, name in zip(unique["segmentation_id"], unique["name"], strict=True) if main.matches(name)
    }
    listed = samples.unpaired[samples.unpaired["kind"] != "volume"]
    coming_out = set(samples.table["segmentation_id"]) | set(listed["id"])
    assert going_in <= coming_out
    assert (listed["reason"] != "").all()
    assert samples.table["sample_id"].is_unique
    wanted = catalog.volumes[catalog.volumes["modality"].isin(["CT"] if modality else ["CT", "PT"])]
    images = samples.unpaired[samples.unpaired["kind"] == "volume"]
    assert sorted([*set(samples.table["volume_id"]), *images["id"]]) == sorted(wanted["volume_id"])
    assert repr(samples)
    assert samples._repr_html_()


@given(st.text(max_size=40))
def test_any_text_is_a_name_that_matches_itself_or_is_refused(name):
    if not normalise(name):
        with pytest.raises(InputError):
            RoiPattern("roi", name)
        return
    pattern = RoiPattern("roi", name)
    assert pattern.matches(name)
    assert pattern.matches(f" {name} ")


@given(st.lists(st.text("LN_ 0123456789", min_size=1, max_size=8), min_size=1, max_size=5))
def test_numbers_in_names_are_short_and_never_mix_different_shapes(names):
    keys = number_keys(names)
    if keys is None:
        return
    assert all(len(value) <= 3 for value in keys.values())
    letters = {"".join(c for c in normalise(name).casefold() if c.isalpha()) for name in names}
    assert len(letters) == 1
