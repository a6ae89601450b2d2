"""CT: Hounsfield units that are plausible, maps of iodine and water in mg/mL; everything else under its own name."""

from gclnm.harmonize.ct.hu import hounsfield
from gclnm.harmonize.ct.iodine import check_iodine, iodine, water
from gclnm.harmonize.ct.settings import CtSettings

__all__ = ["CtSettings", "check_iodine", "hounsfield", "iodine", "water"]
