"""Which features an engine computes, and how its texture matrices are made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gclnm import vocabulary
from gclnm.prepare.settings import Finite, Settings

__all__ = ["Chosen", "Features", "Texture", "family_field", "in_order"]

Chosen = Literal["all"] | tuple[str, ...]


def family_field(name: str) -> Any:
    """Field of one family, empty by default; an editor completes its feature names."""
    every = list(vocabulary.names(name, every=True))

    def enumerate_names(schema: dict[str, Any]) -> None:
        for option in schema.get("anyOf", []):
            if option.get("type") == "array":
                option["items"] = {"type": "string", "enum": every}

    return Field(default=(), json_schema_extra=enumerate_names)


class Texture(Settings):
    """How neighbours are counted in the texture matrices."""

    plane: Literal["3d", "axial", "coronal", "sagittal"] = "3d"
    """``3d``: all 26 neighbours. Otherwise only the 8 within one slice of the stored array: ``axial`` means
    the planes of rows and columns, whatever their direction in the patient."""
    distances: Annotated[tuple[Annotated[int, Field(ge=1, le=32)], ...], Field(min_length=1)] = (1,)
    """Distances of neighbours in voxels (GLCM, GLDM, NGTDM)."""
    symmetric_glcm: bool = True
    """Count each pair in both directions."""
    weighting: Literal["manhattan", "euclidean", "infinity", "no_weighting"] | None = None
    """null: features are means over directions. Otherwise matrices of all directions are weighted by
    distance and summed, and give one value (GLCM, GLRLM)."""
    gldm_alpha: Annotated[int, Field(ge=0)] = 0
    """Largest difference of grey levels that still counts as dependent (GLDM)."""


class Features(Settings):
    """The features of a recipe: ``all`` of a family, a list of names, or nothing."""

    shape: Chosen = family_field("shape")
    """Size and shape in three dimensions, once per ROI."""
    shape2D: Chosen = family_field("shape2D")
    """Size and shape of a one-slice ROI in its plane."""
    firstorder: Chosen = family_field("firstorder")
    """Statistics of intensities."""
    glcm: Chosen = family_field("glcm")
    """Grey level co-occurrence."""
    glrlm: Chosen = family_field("glrlm")
    """Grey level run length."""
    glszm: Chosen = family_field("glszm")
    """Grey level size zone."""
    gldm: Chosen = family_field("gldm")
    """Grey level dependence."""
    ngtdm: Chosen = family_field("ngtdm")
    """Neighbouring grey tone difference."""
    texture: Texture = Texture()
    """How neighbours are counted."""
    intensity_shift: Finite = 0.0
    """Added to intensities in Energy, TotalEnergy and RootMeanSquared; IBSI adds nothing."""
    min_voxels: Annotated[int, Field(ge=1)] = 64
    """Below this many voxels, after resampling and re-segmentation, texture is not computed (NaN)."""

    @field_validator(*vocabulary.FAMILIES, mode="before")
    @classmethod
    def _none_is_all(cls, value: Any) -> Any:
        return "all" if value is True else value

    @field_validator(*vocabulary.FAMILIES)
    @classmethod
    def _known_and_ordered(cls, value: Chosen, info: Any) -> Chosen:
        return in_order(value, info.field_name)

    @model_validator(mode="after")
    def _shape2d_has_a_plane(self) -> Features:
        if self.shape2D and self.texture.plane == "3d":
            raise ValueError("shape2D needs texture.plane to be axial, coronal or sagittal")
        return self

    @property
    def chosen(self) -> dict[str, tuple[str, ...]]:
        """Names of the features by family, in the order of the columns; empty families left out."""
        asked = {family: getattr(self, family) for family in vocabulary.FAMILIES}
        found = {f: vocabulary.names(f) if value == "all" else value for f, value in asked.items()}
        return {family: value for family, value in found.items() if value}


def in_order(value: Chosen, family: str) -> Chosen:
    """Names of one family in the order of the columns; ``all`` where they are all of its features.

    Raises
    ------
    ValueError
        When the family has no such feature; the nearest is named.

    Examples
    --------
    >>> in_order(("Busyness", "Coarseness"), "ngtdm")
    ('Coarseness', 'Busyness')
    """
    if value == "all":
        return value
    every = vocabulary.names(family, every=True)
    for name in value:
        if name not in every:
            _unknown(name, family, every)
    ordered = tuple(name for name in every if name in value)
    return "all" if ordered == vocabulary.names(family) else ordered


def _unknown(name: str, family: str, every: tuple[str, ...]) -> None:
    from difflib import get_close_matches

    near = get_close_matches(name, every, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    raise ValueError(f"{family} has no feature {name!r}{hint}")
