"""Problems of a scan, collected as rows."""

from __future__ import annotations

from typing import Any, Literal

from gclnm.errors import GclnmError, printable
from gclnm.images.dicom.assemble import Assembled
from gclnm.images.dicom.stack import FIXES as GEOMETRY_FIXES

__all__ = ["Problems", "shown"]

Severity = Literal["error", "warning", "info"]
ORDER = {"error": 0, "warning": 1, "info": 2}
# Flags of damage, and what helps. A localizer or a map that cannot be used is no problem.
FIXES = {
    **GEOMETRY_FIXES,
    "colour": "Export the grey-value images.",
    "multi-file-multiframe": "Export the volume as one multi-frame file.",
    "enhanced-pet": "Export the series as classic PET images.",
    "mosaic": "Export the series as single slices.",
    "vframe": "Export the series as single slices.",
}


def shown(path: str) -> str:
    r"""A path as text that can be printed and written: bytes that are not UTF-8 as ``\udcfc``.

    So are characters that a terminal would obey.

    Examples
    --------
    >>> shown("a/ct.nii"), shown("a" + chr(27) + ".nii")
    ('a/ct.nii', 'a\\x1b.nii')
    """
    return printable(path)


class Problems:
    """A growing list of problem rows."""

    def __init__(self) -> None:
        self._rows: list[dict[str, str]] = []

    def add(
        self,
        severity: Severity,
        code: str,
        what: str,
        *,
        patient_id: str = "",
        where: str = "",
        fix: str = "",
    ) -> None:
        """Add one row."""
        self._rows.append(
            {
                "severity": severity,
                "code": code,
                "what": what,
                "patient_id": shown(patient_id),
                "where": shown(where),
                "fix": fix,
            }
        )

    def add_error(self, error: GclnmError, severity: Severity = "error", patient_id: str = "") -> None:
        """Add an error that was raised for one file."""
        self.add(severity, error.code, error.what, patient_id=patient_id, where=error.where, fix=error.fix)

    def add_volume(self, volume: Assembled, patient_id: str, folder: str) -> None:
        """Add what bars a damaged volume from use; nothing for one that is fine or no image at all."""
        if volume.usable:
            return
        for flag in volume.flags:
            if flag in FIXES:
                self.add("warning", flag, volume.reason, patient_id=patient_id, where=folder, fix=FIXES[flag])
                return

    def rows(self) -> list[dict[str, Any]]:
        """The rows, errors first, then in the order they were found."""
        return sorted(self._rows, key=lambda row: ORDER[row["severity"]])
