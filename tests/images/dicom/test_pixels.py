"""Stored values: compression, byte order, bits and sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.config import disable_value_validation
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from gclnm.errors import ReadError
from gclnm.images.dicom.files import read_dataset
from gclnm.images.dicom.pixels import padding_values, stored_frames

TWINS = [
    "MR_small_RLE",
    "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless",
    "MR_small_bigendian",
    "MR_small_implicit",
]


def sample(name: str) -> Dataset:
    return read_dataset(str(get_testdata_file(f"{name}.dcm", download=False)))


@pytest.mark.parametrize("name", TWINS)
def test_every_transfer_syntax_gives_the_same_stored_values(name: str) -> None:
    plain = stored_frames(sample("MR_small"))
    assert plain.shape == (1, 64, 64)
    np.testing.assert_array_equal(stored_frames(sample(name)), plain)


def test_a_deflated_file_is_read() -> None:
    assert stored_frames(sample("image_dfl")).shape == (1, 512, 512)


def test_the_header_and_not_the_codestream_says_the_sign_of_jpeg_2000_pixels() -> None:
    # The padding of this GE file is -2000; the codestream calls the same pixels unsigned.
    assert stored_frames(sample("J2K_pixelrep_mismatch")).min() == -2000


class HuffmanBits:
    """Bits of a JPEG scan, a zero stuffed after each 0xFF."""

    def __init__(self) -> None:
        self.bits: list[str] = []

    def add(self, value: int, width: int) -> None:
        if width:
            self.bits.append(f"{value:0{width}b}")

    def bytes(self) -> bytes:
        text = "".join(self.bits)
        text += "1" * (-len(text) % 8)
        whole = int(text, 2).to_bytes(len(text) // 8, "big")
        return whole.replace(b"\xff", b"\xff\x00")


def jpeg_lossless(image: np.ndarray, precision: int, selection: int) -> bytes:
    """ITU-T T.81 annex H with five-bit codes for all 17 categories; written for this test."""
    rows, columns = image.shape
    x = image.astype(np.int64)
    scan = HuffmanBits()
    for i in range(rows):
        for j in range(columns):
            left, above = int(x[i, j - 1]) if j else 0, int(x[i - 1, j]) if i else 0
            if i == 0 and j == 0:
                guess = 1 << (precision - 1)
            elif i == 0:
                guess = left
            elif j == 0:
                guess = above
            else:
                guess = {1: left, 2: above, 4: left + above - int(x[i - 1, j - 1])}[selection]
            difference = (int(x[i, j]) - guess + (1 << 15)) % (1 << 16) - (1 << 15)
            difference = 1 << 15 if difference == -(1 << 15) else difference
            category = abs(difference).bit_length()
            scan.add(category, 5)
            if category < 16:
                scan.add(difference if difference > 0 else difference + (1 << category) - 1, category)
    table = bytes([0, 0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    table = table[:17] + bytes(range(17))
    segments = [
        (0xC4, table),
        (0xC3, bytes([precision, *rows.to_bytes(2, "big"), *columns.to_bytes(2, "big"), 1, 1, 0x11, 0])),
        (0xDA, bytes([1, 1, 0, selection, 0, 0])),
    ]
    body = b"".join(b"\xff" + bytes([m]) + (len(d) + 2).to_bytes(2, "big") + d for m, d in segments)
    return b"\xff\xd8" + body + scan.bytes() + b"\xff\xd9"


@pytest.mark.parametrize(
    ("syntax", "selection"),
    [("1.2.840.10008.1.2.4.70", 1), ("1.2.840.10008.1.2.4.57", 4), ("1.2.840.10008.1.2.4.57", 2)],
)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_jpeg_lossless_is_decoded_exactly(
    header: Callable[..., Dataset], syntax: str, selection: int, dtype: type
) -> None:
    low, high = (-2000, 3000) if dtype is np.int16 else (0, 65535)
    image = np.random.default_rng(1).integers(low, high, (19, 23)).astype(dtype)
    encoded = jpeg_lossless(image.view(np.uint16), 16, selection)
    dataset = header(image)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([encoded + b"\0" * (len(encoded) % 2)])
    np.testing.assert_array_equal(stored_frames(dataset)[0], image)


def test_a_truncated_file_is_refused_with_the_bytes_that_are_missing() -> None:
    with pytest.raises(ReadError, match="ends too early: 8130 of 8192 bytes") as caught:
        stored_frames(sample("MR_truncated"), where="slice")
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("name", ["MR_small_RLE", "MR_small_jp2klossless"])
def test_a_compressed_file_cut_in_two_is_refused(name: str, tmp_path: Path) -> None:
    whole = Path(str(get_testdata_file(f"{name}.dcm", download=False))).read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[: len(whole) - 2000])
    with pytest.raises(ReadError):
        stored_frames(read_dataset(str(cut)))


def test_a_text_file_is_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text("not an image " * 50)
    with pytest.raises(ReadError):
        read_dataset(str(path))


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="not there"):
        read_dataset(str(tmp_path / "gone"))


def test_colour_is_refused() -> None:
    with pytest.raises(ReadError, match="colour"):
        stored_frames(sample("SC_rgb_rle"))


def test_twelve_bits_without_sign_extension_are_negative_where_the_header_says_signed(
    header: Callable[..., Dataset],
) -> None:
    dataset = header(np.array([[4095, 5], [2048, 2047]], np.uint16))
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 1
    assert stored_frames(dataset)[0].tolist() == [[-1, 5], [-2048, 2047]]


def test_overlay_bits_above_the_pixels_are_removed(header: Callable[..., Dataset]) -> None:
    dataset = header(np.array([[0x8005, 0x0007]], np.uint16))
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.add_new((0x6000, 0x0102), "US", 15)
    assert stored_frames(dataset)[0].tolist() == [[5, 7]]


def test_frames_are_taken_in_the_order_asked_for(header: Callable[..., Dataset]) -> None:
    dataset = header(np.array([[1, 2]], np.uint16))
    dataset.NumberOfFrames = 3
    dataset.PixelData = np.array([1, 2, 3, 4, 5, 6], "<u2").tobytes()
    assert stored_frames(dataset, [2, 0])[:, 0].tolist() == [[5, 6], [1, 2]]
    with pytest.raises(ReadError, match="3 frames, not 4"):
        stored_frames(dataset, [3])


@pytest.mark.parametrize(
    ("first", "last", "signed", "expected"),
    [(63536, None, True, (-2000, -2000)), (-2000, None, False, (63536, 63536)), (10, -5, True, (-5, 10))],
)
def test_padding_has_the_sign_of_the_pixels(
    header: Callable[..., Dataset], first: int, last: int | None, signed: bool, expected: tuple[int, int]
) -> None:
    dataset = header(np.zeros((1, 1), np.int16 if signed else np.uint16))
    dataset.add_new("PixelPaddingValue", "US" if first >= 0 else "SS", first)
    if last is not None:
        dataset.add_new("PixelPaddingRangeLimit", "SS", last)
    assert padding_values(dataset) == expected


@pytest.mark.parametrize("value", ["text", [1, 2], None, []])
def test_pixels_that_are_said_to_be_something_else_are_none(value) -> None:
    from types import SimpleNamespace

    from gclnm.images.dicom.pixels import pixel_bytes

    class Odd(dict):  # type: ignore[type-arg]
        def __contains__(self, key: object) -> bool:
            return True

        def __getitem__(self, key: object) -> SimpleNamespace:
            return SimpleNamespace(value=value)

    with pytest.raises(ReadError, match="no pixel data"):
        pixel_bytes(Odd())  # type: ignore[arg-type]


@pytest.mark.parametrize(("stored", "high"), [(0, 0), (-5, 3), (200, 15), (16, 4000), (12, -7)])
def test_impossible_numbers_of_bits_do_no_harm(stored, high) -> None:
    from gclnm.images.dicom.pixels import _signed

    header = Dataset()
    header.PixelRepresentation = 1
    with disable_value_validation():
        header.add_new("BitsStored", "IS", str(stored))
        header.add_new("HighBit", "IS", str(high))
    values = np.array([[1, 2], [3, 4]], np.uint16)
    assert _signed(values, header).shape == (2, 2)
