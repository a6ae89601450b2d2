"""b-values of diffusion MR in every vendor's dialect: one frame's header in, value and source out."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import (
    Groups,
    as_number,
    as_numbers,
    as_text,
    first_item,
    number,
    numbers,
    private,
    read,
    text,
)
from gclnm.images.dicom.words import plain

__all__ = ["BValue", "b_value", "same_b"]

GE_BIAS = 10**9
# In plain words: B and its number, and the numbers of a list that follow it ("B50 400 800").
TEXT = re.compile(r"\bB(?: ?VAL(?:UE)?S?)? ?(\d{1,5}(?:\.0)?(?: (?:\d{2,5}|0))*)(?![\d.A-Z])", re.ASCII)
SEQUENCE_NAME = re.compile(r"(?i)^\*?ep_b(\d{1,5})")


@dataclass(frozen=True)
class BValue:
    """Diffusion weighting of one frame.

    Parameters
    ----------
    value
        The b-value in s/mm2 that was applied.
    nominal
        The value the user asked for; frames are grouped by it. Differs from ``value`` on UIH.
    source
        Where it was found: ``standard``, ``ge``, ``siemens``, ``siemens-csa``, ``philips``, ``uih``,
        ``text``; ``implied`` where other frames of the series have one and this has none.
    direction
        What tells the gradient directions of equal b apart: a unit vector, the matrix, or empty.
    """

    value: float
    nominal: float
    source: str
    direction: tuple[float, ...] = ()


def b_value(groups: Groups) -> BValue | None:
    """The b-value of one frame, or None where its header has none.

    Standard elements first, then the vendor's private ones where the private creator is the
    vendor's, at last words of the description. Missing in a series whose other frames have one means
    0; that is for who sees the series. A GE value of 0 alone is no evidence of diffusion.

    Parameters
    ----------
    groups
        Where the frame's attributes stand.

    References
    ----------
    DICOM PS3.3 C.8.13.5.9 (MR Diffusion); vendors' dialects as documented by dcm2niix (BSD).

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.add_new((0x0043, 0x0010), "LO", "GEMS_PARM_01")
    >>> ds.add_new((0x0043, 0x1039), "IS", [1000001000, 8, 0, 0])
    >>> b_value(Groups(ds))
    BValue(value=1000.0, nominal=1000.0, source='ge', direction=())
    """
    found = _enhanced(groups)
    for dialect in (_classic, _ge, _siemens, _philips, _uih, _words):
        found = found or dialect(groups.dataset)
    return found


def same_b(a: float, b: float) -> bool:
    """Whether two b-values are one level: within 5 s/mm2 or 3 %.

    Examples
    --------
    >>> same_b(0, 0.004), same_b(1000, 1020), same_b(50, 60)
    (True, True, False)
    """
    return abs(a - b) <= max(5.0, 0.03 * max(a, b))


def _made(value: float | None, source: str, direction: tuple[float, ...] = ()) -> BValue | None:
    if value is None or not 0 <= value < 100_000:
        return None
    return BValue(value, value, source, direction)


def _enhanced(groups: Groups) -> BValue | None:
    diffusion = groups.item("MRDiffusionSequence")
    if diffusion is None:
        return None
    # Philips appends isotropic frames; their missing direction keeps them apart from the others.
    gradient = first_item(diffusion, "DiffusionGradientDirectionSequence")
    direction = numbers(gradient, "DiffusionGradientOrientation")
    matrix = first_item(diffusion, "DiffusionBMatrixSequence")
    if matrix is not None and not direction:
        axes = ("XX", "XY", "XZ", "YY", "YZ", "ZZ")
        direction = tuple(number(matrix, f"DiffusionBValue{pair}") or 0.0 for pair in axes)
    return _made(number(diffusion, "DiffusionBValue"), "standard", direction)


def _direction(dataset: Dataset) -> tuple[float, ...]:
    """Gradient direction of a classic frame from wherever its vendor writes it."""
    vector = numbers(dataset, "DiffusionGradientOrientation")
    vector = vector or _floats(private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0E), "d")
    vector = vector or _floats(private(dataset, 0x0065, "Image Private Header", 0x37), "d")
    if not vector:
        parts = [
            as_number(private(dataset, 0x0019, "GEMS_ACQU_01", element)) for element in (0xBB, 0xBC, 0xBD)
        ]
        vector = tuple(part for part in parts if part is not None) if None not in parts else ()
    if not vector:
        words = re.search(r"b=\d+\(([-\d., ]+)\)", text(dataset, "ImageComments"))
        vector = as_numbers(words.group(1).split(",")) if words else ()
    return vector


def _classic(dataset: Dataset) -> BValue | None:
    return _made(number(dataset, "DiffusionBValue"), "standard", _direction(dataset))


def _ge(dataset: Dataset) -> BValue | None:
    value = private(dataset, 0x0043, "GEMS_PARM_01", 0x39)
    found = as_number(value)
    # Multi-b series carry a bias of 10^9; b itself may exceed 10^4.
    return None if found is None else _made(found % GE_BIAS, "ge", _direction(dataset))


def _siemens(dataset: Dataset) -> BValue | None:
    value = private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0C)
    found = _made(as_number(value), "siemens", _direction(dataset))
    if found is not None:
        return found
    header = private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10)
    if not isinstance(header, bytes):
        return None
    values = as_numbers(csa_items(header, "B_value"))
    direction = as_numbers(csa_items(header, "DiffusionGradientDirection"))
    return _made(values[0] if values else None, "siemens-csa", direction)


def _philips(dataset: Dataset) -> BValue | None:
    value = private(dataset, 0x2001, "Philips Imaging DD 001", 0x03)
    parts = [
        _floats(private(dataset, 0x2005, "Philips MR Imaging DD 001", element), "f")
        for element in (0xB0, 0xB1, 0xB2)
    ]
    direction = tuple(part[0] for part in parts if part)
    found = _floats(value, "f")
    return _made(found[0] if found else None, "philips", direction)


def _uih(dataset: Dataset) -> BValue | None:
    actual = _floats(private(dataset, 0x0065, "Image Private Header", 0x09), "d")
    user = _floats(private(dataset, 0x0065, "Image Private Header", 0x0A), "d")
    if not actual and not user:
        return None
    value, nominal = (actual or user)[0], (user or actual)[0]
    if min(value, nominal) < 0:
        return None
    return BValue(value, nominal, "uih", _direction(dataset))


def _words(dataset: Dataset) -> BValue | None:
    """Last resort: a sequence name such as ``*ep_b800t`` or one b-value in the description."""
    if text(dataset, "Modality") != "MR":
        return None
    names = [read(dataset, "SequenceName"), private(dataset, 0x0021, "SIEMENS MR SDI 02", 0x77)]
    for name in names:
        match = SEQUENCE_NAME.match(as_text(name))
        if match:
            return _made(float(match.group(1)), "text")
    # A protocol is that of all its series: it counts where the description says nothing.
    named, protocol = (_named(text(dataset, name)) for name in ("SeriesDescription", "ProtocolName"))
    if named and protocol and not named & protocol:
        return None
    values = named or protocol
    value = max(values, default=0.0)
    # B0 and B1 are fields as often.
    return _made(value, "text") if len(values) == 1 and value >= 10 else None


def _named(words: str) -> set[float]:
    return {float(value) for listed in TEXT.findall(plain(words)) for value in listed.split()}


def _floats(value: Any, code: str) -> tuple[float, ...]:
    """Numbers of a private element, also where an implicit VR left only its bytes (UN)."""
    if isinstance(value, bytes):
        size = struct.calcsize(code)
        if len(value) % size or not value:
            return ()
        return as_numbers(struct.unpack(f"<{len(value) // size}{code}", value))
    return as_numbers(value)


def csa_items(header: bytes, name: str) -> tuple[str, ...]:
    """Values of one entry of a Siemens CSA header; empty when it is absent or the header is broken.

    References
    ----------
    The layout as published with nibabel (MIT), "Siemens format DICOM with CSA header".
    """
    modern = header[:4] == b"SV10"
    place = 8 if modern else 0
    try:
        count, _ = struct.unpack_from("<2I", header, place)
        place += 8
        first_items = -1
        for _ in range(min(count, 128)):
            label, _, _, _, n_items, _ = struct.unpack_from("<64si4s3i", header, place)
            place += 84
            first_items = n_items if first_items < 0 else first_items
            values, place = _csa_values(header, place, n_items, 0 if modern else first_items, modern)
            if label.split(b"\0")[0].decode("latin-1") == name:
                return tuple(value for value in values if value)
    except struct.error:
        return ()
    return ()


def _csa_values(header: bytes, place: int, count: int, offset: int, modern: bool) -> tuple[list[str], int]:
    values = []
    for _ in range(min(max(count, 0), 1000)):
        sizes = struct.unpack_from("<4i", header, place)
        place += 16
        size = sizes[1] if modern else sizes[0] - offset
        if size < 0 or place + size > len(header):
            break
        values.append(header[place : place + size].split(b"\0")[0].decode("latin-1").strip())
        place += size + -size % 4
    return values, place
