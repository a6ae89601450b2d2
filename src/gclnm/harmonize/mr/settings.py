"""Settings of MR: bias correction and the scale that signal is brought to."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from gclnm.harmonize.mr.adc import AdcSettings
from gclnm.prepare.settings import Positive, Settings

__all__ = [
    "N4",
    "NOT_LEARNT",
    "MrSettings",
    "Normalization",
    "Nyul",
    "Percentile",
    "ReferenceTissue",
    "StandardScale",
    "WhiteStripe",
    "ZScore",
]

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Role = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]

NOT_LEARNT = {
    "what": "the standard scale of harmonize.mr.normalize has not been learnt",
    "fix": "recipe = gclnm.fit(training_samples, recipe) learns it.",
    "code": "not-learnt",
}
NOT_BRAIN = (
    "WhiteStripe looks for the peak of white matter, which only the brain has; "
    "take z-score, percentile, nyul or reference-tissue"
)


class N4(Settings):
    """Correction of the smooth shading by coils (N4, Tustison 2010, doi 10.1109/TMI.2010.2046908)."""

    iterations: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        default=(50, 50, 50), min_length=1, max_length=4
    )
    """Most iterations of each fitting level; each level doubles the detail of the field. One or two levels
    may stop before they have begun, more than three fit anatomy."""
    shrink_to_mm: Positive = 6.0
    """The field is fitted on every n-th voxel, n the largest with which voxels stay within this size;
    thick slices stay as they are."""


class ZScore(Settings):
    """Mean 0 and standard deviation ``scale`` in the body."""

    method: Literal["z-score"]
    """Name of the method."""
    scale: Positive = 1.0
    """Standard deviation of the result."""
    clip_sd: Positive | None = 3.0
    """Values further than this many standard deviations from the mean are set to that distance."""
    exclude_roi: bool = True
    """Mean and standard deviation are those of the body without the ROI."""


class Percentile(Settings):
    """Two percentiles of the body to 0 and ``scale``."""

    method: Literal["percentile"]
    """Name of the method."""
    low: Percent = 1.0
    """Percentile that becomes 0."""
    high: Percent = 99.0
    """Percentile that becomes ``scale``; values beyond both are kept."""
    scale: Positive = 1.0
    """What the high percentile becomes."""
    exclude_roi: bool = True
    """Percentiles are those of the body without the ROI."""

    @model_validator(mode="after")
    def _ordered(self) -> Percentile:
        if self.high <= self.low:
            raise ValueError(f"high: {self.high:g} is not above low, {self.low:g}")
        return self


class ReferenceTissue(Settings):
    """Divided by the signal of a tissue that was outlined: muscle, spleen, fat ..."""

    method: Literal["reference-tissue"]
    """Name of the method."""
    role: Role = "reference"
    """Role of the mask that outlines it, as paired."""
    statistic: Literal["mean", "median"] = "mean"
    """What of the tissue the image is divided by."""
    scale: Positive = 1.0
    """Value of the tissue in the result."""


class StandardScale(Settings):
    """What a Nyúl normalization learnt, and from which cases."""

    landmarks: tuple[float, ...] = Field(min_length=2)
    """Where the percentiles lie on the standard scale, in ascending order."""
    cases: Annotated[int, Field(ge=1)]
    """Number of images that it was learnt from."""
    sample_ids: tuple[str, ...] = ()
    """The training samples, sorted; left out when there are more than 100."""
    sample_ids_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of all of them, sorted, one a line."""

    @field_validator("landmarks")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not low < high for low, high in pairwise(value)):
            raise ValueError("landmarks of a standard scale ascend")
        return value


class Nyul(Settings):
    """Percentiles of the body to a standard scale learnt from training cases (Nyúl and Udupa 1999)."""

    method: Literal["nyul"]
    """Name of the method."""
    percentiles: tuple[Percent, ...] = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
    """Landmarks of a histogram (Shah 2011: 1, the deciles, 99)."""
    scale: tuple[float, float] = (0.0, 100.0)
    """Where the first and the last landmark of each training image are put when the scale is learnt."""
    exclude_roi: bool = True
    """Landmarks are those of the body without the ROI."""
    standard: StandardScale | None = None
    """What :func:`gclnm.fit` learnt; nothing can be normalized without."""

    @field_validator("percentiles")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) < 2 or any(not low < high for low, high in pairwise(value)):
            raise ValueError("two or more percentiles in ascending order")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Nyul:
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {self.scale[1]:g} is not above {self.scale[0]:g}")
        if self.standard and len(self.standard.landmarks) != len(self.percentiles):
            raise ValueError("standard.landmarks: one for each of percentiles")
        return self


class WhiteStripe(Settings):
    """Mean 0 and standard deviation 1 in normal-appearing white matter (Shinohara 2014)."""

    method: Literal["white-stripe"]
    """Name of the method."""
    anatomy: Literal["brain"]
    """Has to be stated: it is for the brain only."""
    contrast: Literal["T1", "T2"]
    """White matter is the last peak of the histogram (T1) or the highest one (T2)."""
    width: Annotated[float, Field(gt=0, le=0.25)] = 0.05
    """The stripe reaches this fraction of the brain's voxels to either side of the peak."""
    role: Role = "brain"
    """Role of the mask of the brain, without skull, as paired."""

    @field_validator("anatomy", mode="before")
    @classmethod
    def _brain(cls, value: Any) -> Any:
        if value != "brain":
            raise ValueError(NOT_BRAIN)
        return value


Normalization: TypeAlias = ZScore | Percentile | ReferenceTissue | Nyul | WhiteStripe


class MrSettings(Settings):
    """MR: signal by N4 first, then a normalization, neither unless asked for; how ADC maps are fitted.

    Examples
    --------
    >>> MrSettings(n4=N4(), normalize={"method": "z-score"}).normalize.clip_sd
    3.0
    """

    n4: N4 | None = None
    """Bias correction; skipped, and said so, where the scanner has corrected already."""
    normalize: Annotated[Normalization, Field(discriminator="method")] | None = None
    """What signal is scaled to; the quantity becomes ``normalized``."""
    adc: AdcSettings = AdcSettings()
    """How an ADC is fitted, where the recipe derives it."""

    @field_validator("n4", mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        # `n4: true` in YAML reads as "with its defaults".
        return {} if value is True else value
