"""What the catalog calls usable is what loads, and what it does not is refused for the same reason."""

from __future__ import annotations

import pytest

from gclnm.catalog.scan import scan
from gclnm.errors import GclnmError, GeometryError, ReadError
from gclnm.images.dicom.frametypes import KINDS
from gclnm.images.load import load_own_grid, load_volume

# Images of something else load, to be looked at; so does what has no place in space, on an index grid.
NOT_GEOMETRY = {kind.reason for kind in KINDS.values() if kind.reason}


def _outcome(ref) -> str:
    try:
        volume = load_volume(ref)
    except (GeometryError, ReadError) as error:
        return error.what
    return "no place in space" if volume.facts.get("geometry_assumed") else ""


@pytest.mark.parametrize("folder", ["dwi", "enhanced", "mr_raw", "abdomen", "pet_real", "ibsi", "sts"])
def test_a_volume_is_usable_exactly_if_it_loads_on_a_grid(data, folder):
    catalog = scan(data(folder), progress=False)
    wrong = []
    for row in catalog.volumes.to_dict("records"):
        reasons = set(filter(None, row["reason"].split("; "))) - NOT_GEOMETRY
        outcome = _outcome(catalog.volume_ref(row["volume_id"]))
        if bool(reasons) != bool(outcome) or outcome not in {"", "no place in space", *reasons}:
            wrong.append((row["folder"], row["split"], reasons, outcome))
    assert not wrong


def test_the_grid_of_the_catalog_is_the_grid_that_loads(data):
    for folder in ("dwi", "mr_raw", "pet_real"):
        catalog = scan(data(folder), progress=False)
        for row in catalog.volumes[catalog.volumes["usable"]].to_dict("records"):
            grid = load_volume(catalog.volume_ref(row["volume_id"])).geometry
            assert grid.size == (row["columns"], row["rows"], row["n_slices"])
            assert grid.spacing_mm == tuple(row[f"spacing_{axis}_mm"] for axis in "xyz")
            assert grid.origin_mm == tuple(row[f"origin_{axis}_mm"] for axis in "xyz")
            assert grid.frame_uid == row["frame_uid"]


def test_label_maps_are_usable_exactly_if_they_load(data):
    catalog = scan(data("ibsi"), progress=False)
    for row in catalog.segmentations.query("kind != 'rtstruct'").to_dict("records"):
        try:
            loaded = load_own_grid(catalog.mask_ref(row["segmentation_id"])).n_voxels > 0
        except GclnmError:
            loaded = False
        assert loaded == row["usable"], row["file"]
