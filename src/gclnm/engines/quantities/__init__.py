"""Quantities beside the radiomics, on the image as scanned: SUV metrics, iodine, ADC."""

from gclnm.engines.quantities.settings import Quantities

__all__ = ["Quantities"]
