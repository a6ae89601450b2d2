"""Whether the scanner has corrected the shading of its coils: each vendor says so elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from gclnm.images.dicom.elements import Groups, as_text, as_texts, private, text, words

__all__ = ["uniformity"]

# Word in a header -> what we call it, by the vendor that writes it. An optional s or a space belongs to
# Philips' SENSE ("sCLEAR") only.
_WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "SIEMENS": ((r"NORM", "NORM"),),
    "GE": ((r"PURE", "PURE"), (r"SCIC", "SCIC")),
    "PHILIPS": ((r"S?CLEAR", "CLEAR"),),
}


def uniformity(dataset: Dataset) -> str:
    """Name of the correction that was applied, ``""`` when the header names none.

    * Siemens: ``NORM`` in Image Type, of the object or its first frame, or in (0021,1175), where XA
      software keeps the old words.
    * GE: ``PURE`` when (0043,1088) names the calibration it was made with; else, as in Philips, words.
    * GE ``PURE`` and ``SCIC``, Philips ``CLEAR``: in Scan Options, Filter Type, or else Series Description
      and Protocol Name. No document says where these are stored otherwise.

    Examples
    --------
    >>> header = Dataset()
    >>> header.Manufacturer, header.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]
    >>> uniformity(header)
    'NORM'
    """
    vendor = _vendor(text(dataset, "Manufacturer").upper())
    if vendor == "GE" and as_text(private(dataset, 0x0043, "GEMS_PARM_01", 0x88)):
        return "PURE"
    sources = _image_types(dataset) if vendor == "SIEMENS" else _descriptions(dataset)
    found = [word.upper() for source in sources for word in source]
    for pattern, name in _WORDS.get(vendor, ()):
        if any(re.fullmatch(pattern, word) for word in found):
            return name
    return ""


def _vendor(manufacturer: str) -> str:
    return next((name for name in _WORDS if re.match(rf"{name}\b", manufacturer)), "")


def _image_types(dataset: Dataset) -> Iterator[Sequence[str]]:
    yield words(dataset, "ImageType")
    first = next(iter(Groups.of(dataset)), None)
    if first is None:
        return
    yield as_texts(first.get("MRImageFrameTypeSequence", "FrameType"))
    for level in first.levels():
        block = private(level, 0x0021, "SIEMENS MR SDI 02", 0xFE)
        inner = block[0] if isinstance(block, Items) and len(block) else level
        yield as_texts(private(inner, 0x0021, "SIEMENS MR SDI 02", 0x75))


def _descriptions(dataset: Dataset) -> Iterator[Sequence[str]]:
    for keyword in ("ScanOptions", "FilterType"):
        for value in words(dataset, keyword):
            yield value.split("_")  # GE writes PURE_GEMS as it writes FILTERED_GEMS
    for keyword in ("SeriesDescription", "ProtocolName"):
        yield re.findall(r"[A-Za-z]+", text(dataset, keyword))
