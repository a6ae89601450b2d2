"""b-values in dialects that no file at hand shows, or shows only in part."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from gclnm.images.dicom.bvalues import b_value, csa_items, same_b
from gclnm.images.dicom.elements import Groups


def header(*elements: tuple[tuple[int, int], str, object], **standard: object) -> Dataset:
    dataset = Dataset()
    dataset.Modality = "MR"
    for keyword, value in standard.items():
        setattr(dataset, keyword, value)
    for tag, vr, value in elements:
        dataset.add_new(tag, vr, value)
    return dataset


GE = ((0x0043, 0x0010), "LO", "GEMS_PARM_01")
SIEMENS = ((0x0019, 0x0010), "LO", "SIEMENS MR HEADER")
CSA = ((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
PHILIPS = ((0x2001, 0x0010), "LO", "Philips Imaging DD 001")
UIH = ((0x0065, 0x0010), "LO", "Image Private Header")


def csa(name: str, *values: str) -> bytes:
    """A CSA header (SV10) with one other entry and one of these values."""
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<2I", 2, 77)
    for label, texts in (("Other", ("a",)), (name, values)):
        out += struct.pack("<64si4s3i", label.encode(), len(texts), b"IS\0\0", 6, max(6, len(texts)), 77)
        for k in range(max(6, len(texts))):
            text = texts[k].encode() + b"\0" if k < len(texts) else b""
            out += struct.pack("<4i", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4)
    return out


@pytest.mark.parametrize(
    ("dataset", "value", "source"),
    [
        (header(DiffusionBValue=500.0), 500, "standard"),
        (header(GE, ((0x0043, 0x1039), "IS", [1000001000, 8, 0, 0])), 1000, "ge"),
        (header(GE, ((0x0043, 0x1039), "IS", [1000000050, 8, 0, 0])), 50, "ge"),
        (header(GE, ((0x0043, 0x1039), "IS", [12000, 8, 0, 0])), 12000, "ge"),
        (header(GE, ((0x0043, 0x1039), "UN", b"1000\\1073741832\\0\\0 ")), 1000, "ge"),
        (header(GE, ((0x0043, 0x1039), "IS", [0, 2**30, 0, 0])), 0, "ge"),
        (header(SIEMENS, ((0x0019, 0x100C), "IS", 800)), 800, "siemens"),
        (header(SIEMENS, ((0x0019, 0x100C), "UN", b"800 ")), 800, "siemens"),
        (header(CSA, ((0x0029, 0x1010), "OB", csa("B_value", "750 "))), 750, "siemens-csa"),
        (header(PHILIPS, ((0x2001, 0x1003), "FL", 600.0)), 600, "philips"),
        (header(PHILIPS, ((0x2001, 0x1003), "UN", struct.pack("<f", 600.0))), 600, "philips"),
        (header(UIH, ((0x0065, 0x1009), "FD", 928.3), ((0x0065, 0x100A), "FD", 1000.0)), 928.3, "uih"),
        (header(UIH, ((0x0065, 0x1009), "UN", struct.pack("<d", 928.3))), 928.3, "uih"),
        (header(SequenceName="*ep_b800t"), 800, "text"),
        (header(SequenceName="ep_b0"), 0, "text"),
        (header(SeriesDescription="DWI b=1000 ax"), 1000, "text"),
        (header(SeriesDescription="eDWI B-400"), 400, "text"),
        (header(SeriesDescription="DWI_b800"), 800, "text"),
        (header(SeriesDescription="ep2d_diff_tra_b50"), 50, "text"),
        (header(SeriesDescription="DWI_B1000_iso 5mm"), 1000, "text"),
        (header(SeriesDescription="弥散b800"), 800, "text"),
        (header(SeriesDescription="DWI b800", ProtocolName="diff_b50_400_800"), 800, "text"),
    ],
)
def test_each_dialect_is_read(dataset, value, source):
    found = b_value(Groups(dataset))
    assert found is not None
    assert (found.value, found.source) == (pytest.approx(value), source)


@pytest.mark.parametrize(
    "dataset",
    [
        header(),
        header(((0x0043, 0x1039), "IS", [1000, 8, 0, 0])),  # without its creator the number means nothing
        header(((0x0043, 0x0010), "LO", "OTHER VENDOR"), ((0x0043, 0x1039), "IS", [1000, 8, 0, 0])),
        header(SeriesDescription="b50_400_800"),
        header(SeriesDescription="DWI b50 b800"),
        header(SeriesDescription="DWI b 50 800"),
        header(SeriesDescription="DWI b0, 1000"),
        header(SeriesDescription="DWI_b0_b1000"),
        header(SeriesDescription="DWI b800", ProtocolName="diff_b50"),
        header(SeriesDescription="B0 map"),
        header(CSA, ((0x0029, 0x1010), "OB", b"garbage" * 9)),
        header(PHILIPS, ((0x2001, 0x1003), "UN", b"abc")),
    ],
)
def test_what_is_no_b_value_is_none(dataset):
    assert b_value(Groups(dataset)) is None


@pytest.mark.parametrize(
    ("a", "b", "one"),
    [
        (800, 1000, False),
        (1000, 1029, True),
        (1000, 1040, False),
        (50, 54, True),
        (50, 60, False),
        (0, 6, False),
    ],
)
def test_levels_are_one_within_5_or_3_percent(a, b, one):
    assert same_b(a, b) is same_b(b, a) is one


def test_uih_groups_by_the_value_the_user_asked_for():
    found = b_value(Groups(header(UIH, ((0x0065, 0x1009), "FD", 1.252), ((0x0065, 0x100A), "FD", 0.0))))
    assert found is not None
    assert (found.value, found.nominal) == (1.252, 0.0)


def test_a_frame_of_its_own_wins_over_shared_groups():
    def groups(b: float) -> Dataset:
        item, diffusion = Dataset(), Dataset()
        diffusion.DiffusionBValue = b
        item.MRDiffusionSequence = [diffusion]
        return item

    assert b_value(Groups(Dataset(), groups(50.0), groups(0.0))).value == 50.0
    assert b_value(Groups(Dataset(), Dataset(), groups(0.0))).value == 0.0


def test_the_creator_may_sit_in_another_block():
    dataset = header(
        ((0x0043, 0x0011), "LO", "GEMS_PARM_01"),
        ((0x0043, 0x1139), "IS", [700, 0, 0, 0]),
    )
    found = b_value(Groups(dataset))
    assert found is not None
    assert found.value == 700


def test_b_values_of_real_siemens_csa_equal_the_plain_element(data):
    import pydicom

    for file in sorted((data("dwi") / "siemens_prisma_mosaic").glob("*.dcm")):
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        plain = b_value(Groups(dataset))
        del dataset[0x0019, 0x100C]
        from_csa = b_value(Groups(dataset))
        assert plain.source == "siemens"
        assert from_csa.source == "siemens-csa"
        assert from_csa.value == plain.value


@given(st.binary(max_size=600))
def test_any_bytes_in_place_of_a_csa_header_are_survived(noise):
    assert isinstance(csa_items(noise, "B_value"), tuple)
    assert isinstance(csa_items(b"SV10" + noise, "B_value"), tuple)
    dataset = header(CSA, ((0x0029, 0x1010), "OB", noise), GE, ((0x0043, 0x1039), "UN", noise))
    found = b_value(Groups(dataset))
    assert found is None or found.value >= 0
