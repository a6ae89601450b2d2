"""The images that a derived MR image was made of, as its header names them."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from gclnm.images.dicom.elements import Groups, first_item, items, text

__all__ = ["source_uids"]

# "Source image for image processing operation", PS3.16 CID 7202.
SOURCE_CODE = ("DCM", "121322")
# Kinds of frames that are computed of others; slices of a reformat would name the whole stack each.
MADE = frozenset({"adc", "trace", "map", "subtraction"})


def source_uids(groups: Groups, kind: str, image_type: tuple[str, ...]) -> tuple[str, ...]:
    """SOP Instance UIDs that a frame of a derived image names as its sources, sorted; else empty.

    Source Image Sequence (0008,2112), in enhanced objects within Derivation Image Sequence (0008,9124);
    without them Referenced Image Sequence (0008,1140) and Referenced Series Sequence (0008,1115), of which
    only what says that it is a source counts: most of what they name are localizers.

    Examples
    --------
    >>> header, source = Dataset(), Dataset()
    >>> source.ReferencedSOPInstanceUID = "1.2.3"
    >>> header.SourceImageSequence = [source]
    >>> source_uids(Groups(header), "adc", ("DERIVED", "PRIMARY", "ADC"))
    ('1.2.3',)
    >>> source_uids(Groups(header), "image", ("ORIGINAL", "PRIMARY"))
    ()
    """
    if kind not in MADE and not (kind == "image" and image_type[:1] == ("DERIVED",)):
        return ()
    for level in groups.levels():
        found = {text(item, "ReferencedSOPInstanceUID") for item in _sources(level)} - {""}
        if found:
            return tuple(sorted(found))
    return ()


def _sources(level: Dataset) -> Iterator[Dataset]:
    """Items that name a source at one level: in what is meant for sources, else with that purpose."""
    stated = [*items(level, "SourceImageSequence")]
    for derivation in items(level, "DerivationImageSequence"):
        stated += items(derivation, "SourceImageSequence")
    yield from stated
    if not stated:
        yield from filter(_says_source, items(level, "ReferencedImageSequence"))
        for series in items(level, "ReferencedSeriesSequence"):
            yield from filter(_says_source, items(series, "ReferencedInstanceSequence"))


def _says_source(item: Dataset) -> bool:
    code = first_item(item, "PurposeOfReferenceCodeSequence")
    return (text(code, "CodingSchemeDesignator"), text(code, "CodeValue")) == SOURCE_CODE
