"""Rows that a recipe asks for and no scanner exported: energy levels, ADC maps, subtractions.

Images are combined only where something says that they are of one acquisition: one contour that was paired
by reference, acquisition or diffusion with all of them; or a known phase, or a coordinate ``acquisition``
that the user gave. Samples stay small: what is made is made by the worker (`gclnm.harmonize.derive`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeVar, runtime_checkable

from gclnm.recipe.partners import Group, contrast_rows, diffusion_rows, energy_rows

if TYPE_CHECKING:
    from gclnm.images.sample import Sample

__all__ = ["Derive", "Expandable", "ExpandableT", "Expansion", "NotMade", "expand"]

Derive = Literal["", "adc", "subtraction", "enhancement"]
# What the images of one acquisition have in common.
SAME = ("patient_id", "roi", "roi_instance", "rater", "study_uid", "timepoint", "acquisition")
SAME_IMAGE = ("phase", "kernel", "slice_thickness_mm")
# Rules of pairing by which one contour reaches images of one acquisition only.
OF_ONE_ACQUISITION = ("reference", "acquisition", "diffusion")


@dataclass(frozen=True)
class NotMade:
    """A row that a recipe asks for and that cannot be made.

    Parameters
    ----------
    sample
        The image that it would be made of, or one of them.
    code, reason, fix
        A stable name, a sentence without names or paths, and what to do.
    severity
        ``"refused"``: a row is lost; ``"info"``: an image is no part of what is asked for.
    """

    sample: Sample
    code: str
    reason: str
    fix: str = ""
    severity: Literal["refused", "info"] = "refused"


@dataclass(frozen=True)
class Expansion:
    """The rows of a recipe, in order, and those that cannot be made."""

    samples: tuple[Sample, ...]
    refused: tuple[NotMade, ...] = field(default=())


@runtime_checkable
class Expandable(Protocol):
    """A list of samples that keeps what could not be made of them (`gclnm.Samples`)."""

    def expanded(self, expansion: Expansion) -> Self:
        """The same list with other samples, and with the refusals among its own."""


ExpandableT = TypeVar("ExpandableT", bound=Expandable)


def expand(
    samples: Iterable[Sample],
    *,
    energies_kev: Sequence[float] = (),
    extrapolate: bool = False,
    derive: Derive = "",
) -> Expansion:
    """The rows to measure, of the samples that were paired.

    Parameters
    ----------
    samples
        One for each ROI on each of its images.
    energies_kev
        Levels wanted of each ROI, keV. A native level within 0.5 keV is taken as it is, otherwise the
        level is derived from the nearest ones below and above.
    extrapolate
        Outside all levels derive from the lowest and the highest: the widest pair amplifies noise least.
    derive
        ``"adc"``: one row of all b-values; ``"subtraction"`` or ``"enhancement"``: a row for each time
        point after the first.

    Returns
    -------
    Expansion
        Without any of these, the samples as they are.

    Examples
    --------
    >>> from gclnm.images import MaskRef, Sample, VolumeRef
    >>> mask = {"roi": MaskRef("rtstruct", "rs.dcm", 1)}
    >>> told = {"paired_by": "acquisition"}
    >>> pair = [
    ...     Sample({"image": VolumeRef(f"{kev}", "dicom", ())}, mask, {"energy_kev": kev, **told})
    ...     for kev in (40.0, 140.0)
    ... ]
    >>> made = expand(pair, energies_kev=[40, 70]).samples
    >>> [(row.derivation, row.coords["energy_kev"]) for row in made]
    [('', 40.0), ('vmi 70 keV', 70.0)]
    """
    if energies_kev:
        return _each(samples, SAME + SAME_IMAGE, lambda group: energy_rows(group, energies_kev, extrapolate))
    if derive == "adc":
        return _each(samples, SAME, diffusion_rows)
    if derive:
        return _each(samples, SAME, lambda group: contrast_rows(group, derive))
    return Expansion(tuple(samples))


def _each(samples: Iterable[Sample], keys: Sequence[str], rows: Callable[[Group], None]) -> Expansion:
    groups: dict[object, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[_key(sample, keys)].append(sample)
    made: list[Sample] = []
    refused: list[NotMade] = []
    for members in groups.values():
        group = Group(members, related=_related(members))
        rows(group)
        made += group.made
        refused += [NotMade(*refusal) for refusal in group.refused]
    return Expansion(tuple(made), tuple(refused))


def _key(sample: Sample, keys: Sequence[str]) -> tuple[object, ...]:
    coords: Mapping[str, object] = sample.coords
    same = tuple(_plain(coords.get(name)) for name in keys)
    contour = sample.masks.get("roi") if coords.get("paired_by") in OF_ONE_ACQUISITION else None
    return (*same, contour, sample.perturbation, tuple(sorted(sample.overrides.items())))


def _plain(value: object) -> object:
    """Missing is missing, however it is written."""
    return "" if value is None or value != value else value


def _related(members: Sequence[Sample]) -> bool:
    """Whether something says that the images are of one acquisition."""
    first: Mapping[str, object] = members[0].coords
    return (
        first.get("paired_by") in OF_ONE_ACQUISITION
        or str(first.get("phase") or "unknown") != "unknown"
        or bool(_plain(first.get("acquisition")))
    )
