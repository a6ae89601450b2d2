"""What one family of quantities found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gclnm.engines.quantities.reference import Reference

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """Every quantity of one family.

    Parameters
    ----------
    values
        By name, without the family; NaN where there is none.
    notes
        Why a value is NaN or to be read with care, by name.
    references
        The tissues that were referred to.
    """

    values: dict[str, float]
    notes: dict[str, str] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
