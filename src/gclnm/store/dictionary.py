"""The data dictionary of an export: what each column is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gclnm.schemas.features import FEATURES
from gclnm.schemas.table import Column
from gclnm.store.layout import DIAGNOSTIC, ROW_ARRAYS
from gclnm.store.read import row_coordinates
from gclnm.store.versions.number import meaning

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["columns_of"]

COLUMNS = ("column", "kind", "what", "unit", "image_type", "family", "ibsi_code")
# Diagnostics by name; the recipe's engine may have others, which stand there with their name alone.
DIAGNOSTICS = {
    "voxels_native": "Voxels of the ROI on the image as scanned.",
    "slices_native": "Slices of the image as scanned that the ROI lies on.",
    "voxels_resampled": "Voxels of the ROI after resampling.",
    "voxels_analysed": "Voxels of the ROI after re-segmentation: what first order and texture see.",
    "fraction_outside_range": "Share of the ROI that re-segmentation left out.",
    "shape_voxels_lost": "Voxels of the ROI that shape does not see, because re-segmentation cut its box.",
    "intensity_minimum": "Lowest intensity in the ROI after resampling, before re-segmentation and filters.",
    "intensity_mean": "Mean intensity in the ROI after resampling, before re-segmentation and filters.",
    "intensity_maximum": "Highest intensity in the ROI after resampling, before re-segmentation and filters.",
    "grey_levels": "Grey levels of the ROI on the image before filters.",
    "spacing_x_mm": "Voxel spacing of the image as scanned, x.",
    "spacing_y_mm": "Voxel spacing of the image as scanned, y.",
    "spacing_z_mm": "Voxel spacing of the image as scanned, z.",
    **{
        f"{tissue}_{what}": f"{words} {place} on the image as scanned, in its unit."
        for tissue, place in (
            ("liver", "of the liver"),
            ("blood", "of the blood pool"),
            ("aorta", "of the aorta"),
        )
        for what, words in (("mean", "Mean"), ("sd", "Standard deviation (over N)"))
    },
    "liver_voxels": "Voxels of the ROI of the liver on the image as scanned; 0: none was used.",
    "blood_voxels": "Voxels of the ROI of the blood pool on the image as scanned; 0: none was used.",
    "aorta_voxels": "Voxels of the ROI of the aorta on the image as scanned; 0: none was used.",
}
OTHERS = {
    "status": "Whether the features were computed (ok or failed).",
    "reason": "Why they were not.",
    "current": "Whether the row is the newest of its key.",
    "inputs_sha256": "Digest of everything the row was computed from.",
    "content_sha256": "Digest of voxels, grids and masks alone.",
    "origin": "Commit of another store that the row was merged from.",
    "seconds": "How long it took.",
}


def columns_of(data: xr.Dataset, diagnostics: bool) -> pd.DataFrame:
    """One row for each column of `to_table`, in the same order.

    Parameters
    ----------
    data
        Rows, (sample, feature), as `FeatureStore.read` gives them.
    diagnostics
        Whether the table has the diagnostics.
    """
    import pandas as pd

    known = {column.name: column for column in FEATURES.columns}
    rows = [
        _clinical(name, data[name].attrs["description"])
        if "clinical_table" in data[name].attrs
        else _coordinate(name, known.get(name))
        for name in row_coordinates(data)
    ]
    if diagnostics:
        rows += [_diagnostic(str(name)) for name in data[DIAGNOSTIC].values]
    keys = ("feature", "unit", "image_type", "family", "ibsi_code")
    for values in zip(*(data[key].values for key in keys), strict=True):
        name, *rest = map(str, values)
        rows.append(dict(zip(COLUMNS, (name, "feature", meaning(name)[0], *rest), strict=True)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).fillna("")


def _coordinate(name: str, column: Column | None) -> dict[str, Any]:
    what = column.description if column else OTHERS.get(name, "")
    kind = "key" if name == "sample_id" else "row" if name in ROW_ARRAYS else "coordinate"
    return {"column": name, "kind": kind, "what": what, "unit": _unit(name)}


def _clinical(name: str, what: str) -> dict[str, Any]:
    return {"column": name, "kind": "clinical", "what": what, "unit": ""}


def _diagnostic(name: str) -> dict[str, Any]:
    what = DIAGNOSTICS.get(name, "")
    return {"column": f"diagnostic_{name}", "kind": "diagnostic", "what": what, "unit": _unit(name)}


def _unit(name: str) -> str:
    """Units stand at the end of a coordinate's name."""
    ends = {"_mm": "mm", "_kev": "keV", "_ms": "ms", "_t": "T", "_s_mm2": "s/mm^2", "b_value": "s/mm^2"}
    return next((unit for end, unit in ends.items() if name.endswith(end)), "")
