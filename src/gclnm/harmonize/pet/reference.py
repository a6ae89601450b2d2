"""The time that a PET image is decay-corrected to: which of the header's times to trust."""

from __future__ import annotations

from dataclasses import dataclass

from gclnm.harmonize.pet.frames import Frames, frames_of
from gclnm.harmonize.pet.header import EXPORT, USER, Header, apart, term

__all__ = ["MAKERS", "maker", "reference"]

MAKERS = frozenset({"GE", "SIEMENS", "PHILIPS", "CPS", "CTI", "UIH", "CANON", "TOSHIBA"})
_LATE_S = 1.0
_AGREE_S = 2.0
# Two clocks of one scan: 10 s of F-18 decay are 0.1 %, 60 s are 0.63 %.
_NOTED_S = 10.0
_REFUSED_S = 60.0
_HOUR_S = 3600.0
_SERIES, _EARLIEST = "Series Time", "the earliest Acquisition Time"
_VENDOR, _DECAY, _BACK = "the vendor's own time", "Decay Factor", "Frame Reference Time"


@dataclass(frozen=True)
class _Candidate:
    """One attribute's answer.

    ``sure``: good enough to contradict Series Time alone. ``own``: made without Acquisition Time.
    """

    name: str
    time_s: float
    sure: bool
    own: bool


def maker(header: Header) -> str:
    """The manufacturer as one of :data:`MAKERS`, else ``"other"``."""
    words = header.text("manufacturer").upper().split()
    named = words[0] if words else ""
    return term(named, MAKERS) if named in MAKERS else "other"


def reference(header: Header, half_life_s: float) -> float:
    """Seconds from midnight of the series' day that decay is corrected to (Decay Correction START).

    The rules, in QIBA's order (Vendor-neutral pseudo-code for SUV calculation), with the cross-checks of
    the SUV manual of the IBSI and of measured headers:

    1. ``reference_clock_s`` of the user.
    2. Series Time, if it is not after the earliest Acquisition Time (1 s is allowed).
    3. The vendor's private time: GE (0009,100D), Siemens (0071,1022); its clock, as dates are unreliable.
    4. Back-computed from Acquisition Time and Frame Reference Time (:meth:`Frames.back_computed`), or from
       Decay Factor, where Acquisition Time is the bed's own.
    5. The earliest Acquisition Time.

    Series Time gives way when the vendor's time and one of rule 4, or both of rule 4 over several beds,
    agree within 2 s and Series Time does not. Sure candidates (vendor's time, Decay Factor, several
    beds that back-compute to one time) that disagree with the answer by more than 60 s are refused, unless
    another one supports it. Every other candidate that disagrees by more than 10 s is a doubt.

    Raises
    ------
    QuantityError
        The times are missing or contradict each other.
    """
    header.same("series_s")
    own = header.time("reference_clock_s") if header.overridden("reference_clock_s") else None
    if own is not None:
        header.told["reference"] = USER
        return own
    series_s = header.time("series_s")
    frames = frames_of(header, series_s)
    found = _candidates(header, frames, series_s, half_life_s)
    taken = _taken(header, frames, found, series_s)
    _tell(header, taken, found)
    _cross_check(header, taken, found)
    return taken.time_s


def _candidates(
    header: Header, frames: Frames, series_s: float | None, half_life_s: float
) -> dict[str, _Candidate]:
    """Every other answer, by name."""
    found: dict[str, _Candidate] = {}
    near = series_s if series_s is not None else frames.first_s
    private = header.time("vendor_reference_clock_s")
    if private is not None:
        # Its clock only, on the day of the series.
        time_s = private if near is None else near + apart(private, near)
        found[_VENDOR] = _Candidate(_VENDOR, time_s, sure=True, own=True)
    if not frames.of_beds:
        if frames.first_s is not None:
            header.note("AcquisitionTime is not that of each bed: nothing is back-computed from it")
        return found
    back = frames.back_computed(maker(header), half_life_s)
    factors = frames.by_decay_factor(half_life_s)
    for name, times, sure in ((_DECAY, factors, True), (_BACK, back, frames.several and len(back) > 1)):
        if times and max(times) - min(times) > _NOTED_S:
            header.note(f"{name} gives times {max(times) - min(times):.0f} s apart by slice: not used")
        elif times:
            found[name] = _Candidate(name, sorted(times)[len(times) // 2], sure, own=False)
    return found


def _taken(
    header: Header, frames: Frames, found: dict[str, _Candidate], series_s: float | None
) -> _Candidate:
    first_s = frames.first_s
    if series_s is not None and first_s is not None and series_s <= first_s + _LATE_S:
        series = _Candidate(_SERIES, series_s, sure=False, own=True)
        better = _better(found, series_s, frames.several)
        if better is None:
            _not_too_early(header, found, series_s, first_s)
            return series
        words = f"SeriesTime is {abs(better.time_s - series_s):.0f} s off: {better.name} and another agree"
        header.doubt(words, header.supply("reference_clock_s"))
        return better
    return _without_series(header, found, series_s, first_s)


def _without_series(
    header: Header, found: dict[str, _Candidate], series_s: float | None, first_s: float | None
) -> _Candidate:
    """Series Time is missing or was written later: rules 3 to 5."""
    fix = header.supply("reference_clock_s")
    vendor = found.get(_VENDOR)
    if first_s is None and series_s is not None:
        if vendor is not None and abs(vendor.time_s - series_s) <= _NOTED_S:
            return _Candidate(_SERIES, series_s, sure=False, own=True)
        header.refuse("AcquisitionTime is missing, and nothing else confirms SeriesTime", fix)
    late = (
        "SeriesTime is missing"
        if series_s is None
        else f"SeriesTime is {series_s - (first_s or 0.0):.0f} s after the first AcquisitionTime"
    )
    for name in (_VENDOR, _BACK, _DECAY):
        if name in found:
            header.doubt(f"{late}: decay is counted to {name}", fix)
            return found[name]
    if series_s is None or first_s is None:
        header.refuse(late, fix)
    header.doubt(f"{late}: decay is counted to {_EARLIEST}, the first bed must be in the series", fix)
    return _Candidate(_EARLIEST, first_s, sure=False, own=False)


def _better(found: dict[str, _Candidate], series_s: float, several: bool) -> _Candidate | None:
    """A time that two witnesses tell within 2 s and Series Time does not."""
    vendor, decay, back = (found.get(name) for name in (_VENDOR, _DECAY, _BACK))
    for one, other in ((vendor, back), (vendor, decay), (decay, back)):
        if one is None or other is None or abs(one.time_s - other.time_s) > _AGREE_S:
            continue
        # Both of the last pair rest on Acquisition Time: beds have to confirm it.
        independent = one.own or several
        off = min(abs(one.time_s - series_s), abs(other.time_s - series_s)) > _AGREE_S
        if independent and off:
            return one
    return None


def _not_too_early(header: Header, found: dict[str, _Candidate], series_s: float, first_s: float) -> None:
    supported = any(abs(c.time_s - series_s) <= _REFUSED_S for c in found.values())
    if first_s - series_s > _HOUR_S and not supported:
        header.refuse(
            "SeriesTime is more than an hour before the first AcquisitionTime",
            f"{header.supply('reference_clock_s')} {EXPORT}",
        )


def _tell(header: Header, taken: _Candidate, found: dict[str, _Candidate]) -> None:
    header.told["reference"] = taken.name
    others = {c.name: round(c.time_s - taken.time_s, 1) + 0.0 for c in found.values() if c.name != taken.name}
    series_s = header.time("series_s")
    if series_s is not None and taken.name != _SERIES:
        others[_SERIES] = round(series_s - taken.time_s, 1)
    if others:
        header.told["others_s"] = others


def _cross_check(header: Header, taken: _Candidate, found: dict[str, _Candidate]) -> None:
    """Tell witnesses that disagree; refuse where a sure one does by a minute and none supports the answer."""
    others = [c for c in found.values() if c.name != taken.name]
    supported = any(c.sure and abs(c.time_s - taken.time_s) <= _NOTED_S for c in others)
    for other in others:
        off = abs(other.time_s - taken.time_s)
        words = f"{taken.name} and {other.name} disagree by {off:.0f} s about the start of the scan"
        if off > _REFUSED_S and other.sure and not supported:
            header.refuse(words, header.supply("reference_clock_s"))
        if off > _NOTED_S:
            header.doubt(words, header.supply("reference_clock_s"))
