"""Settings of CT: what a recipe may choose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from gclnm.prepare.settings import Finite, Positive, Settings

__all__ = ["CtSettings"]


class CtSettings(Settings):
    """How CT becomes what features are computed on.

    Examples
    --------
    >>> CtSettings(clamp_hu=(-1024, 3071)).clamp_hu
    (-1024.0, 3071.0)
    """

    clamp_hu: tuple[Finite, Finite] | None = None
    """Lowest and highest HU; values beyond are set to them. None: values stay as they are."""
    iodine_hu_per_mg_ml: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """HU for 1 mg/mL in iodine maps in HU, by the scanner's manual; None: such maps are refused."""
    most_iodine_mg_ml: Positive = 15.0
    """Median iodine of an ROI in tissue above which the unit of the map is doubted."""
    most_aorta_mg_ml: Positive = 40.0
    """The same for ROIs in blood, and for all that takes up iodine in the image."""

    @field_validator("clamp_hu")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError("the first is the lower limit, the second the upper one")
        return value
