"""Looking and judging: contours on images, and a page of every sample, most suspicious first."""

from gclnm.report.contours import contours
from gclnm.report.preview import preview

__all__ = ["contours", "preview"]
