"""Which images of one acquisition a row is made of: a pair of levels, all b-values, before and after."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from gclnm.images.sample import Coordinate, Sample, VolumeRef

__all__ = ["Group", "contrast_rows", "diffusion_rows", "energy_rows"]

# Headers write 69.9 for 70: levels nearer than this are one.
SAME_KEV = 0.5
Severity = Literal["refused", "info"]
Timed: TypeAlias = "tuple[float, Sample]"
_TIME = re.compile(r"(?:^|/)t=(\d+)(?:/|$)")


@dataclass
class Group:
    """The samples of one ROI on the images of one acquisition, the rows made of them, and what is not.

    ``related`` says whether anything but the user's word tells that the acquisition is one.
    """

    members: Sequence[Sample]
    related: bool
    made: list[Sample] = field(default_factory=list)
    refused: list[tuple[Sample, str, str, str, Severity]] = field(default_factory=list)

    def refuse(
        self, code: str, reason: str, fix: str, *, of: Sample | None = None, severity: Severity = "refused"
    ) -> None:
        """Note what cannot be made, and of which image."""
        self.refused.append((of or self.members[0], code, reason, fix, severity))

    def leave(self, sample: Sample, code: str, reason: str, fix: str = "") -> None:
        """Note an image that is no part of what is asked for."""
        self.refuse(code, reason, fix, of=sample, severity="info")


def energy_rows(group: Group, energies_kev: Sequence[float], extrapolate: bool) -> None:
    """A row for each level: native, or derived from two levels or from maps of iodine and water."""
    levels: dict[float, Sample] = {}
    twice: set[float] = set()
    maps: dict[str, Sample] = {}
    for sample in group.members:
        level = _number(sample, "energy_kev")
        material = str(sample.coords.get("material") or "")
        if level is None and material in ("iodine", "water"):
            maps[material] = sample
        elif level is None:
            group.leave(sample, "no-energy", "its image is no energy level that is known", _STATE_ENERGY)
        elif (same := _near(level, levels)) is not None:
            twice.add(same)
        else:
            levels[level] = sample
    if not levels and len(maps) < 2:
        what = "no image has a known energy level" if not maps else "only one of iodine and water is there"
        group.refuse("no-energy", what, _STATE_ENERGY)
        return
    missing: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for wanted in energies_kev:
        refusal = _energy_row(group, wanted, levels, twice, maps, extrapolate)
        if refusal is not None:
            missing[refusal].append(wanted)
    for (code, reason, fix), wanted_levels in missing.items():
        names = ", ".join(f"{level:g}" for level in wanted_levels)
        group.refuse(code, f"{names} keV cannot be had: {reason}", fix)


_STATE_ENERGY = "State it where the header does not: .assign(energy_kev=...), or leave these images out."
_UNRELATED = "nothing says that its images are of one acquisition"
_ONE_ACQUISITION = (
    "Pair with on='acquisition', or give images of one acquisition the same coordinate `acquisition`."
)


def _energy_row(
    group: Group,
    wanted: float,
    levels: Mapping[float, Sample],
    twice: set[float],
    maps: Mapping[str, Sample],
    extrapolate: bool,
) -> tuple[str, str, str] | None:
    """Add the row of one level, or say why not: code, reason, fix."""
    near = _near(wanted, levels)
    below = max((level for level in levels if level < wanted), default=None)
    above = min((level for level in levels if level > wanted), default=None)
    if near is None and None in (below, above) and extrapolate and len(levels) > 1:
        below, above = min(levels), max(levels)
    ambiguous = twice.intersection([near] if near is not None else [e for e in (below, above) if e])
    if ambiguous:
        several = f"several images are of {min(ambiguous):g} keV"
        return "same-level", several, "Keep one of them: samples.one_per(...) or .query(...)."
    if near is not None:
        group.made.append(_native(levels[near], near, wanted))
        return None
    if below is None or above is None:
        if len(maps) == 2 and group.related:
            group.made.append(_from_maps(maps["iodine"], maps["water"], wanted))
            return None
        if len(levels) < 2:
            return "one-level", f"{min(levels):g} keV is the only level", _ONE_ACQUISITION
        span = f"the levels reach from {min(levels):g} to {max(levels):g} keV"
        return "outside-pair", span, "extrapolate: true in the recipe derives it, with more noise and error."
    if not group.related:
        return "not-one-acquisition", _UNRELATED, _ONE_ACQUISITION
    group.made.append(_between(levels[below], levels[above], below, above, wanted))
    return None


def _near(level: float, levels: Mapping[float, Sample]) -> float | None:
    """The level that is the same, within what headers round."""
    nearest = min(levels, key=lambda other: abs(other - level), default=None)
    return nearest if nearest is not None and abs(nearest - level) <= SAME_KEV else None


def _native(sample: Sample, level: float, wanted: float) -> Sample:
    """The image as it is, at the level that was asked for: rows of one level share a coordinate."""
    if level == wanted:
        return sample
    source = f"{sample.coords.get('energy_source') or 'native'}, {level:g} keV"
    return replace(sample, coords={**sample.coords, "energy_kev": float(wanted), "energy_source": source})


def _between(low: Sample, high: Sample, low_kev: float, high_kev: float, wanted: float) -> Sample:
    images = {
        "image": replace(low.images["image"], energy_kev=low_kev),
        "high": replace(high.images["image"], energy_kev=high_kev),
    }
    return _vmi(low, images, wanted, f"derived from {low_kev:g} and {high_kev:g} keV")


def _from_maps(iodine: Sample, water: Sample, wanted: float) -> Sample:
    images = {"image": iodine.images["image"], "water": water.images["image"]}
    made = _vmi(iodine, images, wanted, "derived from iodine and water")
    return replace(made, coords={**made.coords, "material": ""})


def _vmi(base: Sample, images: Mapping[str, VolumeRef], wanted: float, source: str) -> Sample:
    derivation = f"vmi {wanted:g} keV"
    told: dict[str, Coordinate] = {
        "energy_kev": float(wanted),
        "energy_source": source,
        "derivation": derivation,
    }
    return replace(base, images=images, coords={**base.coords, **told}, derivation=derivation)


def diffusion_rows(group: Group) -> None:
    """One row: the ADC map of the images of two or more b-values."""
    weighted: dict[float, list[Sample]] = defaultdict(list)
    for sample in group.members:
        b_value = _number(sample, "b_value")
        if sample.coords.get("sequence") == "ADC":
            group.leave(sample, "adc-map", "its image is an ADC map already", _MEASURE_MAP)
        elif b_value is None:
            group.leave(sample, "no-b-value", "its image has no b-value", "")
        else:
            weighted[b_value].append(sample)
    several = sorted(b for b, samples in weighted.items() if len(samples) > 1 and not _directions(samples))
    if not weighted:
        return
    if several:
        what = f"several images have b={several[0]:g} s/mm2"
        group.refuse("same-b-value", what, "Keep one, or the directions of one series.")
    elif len(weighted) < 2:
        what = f"b={min(weighted):g} s/mm2 is the only b-value of this ROI"
        group.refuse("one-b-value", what, "Pair with on='diffusion': a contour then serves every b-value.")
    elif not group.related:
        group.refuse("not-one-acquisition", _UNRELATED, _ONE_SERIES)
    else:
        group.made.append(_adc(sorted(weighted.items())))


_MEASURE_MAP = "A recipe without `derive` measures the scanner's map."
_ONE_SERIES = "Pair with on='diffusion', or give images of one series the same coordinate `acquisition`."


def _directions(samples: Sequence[Sample]) -> bool:
    """Whether images of one b-value are the gradient directions of one series."""
    splits = {str(sample.coords.get("split") or "") for sample in samples}
    one_series = len({sample.coords.get("series_uid") for sample in samples}) == 1
    return one_series and len(splits) == len(samples) and all("dir=" in split for split in splits)


def _adc(weighted: Sequence[tuple[float, Sequence[Sample]]]) -> Sample:
    base = weighted[0][1][0]
    images = {}
    for b, samples in weighted:
        ordered = sorted(samples, key=lambda sample: str(sample.coords.get("split") or ""))
        for number, sample in enumerate(ordered, start=1):
            role = f"b={b:g}" if len(samples) == 1 else f"b={b:g}/{number}"
            images["image" if sample is base else role] = replace(sample.images["image"], b_value=b)
    told: dict[str, Coordinate] = {"b_value": None, "sequence": "ADC", "derivation": "adc"}
    return replace(base, images=images, coords={**base.coords, **told}, derivation="adc")


def contrast_rows(group: Group, derivation: str) -> None:
    """A row for each image after contrast: what it has more than the one before."""
    timed = [(time, sample) for sample in group.members if (time := _time_point(sample)) is not None]
    others = [sample for sample in group.members if _time_point(sample) is None]
    for points in _dynamics(timed):
        pre, *posts = (sample for _, sample in sorted(points, key=lambda point: point[0]))
        if posts and _all_differ(points):
            group.made += [_contrast(post, pre, derivation) for post in posts]
        else:
            others += [sample for _, sample in points]
    _by_phase(group, others, derivation)


def _dynamics(timed: Sequence[Timed]) -> Iterable[Sequence[Timed]]:
    """Time points that belong together: all where no two have one time, otherwise those of each series."""
    if _all_differ(timed):
        return [timed] if timed else []
    series: dict[object, list[Timed]] = defaultdict(list)
    for time, sample in timed:
        series[sample.coords.get("series_uid")].append((time, sample))
    return series.values()


def _all_differ(timed: Sequence[Timed]) -> bool:
    return len({time for time, _ in timed}) == len(timed)


def _by_phase(group: Group, images: Sequence[Sample], derivation: str) -> None:
    """Images of series of their own: the one without contrast is known by its phase or header."""
    before = [sample for sample in images if _enhanced(sample) is False]
    after = [sample for sample in images if _enhanced(sample)]
    for sample in images:
        if sample not in before and sample not in after:
            group.leave(sample, "no-time-point", "its image is no time point that is known", _STATE_PHASE)
    if after and len(before) != 1:
        what = "several images" if before else "no image"
        group.refuse("no-pre", f"{what} of this ROI without contrast", _STATE_PHASE, of=after[0])
    elif after:
        group.made += [_contrast(post, before[0], derivation) for post in after]
    elif before:
        group.refuse("no-post", "no image of this ROI after contrast", _STATE_PHASE, of=before[0])


_STATE_PHASE = "Pair with on='frame'; where headers do not tell, .assign(phase=...) with native for before."


def _enhanced(sample: Sample) -> bool | None:
    """Whether an image is one after contrast; None: not told."""
    phase = str(sample.coords.get("phase") or "unknown")
    if phase != "unknown":
        return phase != "native"
    return {"yes": True, "no": False}.get(str(sample.coords.get("post_contrast")))


def _time_point(sample: Sample) -> float | None:
    """Which time point of a dynamic an image is, from 1; None: none, or not told."""
    numbered = _number(sample, "temporal_position")
    if numbered is not None:
        return numbered
    match = _TIME.search(str(sample.coords.get("split") or ""))
    return float(match[1]) if match else None


def _contrast(post: Sample, pre: Sample, derivation: str) -> Sample:
    images = {"image": post.images["image"], "pre": pre.images["image"]}
    return replace(
        post, images=images, coords={**post.coords, "derivation": derivation}, derivation=derivation
    )


def _number(sample: Sample, name: str) -> float | None:
    value = sample.coords.get(name)
    return float(value) if isinstance(value, int | float) and value == value else None
