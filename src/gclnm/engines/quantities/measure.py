"""Every quantity that a recipe asks for, on the image as scanned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gclnm.counts import count
from gclnm.engines.base import Result
from gclnm.engines.quantities import adc, pet, spectral
from gclnm.engines.quantities.settings import ACCEPTS
from gclnm.engines.regions import require_finite, require_voxel
from gclnm.errors import QuantityError
from gclnm.prepare.grid import onto
from gclnm.prepare.known import AFTER_KNOWN, among_known, known_voxels

if TYPE_CHECKING:
    from gclnm.engines.quantities.measured import Measured
    from gclnm.engines.quantities.settings import Quantities
    from gclnm.images.sample import Case
    from gclnm.images.volume import Mask

__all__ = ["run"]


def run(case: Case, settings: Quantities) -> Result:
    """Quantities of one case, none of it resampled.

    Parameters
    ----------
    case
        The image in its quantity, and masks by role: ``roi``, and tissues to refer to (``liver``,
        ``blood``, ``aorta``). A mask may lie on another grid of the same space.
    settings
        Which.

    Returns
    -------
    Result
        Every column that the settings name; NaN with a note where there is no value.

    Raises
    ------
    QuantityError
        When the image is not what a family measures.
    EngineError
        When the ROI has no voxel, or holds voxels that are not finite numbers.
    GeometryError
        When the ROI cannot be brought to the image's grid.

    Examples
    --------
    >>> import numpy as np
    >>> from gclnm.engines.quantities import Quantities
    >>> from gclnm.images import Case, Geometry, Mask, Volume
    >>> grid = Geometry(size=(4, 4, 4), spacing_mm=(4.0, 4.0, 4.0))
    >>> suv = Volume(np.full(grid.shape, 5.0), grid, quantity="SUVbw")
    >>> case = Case({"image": suv}, {"roi": Mask(np.ones(grid.shape), grid)})
    >>> run(case, Quantities(pet=["SUVpeakLocal", "MTV4p0", "TLG4p0"])).values
    {'native_pet_SUVpeakLocal': 5.0, 'native_pet_MTV4p0': 4.096, 'native_pet_TLG4p0': 20.48}
    """
    result = Result({})
    if not settings.chosen:
        return result
    whole = onto(case.roi, case.image)
    require_voxel(whole.array)
    valued = among_known(whole, known_voxels(case.image))
    require_voxel(valued.array, after=AFTER_KNOWN)
    case = replace(case, masks={**case.masks, "roi": valued})
    require_finite(case.image.array, valued.array, "the image has")
    for family, names in settings.chosen.items():
        _require_quantity(case, family)
        result |= _result(family, names, _measured(family, case, settings))
    return result if valued is whole else replace(result, notes=_noted(result, whole, valued))


def _noted(result: Result, whole: Mask, valued: Mask) -> dict[str, str]:
    """The notes, and for all other columns that some of the ROI has no value."""
    lacking = count(whole.n_voxels - valued.n_voxels, "voxel")
    return dict.fromkeys(result.values, f"without {lacking} of the ROI that had no value") | result.notes


def _measured(family: str, case: Case, settings: Quantities) -> Measured:
    if family == "pet":
        return pet.measure(case)
    return spectral.measure(case) if family == "spectral" else adc.measure(case, settings.adc_disc_mm2)


def _result(family: str, names: tuple[str, ...], found: Measured) -> Result:
    columns = {name: f"native_{family}_{name}" for name in names}
    diagnostics: dict[str, float] = {}
    for tissue in found.references:
        diagnostics |= tissue.diagnostics
    return Result(
        {column: found.values[name] for name, column in columns.items()},
        diagnostics,
        {column: found.notes[name] for name, column in columns.items() if name in found.notes},
        {tissue.tissue: tissue.steps for tissue in found.references if tissue.steps},
    )


def _require_quantity(case: Case, family: str) -> None:
    accepted = ACCEPTS[family]
    if case.image.quantity not in accepted:
        raise QuantityError(
            f"quantities.{family} measures {' or '.join(accepted)}, the image is in {case.image.quantity}",
            fix="Leave this family out of the recipe, or bring the image to that quantity.",
            code="wrong-quantity",
        )
