"""When the frames of a PET series were acquired, and what each says of the time decay is corrected to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gclnm.harmonize.pet.header import DAY_S, Header, apart

__all__ = ["Frames", "average_s", "frames_of", "loss"]

# Below a second a frame's duration was written in seconds, not milliseconds.
_LEAST_DURATION_MS = 1000.0
_SAME_TIME_S = 2.0


@dataclass(frozen=True)
class Frames:
    """Times of the frames, one a slice, in seconds from midnight of the Series Date.

    Parameters
    ----------
    acquired_s
        Start of counting (Acquisition Time).
    duration_s, reference_s
        Actual Frame Duration, Frame Reference Time (from the reference time of the series).
    decay_factor
        Decay Factor.
    of_beds
        Whether Acquisition Time is the bed's own, not one time for all.
    """

    acquired_s: Sequence[float | None]
    duration_s: Sequence[float | None]
    reference_s: Sequence[float | None]
    decay_factor: Sequence[float | None]
    of_beds: bool

    @property
    def first_s(self) -> float | None:
        """The earliest acquisition."""
        return min(_known(self.acquired_s), default=None)

    @property
    def several(self) -> bool:
        """Whether beds of different Acquisition Time can confirm each other."""
        times = _known(self.acquired_s)
        return bool(times) and max(times) - min(times) > _SAME_TIME_S

    def back_computed(self, maker: str, half_life_s: float) -> list[float]:
        """Reference times of the series: acquisition + x - Frame Reference Time, by slice.

        Frame Reference Time is "implementation dependent" (PS3.3 C.8.9.4.1.5). x is 0 for GE, which writes
        the start of the frame; half the duration for Philips, which writes its middle; for Siemens and
        others the time of the average count rate, the standard's example. Where it is not filled (0; on GE
        a first bed has 0) nothing is computed.
        """
        found = []
        for start, length, offset in zip(self.acquired_s, self.duration_s, self.reference_s, strict=True):
            if start is None or offset is None or (offset <= 0 and not (maker == "GE" and offset == 0)):
                continue
            if maker == "GE":
                found.append(start - offset)
            elif length is not None:
                inside = length / 2 if maker == "PHILIPS" else average_s(length, half_life_s)
                found.append(start + inside - offset)
        return found

    def by_decay_factor(self, half_life_s: float) -> list[float]:
        """Reference times by Decay Factor, where it is above 1: some vendors always write 1."""
        rate, found = math.log(2) / half_life_s, []
        for start, length, factor in zip(self.acquired_s, self.duration_s, self.decay_factor, strict=True):
            if start is not None and length is not None and factor is not None and factor > 1:
                found.append(start - math.log(factor / loss(length, half_life_s)) / rate)
        return found


def frames_of(header: Header, series_s: float | None) -> Frames:
    """The frames of a header.

    Acquisition times more than 12 h from Series Time stand under another date (de-identification shifts
    dates apart): only their clock counts. Acquisition Time is not of the beds when it is the same for frames
    that Frame Reference Time sets apart, or is Series Time for a frame after the first (GE Discovery ST,
    some Philips).
    """
    acquired = header.slices("acquisition_s")
    n = len(acquired)
    if series_s is not None and any(t is not None and abs(t - series_s) > DAY_S / 2 for t in acquired):
        header.note("AcquisitionDate is not that of the series: clock times are compared")
        acquired = [None if t is None else series_s + apart(t, series_s) for t in acquired]
    durations = _seconds(header.slices("frame_duration_ms"), n)
    if any(0 < 1000 * length < _LEAST_DURATION_MS for length in _known(durations)):
        header.note("ActualFrameDuration is below a second, which would be its unit: not used")
    durations = [None if t is None or 1000 * t < _LEAST_DURATION_MS else t for t in durations]
    offsets = _seconds(header.slices("frame_reference_ms"), n)
    factors = header.slices("decay_factor") or [None] * n
    return Frames(acquired, durations, offsets, factors, _of_beds(acquired, durations, offsets, series_s))


def _of_beds(
    acquired: Sequence[float | None],
    durations: Sequence[float | None],
    offsets: Sequence[float | None],
    series_s: float | None,
) -> bool:
    times, lengths, starts = _known(acquired), _known(durations), _known(offsets)
    if not times or not starts:
        return bool(times)
    length = max(lengths, default=0.0)
    if max(times) - min(times) <= _SAME_TIME_S and max(starts) - min(starts) > max(length / 2, _SAME_TIME_S):
        return False
    late = min(starts) >= max(length, _SAME_TIME_S)
    return not (late and series_s is not None and abs(min(times) - series_s) <= _SAME_TIME_S)


def _seconds(packed_ms: Sequence[float | None], n: int) -> list[float | None]:
    return [None if value is None else value / 1000 for value in packed_ms] or [None] * n


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def loss(duration_s: float, half_life_s: float) -> float:
    """Activity at the start of a frame over the mean during it: x / (1 - exp(-x)), x = ln 2 duration / T.

    Examples
    --------
    >>> round(loss(240.0, 6588.0), 5)
    1.01268
    """
    x = math.log(2) / half_life_s * duration_s
    return x / -math.expm1(-x) if x else 1.0


def average_s(duration_s: float, half_life_s: float) -> float:
    """Seconds into a frame at which the count rate is its average (PS3.3 C.8.9.4.1.5, example 2).

    Examples
    --------
    >>> round(average_s(603.0, 6586.2), 2)
    299.91
    """
    return math.log(loss(duration_s, half_life_s)) * half_life_s / math.log(2)
