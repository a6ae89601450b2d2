"""Pictures of tiles: where each slice lies, and what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import gclnm
from gclnm.errors import ReadError
from gclnm.images.dicom.frames import frame_headers
from gclnm.images.dicom.tiles import tiling
from gclnm.images.load import load_volume


def csa(**entries: tuple[str, ...]) -> bytes:
    """A Siemens CSA header (SV10)."""
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<2I", len(entries), 77)
    for label, texts in entries.items():
        out += struct.pack("<64si4s3i", label.encode(), len(texts), b"FD\0\0", 3, len(texts), 77)
        for text in texts:
            value = text.encode() + b"\0"
            out += struct.pack("<4i", len(value), len(value), 77, len(value)) + value
            out += b"\0" * (-len(value) % 4)
    return out


def mosaic(normal: tuple[str, ...] = ("0.0", "0.0", "-1.0"), count: int = 3) -> Dataset:
    dataset = Dataset()
    dataset.Modality, dataset.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    dataset.Rows, dataset.Columns = 6, 8
    dataset.ImagePositionPatient = [-10.0, -20.0, 30.0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SpacingBetweenSlices = [2.0, 1.0], 5.0
    dataset.add_new((0x0019, 0x0010), "LO", "SIEMENS MR HEADER")
    dataset.add_new((0x0019, 0x100A), "US", count)
    dataset.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
    dataset.add_new((0x0029, 0x1010), "OB", csa(SliceNormalVector=normal))
    return dataset


def test_tiles_of_a_mosaic_are_shifted_by_half_of_what_it_is_larger_and_follow_its_normal():
    frames = frame_headers(mosaic())
    assert [(frame.rows, frame.columns, frame.frame) for frame in frames] == [
        (3, 4, 0),
        (3, 4, 1),
        (3, 4, 2),
    ]
    # The picture is 4 columns of 1 mm and 3 rows of 2 mm larger than a tile.
    assert [frame.position for frame in frames] == [(-8, -17, 30), (-8, -17, 25), (-8, -17, 20)]


def test_the_number_of_tiles_may_stand_in_the_csa_header_alone():
    dataset = mosaic()
    del dataset[0x0019, 0x100A]
    dataset[0x0029, 0x1010].value = csa(NumberOfImagesInMosaic=("2",), SliceNormalVector=("0", "0", "1"))
    assert len(frame_headers(dataset)) == 2


@pytest.mark.parametrize("missing", ["SpacingBetweenSlices", "PixelSpacing", "ImagePositionPatient", "csa"])
def test_a_mosaic_without_places_is_one_refused_picture(missing):
    dataset = mosaic()
    if missing == "csa":
        dataset[0x0029, 0x1010].value = b"garbage"
    else:
        del dataset[missing]
    (frame,) = frame_headers(dataset)
    assert (frame.tiles, frame.frame) == ("mosaic", None)


@pytest.mark.parametrize("count", [0, 5, 60000])
def test_a_count_that_does_not_fit_the_picture_is_refused(count):
    (frame,) = frame_headers(mosaic(count=count))
    assert frame.tiles == "mosaic"


def test_a_vframe_gives_the_place_of_each_tile_itself():
    dataset = Dataset()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    dataset.Rows, dataset.Columns = 4, 9
    dataset.add_new((0x0065, 0x0010), "LO", "Image Private Header")
    dataset.add_new((0x0065, 0x1050), "DS", "6")
    items = []
    for k in range(6):
        item = Dataset()
        item.ImagePositionPatient = [1.0, 2.0, 4.0 * k]
        items.append(item)
    dataset.add_new((0x0065, 0x1051), "SQ", Sequence(items))
    found = tiling(dataset)
    assert (found.across, found.down, found.rows, found.columns) == (3, 2, 2, 3)
    assert found.positions[5] == (1.0, 2.0, 20.0)
    del items[-1]
    dataset[0x0065, 0x1051].value = Sequence(items)
    assert tiling(dataset).positions == ()


@pytest.mark.parametrize(
    ("case", "shape"), [("siemens_prisma_mosaic", (25, 128, 128)), ("uih_umr770_vframe", (20, 64, 64))]
)
def test_real_pictures_of_tiles_are_volumes_of_a_head_in_the_middle(data, case, shape):
    catalog = gclnm.scan(data("dwi") / case, progress=False)
    assert len(catalog.volumes) == 3
    assert catalog.volumes["usable"].all()
    for key in catalog.volumes["volume_id"]:
        volume = load_volume(catalog.volume_ref(key))
        assert volume.array.shape == shape
        # The head lies at the isocentre: a wrong shift moves it by half a metre.
        weights = volume.array.astype(float)
        centre = [np.average(np.indices(shape)[axis], weights=weights) for axis in (2, 1, 0)]
        assert np.abs(volume.geometry.to_physical([centre])[0]).max() < 45
        # Neighbouring slices are alike: tiles in another order would not be.
        flat = weights.reshape(shape[0], -1)
        near = np.mean([np.corrcoef(flat[k], flat[k + 1])[0, 1] for k in range(shape[0] - 1)])
        far = np.mean([np.corrcoef(flat[k], flat[k + 5])[0, 1] for k in range(shape[0] - 5)])
        assert near > 0.8
        assert near > far


def test_a_tile_that_is_not_there_is_named(data):
    file = str(next((data("dwi") / "siemens_prisma_mosaic").glob("*.dcm")))
    ref = gclnm.VolumeRef("1", "dicom", (file,), frames=(0, 25), modality="MR")
    with pytest.raises(ReadError, match="25 tiles, not 26"):
        load_volume(ref)


def test_a_mosaic_whose_places_are_unknown_does_not_load(data, tmp_path):
    import pydicom

    dataset = pydicom.dcmread(next((data("dwi") / "siemens_prisma_mosaic").glob("*.dcm")))
    del dataset[0x0029, 0x1010]
    dataset.save_as(tmp_path / "one.dcm")
    with pytest.raises(ReadError, match="tiles") as caught:
        gclnm.read_series(tmp_path / "one.dcm")
    assert caught.value.code == "mosaic"
