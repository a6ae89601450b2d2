"""What contrast agent changed: difference and relative enhancement of two time points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gclnm.errors import QuantityError
from gclnm.harmonize.mr.together import require_signal_alike, signal_arrays
from gclnm.images.volume import Step, Volume
from gclnm.prepare.known import WITHOUT_VALUE

__all__ = ["relative_enhancement", "subtract"]

HALF_DAY_S = 43200.0


def subtract(post: Volume, pre: Volume) -> Volume:
    """Signal after contrast agent less signal before, in the units of ``post``.

    Parameters
    ----------
    post, pre
        On one grid, signal as acquired.

    Raises
    ------
    QuantityError
        Code ``time-order``: ``post`` was acquired before ``pre``. Code ``not-signal``: maps, or signal
        that was corrected or normalized for itself.
    GeometryError
        Code ``other-grid``.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> pre, post = (Volume(np.array([[row]]), grid) for row in ([10.0, 20.0], [30.0, 15.0]))
    >>> subtract(post, pre).array.tolist()
    [[[20.0, -5.0]]]
    """
    after, before = _pair(post, pre, "a subtraction")
    return post.with_(Step("subtraction", note="after less before contrast agent"), array=after - before)


def relative_enhancement(post: Volume, pre: Volume) -> Volume:
    """Gain of signal by contrast agent, in percent of the signal before: ``100 (post - pre) / pre``.

    Where the signal before is not above 0 it is NaN, counted in the fact ``without_value``.

    Parameters
    ----------
    post, pre
        On one grid, signal as acquired.

    Raises
    ------
    QuantityError, GeometryError
        As :func:`subtract`.

    Examples
    --------
    >>> from gclnm.images import Geometry
    >>> grid = Geometry(size=(2, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    >>> pre, post = (Volume(np.array([[row]]), grid) for row in ([10.0, 0.0], [30.0, 15.0]))
    >>> found = relative_enhancement(post, pre)
    >>> found.array.tolist(), found.quantity, found.history[-1].settings["without_value"]
    ([[[200.0, nan]]], '%', 1)
    """
    after, before = _pair(post, pre, "a relative enhancement")
    known = before > 0
    gain = np.divide(after - before, before, out=np.full_like(after, np.nan), where=known) * np.float32(100)
    told = {WITHOUT_VALUE: int(known.size - np.count_nonzero(known))}
    step = Step("enhancement", told, "percent of signal before")
    return post.with_(step, array=gain, quantity="%", facts={**post.facts, **told})


def _pair(post: Volume, pre: Volume, wanted: str) -> list[NDArray[np.float32]]:
    require_signal_alike([post, pre], wanted)
    apart = _seconds(post) - _seconds(pre)  # NaN where a time is not known
    # A study may cross midnight: half a day apart is the other way round.
    if -HALF_DAY_S < apart < 0:
        raise QuantityError(
            f"{wanted}: the image after contrast agent was acquired {-apart:.0f} s before the other",
            fix="Exchange them.",
            code="time-order",
        )
    return signal_arrays([post, pre])


def _seconds(volume: Volume) -> float:
    began = volume.facts.get("acquisition_first_s")
    return began if isinstance(began, float) else float("nan")
