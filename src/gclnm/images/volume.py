"""An image or a mask on its grid: immutable, with its quantity, the header's facts and its history."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import GeometryError
from gclnm.images.geometry import Geometry

if TYPE_CHECKING:
    import SimpleITK as sitk
    from numpy.typing import NDArray

__all__ = ["Mask", "Step", "Volume"]

Fact = str | float | int | bool | None
# The quantity of values that no header names.
UNKNOWN = "unspecified"


@dataclass(frozen=True)
class Step:
    """One thing that was done to an image or a mask: its name, its settings, the rule it took.

    Settings and note are kept in the store, so they hold numbers and words of ours only.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; empty parts are left out."""
        record: dict[str, Any] = {"step": self.name}
        if self.settings:
            record["settings"] = dict(self.settings)
        if self.note:
            record["note"] = self.note
        return record


def _frozen(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    copy: NDArray[Any] = np.ascontiguousarray(array, dtype=dtype)
    if copy is array or copy.base is array:
        copy = copy.copy() if array.flags.writeable else copy
    copy.flags.writeable = False
    return copy


def _check_shape(array: NDArray[Any], geometry: Geometry) -> None:
    if array.shape != geometry.shape:
        raise GeometryError(f"an array of shape {array.shape} does not fit a grid of shape {geometry.shape}")


@dataclass(frozen=True, eq=False)
class Volume:
    """One image volume: a float32 array (z, y, x) on a grid, with what its numbers mean.

    Parameters
    ----------
    array
        Voxel values, (z, y, x); kept as read-only float32.
    geometry
        The grid.
    quantity
        What the values are: ``"HU"``, ``"SUVbw"``, ``"Bq/mL"``, ``"mg/mL"``, ``"1e-6 mm2/s"``,
        ``"arbitrary"`` (MR signal) ...
    facts
        What the header said that later steps need (modality, manufacturer, units ...).
    history
        The steps done so far.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Geometry(size=(2, 2, 2), spacing_mm=(1.0, 1.0, 3.0))
    >>> Volume(np.zeros((2, 2, 2)), grid, quantity="HU")
    Volume 2 x 2 x 2 voxels (x, y, z), 1 x 1 x 3 mm, HU 0 ... 0
    """

    array: NDArray[np.float32]
    geometry: Geometry
    quantity: str = "arbitrary"
    facts: Mapping[str, Fact] = field(default_factory=dict)
    history: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", _frozen(np.asarray(self.array), np.float32))
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))
        _check_shape(self.array, self.geometry)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Volume, (self.array, self.geometry, self.quantity, dict(self.facts), self.history))

    def with_(self, step: Step, **changes: Any) -> Volume:
        """A new volume with ``changes`` and ``step`` added to its history."""
        return replace(self, history=(*self.history, step), **changes)

    def to_sitk(self) -> sitk.Image:
        """The volume as a SimpleITK float32 image (a copy)."""
        return to_sitk(self.array, self.geometry)

    def __repr__(self) -> str:
        finite = self.array[np.isfinite(self.array)]
        span = f"{finite.min():g} ... {finite.max():g}" if finite.size else "no finite voxel"
        return f"Volume {_grid_words(self.geometry)}, {self.quantity} {span}"

    def _repr_html_(self) -> str:
        rows = [("grid", _grid_words(self.geometry)), ("quantity", self.quantity)]
        rows += [(key, str(value)) for key, value in self.facts.items()]
        rows += [("step", f"{s.name} {dict(s.settings) or ''} {s.note}") for s in self.history]
        cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows)
        return f"<table>{cells}</table>"


@dataclass(frozen=True, eq=False)
class Mask:
    """A region of interest: a boolean array (z, y, x) on its own grid.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Geometry(size=(2, 2, 2), spacing_mm=(1.0, 1.0, 3.0))
    >>> Mask(np.ones((2, 2, 2)), grid)
    Mask of 8 voxels (0.024 mL) on 2 x 2 x 2 voxels (x, y, z), 1 x 1 x 3 mm
    """

    array: NDArray[np.bool_]
    geometry: Geometry
    history: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", _frozen(np.asarray(self.array), np.bool_))
        _check_shape(self.array, self.geometry)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Mask, (self.array, self.geometry, self.history))

    @property
    def n_voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.array))

    def with_(self, step: Step, **changes: Any) -> Mask:
        """A new mask with ``changes`` and ``step`` added to its history."""
        return replace(self, history=(*self.history, step), **changes)

    def to_sitk(self) -> sitk.Image:
        """The mask as a SimpleITK uint8 image, 1 inside (a copy)."""
        return to_sitk(self.array.astype(np.uint8), self.geometry)

    def __repr__(self) -> str:
        volume_ml = self.n_voxels * self.geometry.voxel_volume_mm3 / 1000
        return f"Mask of {self.n_voxels} voxels ({volume_ml:.3g} mL) on {_grid_words(self.geometry)}"


def to_sitk(array: NDArray[Any], geometry: Geometry) -> sitk.Image:
    """A SimpleITK image of an array (z, y, x) on a grid."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection([value for row in geometry.direction for value in row])
    return image


def from_sitk(image: sitk.Image, frame_uid: str = "") -> tuple[NDArray[Any], Geometry]:
    """Array (z, y, x) and grid of a three-dimensional SimpleITK image."""
    import SimpleITK as sitk

    if image.GetDimension() != 3:
        raise GeometryError(f"an image of {image.GetDimension()} dimensions is not a volume")
    geometry = Geometry.of(
        image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection(), frame_uid
    )
    return sitk.GetArrayFromImage(image), geometry


def _grid_words(geometry: Geometry) -> str:
    size = " x ".join(str(n) for n in geometry.size)
    spacing = " x ".join(f"{s:.4g}" for s in geometry.spacing_mm)
    return f"{size} voxels (x, y, z), {spacing} mm"
