"""Patients of one run who have the same image, with other contours: told, and not held back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from gclnm.store.versions.rowdiff import parts_of

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.images.sample import Sample

__all__ = ["image_of", "same_images"]

COLUMNS = ("sample_id", "patient_id", "roi", "same_image_as", "same_patient_id")
PARTS = ("voxels:image", "grid:image")


def image_of(history: str) -> str:
    """What tells the image of a row from others, as its history has it; empty in rows that do not say.

    Examples
    --------
    >>> image_of('{"inputs": {"voxels:image": "5f", "grid:image": "77", "mask:roi": "c1"}}')
    '5f 77'
    >>> image_of("{}")
    ''
    """
    parts = parts_of(history)
    return " ".join(parts[name] for name in PARTS) if parts.keys() >= set(PARTS) else ""


def same_images(
    samples: Sequence[Sample], images: Mapping[str, str], left_out: Collection[str]
) -> pd.DataFrame:
    """Samples whose image is that of another patient before them.

    Parameters
    ----------
    images
        By ``sample_id``: the image (`image_of`) of the rows that a run has computed.
    left_out
        Samples of which more is known: held back, or called truly different by the user.
    """
    import pandas as pd

    first: dict[str, Sample] = {}
    records = []
    for sample in samples:
        image, patient = images.get(sample.sample_id), _text(sample, "patient_id")
        if not image or not patient or sample.sample_id in left_out:
            continue
        other = first.setdefault(image, sample)
        if _text(other, "patient_id") != patient:
            found = (sample.sample_id, patient, _text(sample, "roi"))
            records.append((*found, other.sample_id, _text(other, "patient_id")))
    return pd.DataFrame(records, columns=list(COLUMNS))


def _text(sample: Sample, name: str) -> str:
    return str(sample.coords.get(name) or "")
