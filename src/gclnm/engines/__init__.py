"""Feature engines: what turns a prepared case into named numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gclnm.engines.base import Result

if TYPE_CHECKING:
    from gclnm.engines.base import Engine

__all__ = ["Result", "engine"]


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises
    ------
    EngineError
        When there is none.

    Examples
    --------
    >>> engine("pyradiomics").name
    'pyradiomics'
    """
    from gclnm.engines.pyradiomics import Pyradiomics
    from gclnm.errors import EngineError

    if name != "pyradiomics":
        raise EngineError(f"there is no engine {name!r}", fix="Use pyradiomics.", code="unknown-engine")
    return Pyradiomics()
