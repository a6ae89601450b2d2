"""Phase, level and material of CT on the way from headers to rows and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gclnm

TOLD: dict[str, tuple[str, str, str, float | None, str]] = {
    "动脉期 1.25": ("arterial", "word", "polychromatic", None, ""),
    "MonoE 40keV[HU]": ("unknown", "", "vmi", 40.0, ""),
    "PV Iodine Density[mg/ml]": ("portal_venous", "word", "material_specific", None, "iodine"),
    "2.5mm IODINE(WATER)": ("unknown", "", "material_specific", None, "iodine"),
}


@pytest.fixture
def scanned(tmp_path: Path, write_series: Any, write_rtstruct: Any) -> gclnm.Catalog:
    for number, words in enumerate(TOLD):
        uid = f"1.2.826.0.1.9.{number}"
        told = {"SpecificCharacterSet": "GB18030", "SeriesInstanceUID": uid, "SeriesDescription": words}
        write_series(tmp_path / str(number), 3, **told)
        write_rtstruct(tmp_path / f"rs{number}.dcm", {"GTV": 3}, series_uid=uid)
    return gclnm.scan(tmp_path, progress=False)


def test_each_volume_tells_phase_level_and_material(scanned: gclnm.Catalog) -> None:
    volumes = scanned.volumes.set_index("series_description")
    for words, (phase, source, kind, level, material) in TOLD.items():
        row = volumes.loc[words]
        assert (row["phase"], row["phase_source"], row["spectral"]) == (phase, source, kind)
        assert (row["material"], row["energy_source"]) == (material, "description" if level else "")
        assert row["energy_kev"] == level if level else np.isnan(row["energy_kev"])
        assert row["usable"], "a map without a unit is refused when it is measured, unless one is supplied"


def test_samples_carry_them_as_coordinates(scanned: gclnm.Catalog) -> None:
    table = gclnm.pair(scanned, roi="GTV").table.set_index("series_uid")
    row = table.loc["1.2.826.0.1.9.2"]
    assert (row["phase"], row["phase_source"], row["material"]) == ("portal_venous", "word", "iodine")
    assert table.loc["1.2.826.0.1.9.1", "energy_kev"] == 40.0


def test_a_second_scan_reads_the_same_from_the_cache(scanned: gclnm.Catalog) -> None:
    again = gclnm.scan(scanned.root, progress=False)
    columns = ["phase", "phase_source", "spectral", "energy_kev", "energy_source", "material", "unit"]
    assert again.volumes[columns].equals(scanned.volumes[columns])
