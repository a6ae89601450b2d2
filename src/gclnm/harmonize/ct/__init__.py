"""CT: plausible Hounsfield units, maps of iodine and water in mg/mL; all else under its own name."""

from gclnm.harmonize.ct.hu import hounsfield
from gclnm.harmonize.ct.iodine import check_iodine, iodine, water
from gclnm.harmonize.ct.settings import CtSettings

__all__ = ["CtSettings", "check_iodine", "hounsfield", "iodine", "water"]
