"""MR: units of maps, ADC of diffusion-weighted images, differences of dynamic ones."""

from gclnm.harmonize.mr.adc import AdcSettings, fit_adc, trace
from gclnm.harmonize.mr.dynamic import relative_enhancement, subtract
from gclnm.harmonize.mr.units import standard_units

__all__ = ["AdcSettings", "fit_adc", "relative_enhancement", "standard_units", "subtract", "trace"]
