"""MR: units of maps, ADC, differences of dynamics, bias correction and normalization of signal."""

from gclnm.harmonize.mr.adc import AdcSettings, fit_adc, trace
from gclnm.harmonize.mr.bias import n4
from gclnm.harmonize.mr.body import body_mask
from gclnm.harmonize.mr.dynamic import relative_enhancement, subtract
from gclnm.harmonize.mr.normalize import normalize
from gclnm.harmonize.mr.settings import (
    N4,
    MrSettings,
    Nyul,
    Percentile,
    ReferenceTissue,
    StandardScale,
    WhiteStripe,
    ZScore,
)
from gclnm.harmonize.mr.units import standard_units

__all__ = [
    "N4",
    "AdcSettings",
    "MrSettings",
    "Nyul",
    "Percentile",
    "ReferenceTissue",
    "StandardScale",
    "WhiteStripe",
    "ZScore",
    "body_mask",
    "fit_adc",
    "n4",
    "normalize",
    "relative_enhancement",
    "standard_units",
    "subtract",
    "trace",
]
