"""What a condition keeps out of a merge or a deposit: told, so that a slip of the pen is seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gclnm.counts import count, few

__all__ = ["Omitted", "omitted"]


@dataclass(frozen=True)
class Omitted:
    """Rows that a condition left out.

    Attributes
    ----------
    rows
        How many.
    patients
        Patients all of whose rows it left out.
    """

    rows: int
    patients: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was left out, in words.

        Examples
        --------
        >>> Omitted(0, ()).sentence
        'where= left nothing out'
        >>> Omitted(3, ("P7",)).sentence
        'where= left out 3 rows, and 1 patient altogether: P7'
        """
        if not self.rows:
            return "where= left nothing out"
        words = f"where= left out {count(self.rows, 'row')}"
        if not self.patients:
            return f"{words}, and no patient altogether"
        return f"{words}, and {count(len(self.patients), 'patient')} altogether: {few(self.patients)}"


def omitted(rows: Iterable[tuple[str, bool]]) -> Omitted:
    """What was left out of rows, each given as its patient and whether it was taken.

    Examples
    --------
    >>> omitted([("A", True), ("A", False), ("B", False)])
    Omitted(rows=2, patients=('B',))
    """
    found = list(rows)
    taken = {patient for patient, wanted in found if wanted}
    rest = [patient for patient, wanted in found if not wanted]
    return Omitted(len(rest), tuple(sorted({patient for patient in rest if patient} - taken)))
