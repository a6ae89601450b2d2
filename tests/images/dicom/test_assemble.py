"""Frames to volumes: what is split, how slices are sorted, what bars a volume from use."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.images.dicom.assemble import assemble
from gclnm.images.dicom.frames import FrameHeader

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def frame(k: int = 0, z: float | None = None, **changes) -> FrameHeader:
    """One slice; ``k`` is its identity, ``z`` its height (3 mm apart by default)."""
    base = FrameHeader(
        file=f"/d/{changes.get('sop_uid', k)}",
        sop_uid=f"s{k}",
        series_uid="1.2",
        patient_id="P",
        modality="MR",
        rows=8,
        columns=9,
        position=(0.0, 0.0, 3.0 * k if z is None else z),
        orientation=AXIAL,
        spacing=(1.0, 1.0),
        slice_thickness=3.0,
        instance_number=k,
    )
    return replace(base, **changes)


def splits(frames) -> dict[str, int]:
    return {volume.split: volume.size[2] for volume in assemble(frames)}


def repeated(times: int, slices: int = 4, **by_repeat) -> list[FrameHeader]:
    """``times`` frames at each of ``slices`` positions; ``by_repeat`` gives a value for each repeat."""
    frames = []
    for repeat in range(times):
        changes = {name: values(repeat) for name, values in by_repeat.items()}
        for k in range(slices):
            number = repeat * slices + k
            frames.append(frame(number, 3.0 * k, **{"instance_number": number, **changes}))
    return frames


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("b_nominal", lambda r: (0.0, 50.0, 800.0)[r], ["b=0", "b=50", "b=800"]),
        ("te_ms", lambda r: (2.3, 1.15, 4.6)[r], ["te=1.15", "te=2.3", "te=4.6"]),
        ("temporal_position", lambda r: r + 1, ["t=1", "t=2", "t=3"]),
        ("b_direction", lambda r: ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))[r], ["dir=1", "dir=2", "dir=3"]),
        ("energy_kev", lambda r: (40.0, 70.0, 100.0)[r], ["100keV", "40keV", "70keV"]),
        ("kind", lambda r: ("image", "phase", "real")[r], ["image", "phase", "real"]),
        ("acquisition_number", lambda r: r + 4, ["acq=4", "acq=5", "acq=6"]),
        ("content_time", lambda r: f"10{r}000.0", ["t=1", "t=2", "t=3"]),
        ("image_type", lambda r: ("O", "P", "WFI"[r]), ["type=1", "type=2", "type=3"]),
        ("trigger_time", lambda r: 100.0 * r, ["trigger=1", "trigger=2", "trigger=3"]),
    ],
)
def test_what_tells_volumes_apart(name, values, expected):
    if name == "b_nominal":
        frames = repeated(3, **{name: values, "b_value": values, "b_source": lambda _: "standard"})
    else:
        frames = repeated(3, **{name: values})
    found = splits(frames)
    assert sorted(found) == expected
    assert set(found.values()) == {4}


def test_two_reasons_to_split_combine():
    frames = repeated(4, te_ms=lambda r: (1.15, 2.3)[r % 2], temporal_position=lambda r: 1 + r // 2)
    assert sorted(splits(frames)) == ["te=1.15/t=1", "te=1.15/t=2", "te=2.3/t=1", "te=2.3/t=2"]


def test_times_of_their_own_for_each_slice_are_ranked_at_each_position():
    frames = repeated(3)
    frames = [replace(f, acquisition_time=f"{100000 + f.instance_number * 7}.0") for f in frames]
    found = assemble(frames)
    assert sorted(v.split for v in found) == ["t=1", "t=2", "t=3"]
    first = next(v for v in found if v.split == "t=1")
    assert first.sop_uids == ("s0", "s1", "s2", "s3")


def test_an_incomplete_time_point_is_split_off_and_flagged():
    frames = repeated(3, content_time=lambda r: f"10{r}000.0")
    del frames[5]
    flags = {volume.split: volume.flags for volume in assemble(frames)}
    assert flags == {"t=1": (), "t=2": ("missing-slice",), "t=3": ()}


def test_times_that_differ_between_slices_do_not_split_a_volume():
    frames = [frame(k, acquisition_time=f"10000{k}.0", acquisition_number=k) for k in range(6)]
    assert splits(frames) == {"": 6}


def test_a_missing_b_value_is_zero_where_others_are_weighted():
    frames = repeated(2)
    frames = [
        replace(f, b_value=800.0, b_nominal=800.0, b_source="standard") if f.instance_number >= 4 else f
        for f in frames
    ]
    volumes = {v.split: v.head for v in assemble(frames)}
    assert sorted(volumes) == ["b=0", "b=800"]
    assert (volumes["b=0"].b_value, volumes["b=0"].b_source) == (0.0, "implied")


def test_a_lone_ge_zero_is_no_diffusion():
    frames = [frame(k, b_value=0.0, b_nominal=0.0, b_source="ge") for k in range(4)]
    (volume,) = assemble(frames)
    assert volume.head.b_value is None


def test_a_user_b_value_groups_and_the_actual_one_is_kept():
    frames = repeated(2, b_nominal=lambda r: (0.0, 1000.0)[r], b_value=lambda r: (1.25, 928.3)[r])
    found = {v.split: v.head.b_value for v in assemble(frames)}
    assert found == {"b=0": 1.25, "b=1000": 928.3}


@given(st.randoms(use_true_random=False), st.integers(2, 30), st.floats(0, 360), st.floats(0, 180))
def test_slices_are_sorted_along_any_normal_whatever_their_order(rng: random.Random, n, azimuth, polar):
    a, p = np.radians(azimuth), np.radians(polar)
    normal = np.array([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)])
    row = np.cross(normal, (1, 0, 0) if abs(normal[0]) < 0.9 else (0, 1, 0))
    row /= np.linalg.norm(row)
    column = np.cross(normal, row)
    cosines = tuple(float(v) for v in (*row, *column))
    places = [np.array([10.0, -20.0, 30.0]) + 2.5 * k * normal for k in range(n)]
    frames = [
        frame(k, position=tuple(float(v) for v in place), orientation=cosines)
        for k, place in enumerate(places)
    ]
    rng.shuffle(frames)
    frames = [replace(f, file=f"/d/{k}", instance_number=rng.randrange(9999)) for k, f in enumerate(frames)]
    (volume,) = assemble(frames)
    assert volume.usable
    assert volume.sop_uids == tuple(f"s{k}" for k in range(n))
    assert volume.spacing == pytest.approx((1.0, 1.0, 2.5))
    assert np.array(volume.direction).reshape(3, 3)[:, 2] == pytest.approx(normal)
    assert volume.origin == pytest.approx((10.0, -20.0, 30.0))


def only(frames):
    (volume,) = assemble(frames)
    return volume


def test_a_gap_is_named_with_its_size():
    volume = only([frame(k) for k in (0, 1, 2, 5, 6, 8)])
    assert volume.flags == ("missing-slice",)
    assert volume.reason == "3 slices are missing at 2 places"


def test_a_tilted_gantry_is_seen_by_geometry_and_bars_use():
    frames = [frame(k, position=(0.0, 1.0 * k, 3.0 * k), modality="CT") for k in range(6)]
    volume = only(frames)
    assert volume.flags == ("gantry-tilt",)
    assert volume.reason == "slices are sheared by 18.4 degrees"
    tagged = only([frame(k, tilt=12.0, modality="CT") for k in range(6)])
    assert (tagged.flags, tagged.usable) == (("gantry-tilt",), True)


def test_stacks_shifted_sideways_bar_use():
    volume = only([frame(k, position=(50.0 * (k > 2), 0.0, 3.0 * k)) for k in range(6)])
    assert (volume.flags, volume.usable) == (("shifted-slices",), False)


@pytest.mark.parametrize(
    ("jitter", "flagged", "usable"), [(0.001, False, True), (0.12, True, True), (0.9, True, False)]
)
def test_uneven_slices_are_flagged_and_barred_when_far_off_the_grid(jitter, flagged, usable):
    heights = [0.0, 3.0, 6.0 + jitter, 9.0, 12.0]
    volume = only([frame(k, z) for k, z in enumerate(heights)])
    assert ("uneven-spacing" in volume.flags, volume.usable) == (flagged, usable)


def test_sizes_that_differ_bar_use():
    assert only([frame(0), frame(1, rows=16)]).flags == ("mixed-size",)
    assert not only([frame(0), frame(1, spacing=(2.0, 2.0))]).usable


def test_one_slice_is_a_volume_of_its_thickness():
    volume = only([frame(0)])
    assert (volume.usable, volume.flags, volume.spacing[2]) == (True, ("single-slice",), 3.0)


def test_a_scout_of_two_orientations_is_two_localizers():
    scouts = [frame(k, kind="localizer") for k in range(3)]
    sagittal = {"kind": "localizer", "orientation": SAGITTAL}
    scouts += [frame(k, position=(5.0 * k, 0.0, 0.0), **sagittal) for k in range(3, 5)]
    volumes = assemble(scouts)
    assert [(v.split, v.flags) for v in volumes] == [
        ("stack=1", ("localizer", "mixed-orientation")),
        ("stack=2", ("localizer", "mixed-orientation")),
    ]
    assert not any(v.usable for v in volumes)


def test_radial_slices_are_no_stack():
    angles = np.linspace(0, np.pi, 20, endpoint=False)
    frames = [
        frame(
            k, orientation=(float(np.cos(a)), float(np.sin(a)), 0.0, 0.0, 0.0, -1.0), position=(0.0, 0.0, 0.0)
        )
        for k, a in enumerate(angles)
    ]
    assert {flag for v in assemble(frames) for flag in v.flags} == {"mixed-orientation"}


def test_frames_of_one_multiframe_file_are_listed_by_number():
    frames = [frame(k, file="/d/m", sop_uid="m", frame=7 - k, n_frames=8) for k in range(8)]
    volume = only(frames)
    assert volume.ref.files == ("/d/m",)
    assert volume.ref.frames == (7, 6, 5, 4, 3, 2, 1, 0)
    assert volume.sop_uids == ("m",)


def spread(n_frames: int) -> list[FrameHeader]:
    """A volume over two multi-frame files of ``n_frames``, four of which belong to it."""
    return [
        frame(k, file=f"/d/{k // 4}", sop_uid=f"m{k // 4}", frame=k % 4, n_frames=n_frames) for k in range(8)
    ]


def test_whole_multiframe_files_make_one_volume_and_parts_of_several_none():
    whole, parts = only(spread(4)), only(spread(5))
    assert (whole.flags, whole.usable, whole.ref.files, whole.ref.frames) == ((), True, ("/d/0", "/d/1"), ())
    assert (parts.flags, parts.usable) == (("multi-file-multiframe",), False)


def test_slices_of_several_frames_of_reference_bar_use():
    assert only([frame(k, frame_uid=f"1.{k // 2}") for k in range(4)]).flags == ("mixed-frames",)


def test_frames_without_geometry_make_one_volume_that_cannot_be_used():
    frames = [frame(k, position=None, orientation=None, spacing=None) for k in range(5)]
    volume = only(frames)
    assert (volume.flags, volume.usable, volume.size) == (("no-geometry",), False, (9, 8, 5))


def test_copies_count_once_and_two_series_are_two_volumes():
    frames = [frame(k) for k in range(4)]
    copies = [replace(f, file="/cd" + f.file) for f in frames]
    assert splits(frames + copies) == {"": 4}
    other = [replace(f, series_uid="1.3", sop_uid="o" + f.sop_uid) for f in frames]
    assert [v.ref.volume_id for v in assemble(frames + other)] == ["1.2", "1.3"]


def test_unexplained_repeats_stay_together_and_bar_use():
    frames = repeated(2, instance_number=lambda _: 5)
    volume = only(frames)
    assert "duplicate-slice" in volume.flags
    assert not volume.usable
    assert volume.spacing[2] == 3.0


@given(
    st.lists(st.sampled_from(["te", "b", "t", "acq", "time"]), max_size=3), st.integers(1, 3), st.randoms()
)
def test_every_frame_lands_in_exactly_one_volume(reasons, times, rng):
    frames = repeated(
        times,
        te_ms=lambda r: 1.0 + r if "te" in reasons else None,
        b_nominal=lambda r: 400.0 * r if "b" in reasons else None,
        temporal_position=lambda r: r if "t" in reasons else None,
        acquisition_number=lambda r: rng.randrange(3) if "acq" in reasons else None,
        content_time=lambda r: f"10000{rng.randrange(9)}.0" if "time" in reasons else "",
    )
    rng.shuffle(frames)
    volumes = assemble(frames)
    assert sorted(uid for v in volumes for uid in v.sop_uids) == sorted(f.sop_uid for f in frames)
    assert len({v.ref.volume_id for v in volumes}) == len(volumes)
