"""What is done to an image and its ROI before features are computed: the settings of every step."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "LBP2D",
    "LBP3D",
    "Crop",
    "Discretise",
    "Filters",
    "Gradient",
    "LoG",
    "Normalize",
    "Plain",
    "Prepare",
    "Resample",
    "Resegment",
    "Settings",
    "Wavelet",
]

Interpolator = Literal[
    "bspline",
    "linear",
    "nearest",
    "gaussian",
    "label_gaussian",
    "hamming_sinc",
    "cosine_sinc",
    "welch_sinc",
    "lanczos_sinc",
    "blackman_sinc",
]
_WAVELETS = (
    r"^(haar|dmey|db([1-9]|[12]\d|3[0-8])|sym([2-9]|1\d|20)|coif([1-9]|1[0-7])"
    r"|(bior|rbio)(1\.[135]|2\.[2468]|3\.[13579]|4\.4|5\.5|6\.8))$"
)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseModel):
    """Base of all settings: frozen, without unknown keys, documented in their JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=False)


class Normalize(Settings):
    """Scale the whole image to mean 0 and a standard deviation of ``scale``, before resampling."""

    scale: Positive = 1.0
    """Standard deviation of the result."""
    clip_sd: Positive | None = None
    """Values further than this many standard deviations from the mean are set to that distance."""


class Resample(Settings):
    """Interpolate image and ROI to another voxel size."""

    spacing_mm: tuple[float, float, float]
    """New spacing along x, y and z; 0 keeps the spacing of that axis."""
    interpolator: Interpolator = "bspline"
    """How the image is interpolated; ``bspline`` is of third order."""
    pad_voxels: Annotated[int, Field(ge=0, le=1000)] = 5
    """New voxels kept around the ROI's box. Filters see no further: 10 or more for a LoG above 5 mm."""
    round: bool = False
    """Round to whole numbers afterwards, as IBSI asks on HU (pyradiomics does on integer images only)."""
    align: Literal["corner", "centre"] = "corner"
    """Where both grids meet: the corner of the first voxel (pyradiomics) or the middle (IBSI)."""
    mask: Literal["nearest", "linear"] = "nearest"
    """How the ROI is interpolated: ``nearest`` (pyradiomics), or ``linear`` and inside from 0.5 (IBSI)."""
    antialias: bool = False
    """Smooth the image before it is made coarser, by a Gaussian that matches the new voxel."""

    @field_validator("spacing_mm")
    @classmethod
    def _not_negative(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(0 <= s < 1000 for s in value):
            raise ValueError("a spacing is 0 (keep) or a positive number of millimetres")
        if not any(value):
            raise ValueError("all three spacings are 0; leave `resample` out to keep the image's grid")
        return value


class Crop(Settings):
    """Without resampling: cut the image around the ROI before filters, which otherwise see all of it."""

    pad_voxels: Annotated[int, Field(ge=0, le=1000)] = 5
    """Voxels kept around the ROI's box."""


class Resegment(Settings):
    """Leave voxels out of the ROI by intensity: by a range, as outliers, or both.

    Shape is still that of the whole ROI, but cut to the box of what stays in (pyradiomics).
    """

    range: tuple[Finite, Finite | None] | None = None
    """Lowest and highest value that stays in (both included); null for no upper limit."""
    mode: Literal["absolute", "relative", "sigma"] = "absolute"
    """``absolute``: values of the image; ``relative``: fractions of the ROI's maximum; ``sigma``: standard
    deviations from the ROI's mean."""
    sigma: Positive | None = None
    """Also leave out values further than this many standard deviations from the mean of the whole ROI
    (IBSI: outlier filtering, usually 3)."""
    shape: bool = False
    """Also compute shape on what remains (PET thresholds)."""
    cut_shape: bool = True
    """Cut shape to the box of what stays in (pyradiomics); IBSI's morphological mask is not cut."""

    @model_validator(mode="after")
    def _ordered(self) -> Resegment:
        if self.range is None:
            if self.sigma is None:
                raise ValueError("give a range, sigma or both")
            if self.mode != "absolute":
                raise ValueError("mode says what the range means, and there is none")
            return self
        low, high = self.range
        if high is not None and high <= low:
            raise ValueError(f"range: the upper limit {high:g} is not above the lower limit {low:g}")
        return self


class Discretise(Settings):
    """Turn intensities into grey levels for texture and entropy: fixed width or fixed number."""

    bin_width: Positive | None = None
    """Width of a grey level in units of the image."""
    bin_count: Annotated[int, Field(gt=0, le=4096)] | None = None
    """Number of grey levels between the ROI's minimum and maximum."""
    origin: Literal["zero", "minimum"] = "zero"
    """Where bins of a width begin. ``zero``: edges are whole multiples of the width, and level 1 holds the
    ROI's minimum (pyradiomics). ``minimum``: level 1 begins at the lower limit of an absolute
    ``resegment.range``, without one and on filtered images at the ROI's minimum (IBSI)."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Discretise:
        if (self.bin_width is None) == (self.bin_count is None):
            raise ValueError("give either bin_width or bin_count")
        if self.bin_count is not None and self.origin != "zero":
            raise ValueError("origin goes with bin_width: a number of bins begins at the ROI's minimum")
        return self


class Plain(Settings):
    """An image type without settings of its own."""

    discretise: Discretise | None = None
    """Grey levels of this image type, where they differ from the recipe's."""


class LoG(Plain):
    """Laplacian of Gaussian, three-dimensional, normalised across scales."""

    sigma_mm: tuple[Positive, ...] = Field(min_length=1)
    """Widths of the Gaussian; one image each."""

    @field_validator("sigma_mm")
    @classmethod
    def _sorted(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(value)))


class Wavelet(Plain):
    """Stationary wavelet transform: 8 images a level (4 in a 2-D recipe)."""

    wavelet: str = Field("coif1", pattern=_WAVELETS)
    """Name of a discrete wavelet, as PyWavelets spells it."""
    level: Annotated[int, Field(ge=1, le=8)] = 1
    """Number of levels."""
    start_level: Annotated[int, Field(ge=0, le=8)] = 0
    """Level to begin with, from 0."""


class Gradient(Plain):
    """Gradient magnitude."""

    use_spacing: bool = True
    """Per millimetre; otherwise per voxel."""


class LBP2D(Plain):
    """Local binary pattern, slice by slice (needs the extra ``gclnm[lbp]``)."""

    radius: Positive = 1.0
    """Distance of the neighbours, in voxels."""
    samples: Annotated[int, Field(ge=1, le=64)] = 8
    """Number of neighbours."""
    method: Literal["default", "ror", "uniform", "var"] = "uniform"
    """Variant, as in scikit-image."""


class LBP3D(Plain):
    """Local binary pattern on spheres, by spherical harmonics."""

    levels: Annotated[int, Field(ge=1, le=16)] = 2
    """Number of harmonic levels."""
    icosphere_radius: Positive = 1.0
    """Radius of the sphere, in voxels."""
    icosphere_subdivision: Annotated[int, Field(ge=0, le=5)] = 1
    """How finely the sphere is sampled."""


class Filters(Settings):
    """Images that features are computed on, beside shape. One that is absent is not computed."""

    original: Plain | None = None
    """The image itself."""
    log: LoG | None = None
    """Laplacian of Gaussian."""
    wavelet: Wavelet | None = None
    """Wavelet bands."""
    square: Plain | None = None
    """Squared intensities, scaled to the image's largest."""
    squareroot: Plain | None = None
    """Square roots of absolute intensities, with their sign."""
    logarithm: Plain | None = None
    """Logarithms of absolute intensities + 1, with their sign."""
    exponential: Plain | None = None
    """Exponentials, scaled to the image's largest."""
    gradient: Gradient | None = None
    """Gradient magnitude."""
    lbp2d: LBP2D | None = None
    """Local binary pattern in slices."""
    lbp3d: LBP3D | None = None
    """Local binary pattern on spheres."""

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        # `wavelet:` and `wavelet: true` in YAML read as "with its defaults".
        return {} if value is True else value

    @property
    def enabled(self) -> dict[str, Plain]:
        """Settings of the image types that are computed, in the order of the columns."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if value is not None}


class Prepare(Settings):
    """The way of image and ROI to what features are computed on, in this order."""

    normalize: Normalize | None = None
    """Scaling of the whole image; none by default."""
    resample: Resample | None = None
    """Voxel size; the image's own by default."""
    crop: Crop | None = None
    """Cutting around the ROI; resampling does that anyway."""
    resegment: Resegment | None = None
    """Intensities that stay in the ROI; all by default."""
    discretise: Discretise = Discretise(bin_width=25.0)
    """Grey levels."""
    filters: Filters = Filters(original=Plain())
    """Images that features are computed on."""

    @model_validator(mode="after")
    def _one_way_to_crop(self) -> Prepare:
        if self.crop and self.resample:
            raise ValueError("crop: resampling cuts around the ROI already, set resample.pad_voxels")
        return self
