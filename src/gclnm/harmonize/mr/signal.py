"""What N4 and normalization are for: signal in arbitrary units, and nothing that has a unit."""

from __future__ import annotations

from gclnm.errors import QuantityError
from gclnm.images.volume import Volume

__all__ = ["NORMALIZED", "SIGNAL", "require_signal"]

SIGNAL, NORMALIZED = "arbitrary", "normalized"


def require_signal(volume: Volume, step: str) -> None:
    """Refuse a volume whose values mean something by themselves.

    Parameters
    ----------
    volume
        What is about to be changed.
    step
        Key of the recipe that asks for it: ``"n4"`` or ``"normalize"``.

    Raises
    ------
    QuantityError
        Code ``not-signal``, with the quantity.

    Examples
    --------
    >>> import numpy as np
    >>> from gclnm.images import Geometry
    >>> adc = Volume(np.ones((1, 1, 1)), Geometry((1, 1, 1), (1.0, 1.0, 1.0)), quantity="1e-6 mm2/s")
    >>> require_signal(adc, "n4")
    Traceback (most recent call last):
    ...
    gclnm.errors.QuantityError: n4 is for MR signal in arbitrary units, the image is an ADC map...
    """
    quantity = volume.quantity
    if quantity == SIGNAL:
        return
    adc = quantity.endswith("mm2/s") or quantity.startswith("ADC")
    named = "an ADC map" if adc else "normalized already" if quantity == NORMALIZED else f"in {quantity}"
    why = "" if quantity == NORMALIZED else ", whose values mean the same on every scanner"
    raise QuantityError(
        f"{step} is for MR signal in arbitrary units, the image is {named}{why}",
        fix=f"Leave harmonize.mr.{step} out of the recipe for this image.",
        code="not-signal",
    )
