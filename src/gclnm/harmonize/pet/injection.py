"""Seconds from the injection to a time of the scan."""

from __future__ import annotations

from gclnm.harmonize.pet.dose import F18_S
from gclnm.harmonize.pet.header import DAY_S, USER, Header, apart

__all__ = ["elapsed"]

_HOUR_S = 3600.0
_MINUTE_S = 60.0
# MIRP and Z-Rad: from here on a day more or less cannot be told by what is left.
_LONG_HALF_LIFE_S = 41400.0
_FDG_UPTAKE_MIN = (30.0, 180.0)
_STAMP, _CLOCK, _VENDOR = (
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
    "the vendor's own time of injection",
)


def elapsed(header: Header, reference_s: float, half_life_s: float) -> float:
    """Seconds from the injection to ``reference_s``.

    The rules: ``uptake_min`` or ``injection_clock_s`` of the user; Radiopharmaceutical Start DateTime, if it
    lies 0 to 2 half-lives before; else its clock time, or Radiopharmaceutical Start Time, on the day of the
    reference time; if that is more than an hour after it, on the day before (midnight). GE's administration
    time (0009,103B) against its scan time, where the others are missing. Two clock times more than a minute
    apart are refused, unless only one of them is plausible or GE's confirms one.

    Raises
    ------
    QuantityError
        No time of injection, contradicting ones, one after the scan, or more than 2 half-lives before it.
    """
    if header.overridden("uptake_min"):
        header.told |= {"injection": USER, "uptake_min": header.time("uptake_min")}
        supplied_s = 60.0 * (header.time("uptake_min") or 0.0)
        _unusual(header, supplied_s, half_life_s)
        return supplied_s
    if not header.overridden("injection_clock_s"):
        header.same("injection_s", "injection_offset", "injection_clock_s")
    dated, clock, name = _read(header, reference_s, half_life_s)
    header.told["injection"] = name
    seconds = None if dated is None else reference_s - dated
    if seconds is None or not 0 <= seconds <= 2 * half_life_s:
        seconds = _by_clock(header, reference_s, half_life_s, clock, seconds)
    _check(header, seconds, half_life_s)
    header.told["uptake_min"] = round(seconds / 60, 2)
    return seconds


def _read(header: Header, reference_s: float, half_life_s: float) -> tuple[float | None, float, str]:
    """Dated time, clock time and source of the injection."""
    fix = header.supply("injection_clock_s")
    clock = header.time("injection_clock_s")
    if clock is not None and header.overridden("injection_clock_s"):
        return None, clock, USER
    dated, vendor = header.time("injection_s"), _vendor_clock(header)
    if dated is None:
        if clock is not None:
            return None, clock, _CLOCK
        if vendor is None:
            header.refuse(f"{_STAMP} and {_CLOCK} are missing", fix)
        header.doubt(f"{_STAMP} and {_CLOCK} are missing: {_VENDOR} counts", fix)
        return None, vendor, _VENDOR
    if clock is not None and abs(apart(dated, clock)) > _MINUTE_S:
        return _one_of_two(header, dated, clock, vendor, reference_s, half_life_s)
    if clock is None:
        _check_offset(header)
    return dated, dated % DAY_S, _STAMP


def _vendor_clock(header: Header) -> float | None:
    """Clock time of the injection by the vendor's private group: its scan time less its uptake."""
    scan, uptake = header.time("vendor_reference_clock_s"), header.time("vendor_uptake_s")
    return None if scan is None or uptake is None else (scan - uptake) % DAY_S


def _check_offset(header: Header) -> None:
    """An offset from UTC that the times of the series lack: which clock is it?"""
    offset = header.text("injection_offset")
    if offset == "utc":
        header.refuse(
            f"{_STAMP} is in UTC, and nothing says how far the times of the series are from it",
            f"{header.supply('injection_clock_s')} Or state TimezoneOffsetFromUTC of the series.",
        )
    if offset == "local":
        header.doubt(
            f"{_STAMP} has an offset from UTC that the times of the series lack: taken as their clock",
            header.supply("injection_clock_s"),
        )
    if offset == "shifted":
        header.note(f"{_STAMP} was brought to the offset from UTC of the series")


def _one_of_two(
    header: Header,
    dated: float,
    clock: float,
    vendor: float | None,
    reference_s: float,
    half_life_s: float,
) -> tuple[float | None, float, str]:
    """Date-time and time disagree: the one that the vendor's confirms, or the only plausible one."""
    choices = {_STAMP: dated % DAY_S, _CLOCK: clock}
    by_vendor = [n for n, t in choices.items() if vendor is not None and abs(apart(t, vendor)) <= _MINUTE_S]
    plausible = [n for n, t in choices.items() if (reference_s - t) % DAY_S <= 2 * half_life_s]
    off = abs(apart(dated, clock))
    words, fix = f"{_STAMP} and {_CLOCK} disagree by {off:.0f} s", header.supply("injection_clock_s")
    for likely, why in ((by_vendor, "the vendor's own time confirms"), (plausible, "plausible is only")):
        if len(likely) == 1:
            name = likely[0]
            header.doubt(f"{words}: {why} {name}", fix)
            return (dated if name == _STAMP else None), choices[name], name
    header.refuse(words, fix)


def _by_clock(
    header: Header, reference_s: float, half_life_s: float, clock: float, by_date: float | None
) -> float:
    """Clock time on the day of the reference time, or the day before."""
    if half_life_s > _LONG_HALF_LIFE_S:
        header.refuse(
            f"a half-life of {half_life_s / 3600:.0f} h needs a date of the injection, and none is plausible",
            header.supply("uptake_min"),
        )
    day = reference_s // DAY_S * DAY_S
    seconds = reference_s - (day + clock)
    if seconds < -_HOUR_S:
        seconds += DAY_S
        header.note("the injection was before midnight")
    if by_date is not None:
        # Not by how much: that would tell how far a de-identifier shifted dates.
        words = "the date of the injection does not lie 0 to 2 half-lives before the scan: clock times count"
        header.doubt(words, header.supply("injection_clock_s"))
    return seconds


def _check(header: Header, seconds: float, half_life_s: float) -> None:
    dynamic = "DYNAMIC" in header.words("series_type")
    if -_HOUR_S <= seconds < 0 and dynamic:
        header.note(f"the injection was {-seconds:.0f} s after the start of a dynamic scan")
    elif not 0 <= seconds <= 2 * half_life_s:
        header.refuse(
            f"the injection would be {seconds / 60:.0f} min before the scan, which is not plausible",
            header.supply("injection_clock_s", "uptake_min"),
        )
    _unusual(header, seconds, half_life_s)


def _unusual(header: Header, seconds: float, half_life_s: float) -> None:
    """Tell an uptake that FDG does not have: a short one is a doubt, a late scan is worth knowing."""
    low, high = _FDG_UPTAKE_MIN
    is_f18 = abs(half_life_s / F18_S - 1) <= 0.01
    if not is_f18 or "DYNAMIC" in header.words("series_type") or low <= seconds / 60 <= high:
        return
    words = f"{seconds / 60:.0f} min of uptake are unusual for FDG ({low:.0f} to {high:.0f})"
    if seconds / 60 > high:
        header.note(words)
    elif header.overridden("uptake_min") or header.overridden("injection_clock_s"):
        # Strict settings doubt the header, not the user.
        header.doubts.append(words)
    else:
        header.doubt(words, header.supply("injection_clock_s", "uptake_min"))
