"""One invented patient, one visit to the scanners, and a series that came of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from pydicom.dataset import Dataset

    from gclnm.images import Geometry
    from gclnm.phantom.acquire.common import Shift
    from gclnm.phantom.biology import Biology
    from gclnm.phantom.body.anatomy import Anatomy
    from gclnm.phantom.dicom.common import Identity, Series
    from gclnm.phantom.scanners.sites import Site

__all__ = ["Made", "Patient", "Visit"]


@dataclass(frozen=True)
class Patient:
    """All that is true of one patient before any scanner looks.

    Parameters
    ----------
    number
        Place in the cohort, from 0.
    identity
        Id, sex, age, size; the seed of the cohort.
    site
        The hospital whose scanners look.
    body, biology
        Where which tissue is, and what is hidden in the lesions.
    clinical
        The patient's row of the clinical table.
    """

    number: int
    identity: Identity
    site: Site
    body: Anatomy
    biology: Biology
    clinical: Mapping[str, object] = field(default_factory=dict)

    def rng(self, *purpose: str) -> Generator:
        """A stream of its own for every purpose: leaving one series out changes no other."""
        words = zlib.crc32("/".join(purpose).encode())
        return np.random.default_rng([self.identity.seed, self.number, words])


@dataclass(frozen=True)
class Visit:
    """One day at the scanners: ``"scan"``, or ``"retest"`` of the patients who lay down twice.

    Parameters
    ----------
    name
        ``"scan"`` or ``"retest"``.
    date
        Of the studies, ``YYYYMMDD``.
    moved_mm
        How far the body lies from where it lay at the first visit.
    """

    name: str
    date: str
    moved_mm: Shift = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Made:
    """One volume as a scanner wrote it.

    Parameters
    ----------
    series
        Identifiers, description, equipment.
    geometry
        Its grid.
    shift_mm
        Where the body's origin lies in the frame of reference.
    objects
        The DICOM objects, in the order of the grid's slices.
    kind
        What the volume truly is, in the words of the samples table: ``modality``, ``phase``,
        ``energy_kev``, ``sequence``, ``b_value``, ``quantity`` ... as far as they apply.
    outlined
        Whether the raters draw their contours on it.
    """

    series: Series
    geometry: Geometry
    shift_mm: Shift
    objects: Sequence[Dataset]
    kind: Mapping[str, object]
    outlined: bool = False
