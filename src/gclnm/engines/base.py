"""What every feature engine offers: the columns it will give, a check beforehand, and the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gclnm.engines.settings import Features
    from gclnm.images.sample import Case
    from gclnm.images.volume import Step
    from gclnm.prepare.settings import Prepare

__all__ = ["Engine", "Result"]


@dataclass(frozen=True)
class Result:
    """What an engine computed for one case.

    Parameters
    ----------
    values
        Every expected column; NaN where the feature is not defined for this case.
    diagnostics
        Numbers that tell whether the case is sound: voxel counts, intensities, grey levels.
    notes
        Why values are NaN or to be read with care, by column or family.
    steps
        What was done to masks other than the ROI as given, by what they are of.
    """

    values: dict[str, float]
    diagnostics: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[Step, ...]] = field(default_factory=dict)

    def __or__(self, other: Result) -> Result:
        """Both results as one."""
        return Result(
            self.values | other.values,
            self.diagnostics | other.diagnostics,
            self.notes | other.notes,
            self.steps | other.steps,
        )


class Engine(Protocol):
    """A way to compute features; see `gclnm.engines.pyradiomics`."""

    @property
    def name(self) -> str:
        """The engine's name in a recipe."""

    @property
    def version(self) -> str:
        """Which implementation, for the history of every row."""

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Names of the diagnostics, in order."""

    def expected(self, prepare: Prepare, features: Features) -> tuple[str, ...]:
        """Columns that `run` will give, in order; needs nothing but the settings."""

    def check(self, prepare: Prepare, features: Features) -> None:
        """Raise EngineError when the installation cannot compute what is asked for."""

    def run(self, case: Case, prepare: Prepare, features: Features) -> Result:
        """Features of one case whose image and ROI lie on one grid."""
