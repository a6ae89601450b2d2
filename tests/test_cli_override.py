"""Facts of a table reach the numbers from the command line."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

import gclnm
from gclnm import cli
from gclnm.phantom import cohort

MAXIMUM = "original_firstorder_Maximum"


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["gclnm", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return int(end.value.code or 0), out.getvalue(), err.getvalue()


def test_a_supplied_weight_scales_suv_and_a_stranger_in_the_table_is_named(tmp_path: Path) -> None:
    import pydicom

    dicom = cohort(tmp_path / "c", patients=1, modalities=["PT"], workers=1, progress=False).dicom
    recipe = gclnm.Recipe(name="few", modality="PT", quantity=["SUVbw"], compute={"firstorder": ["Maximum"]})
    recipe.to_yaml(tmp_path / "few.yaml")
    header = next(ds for file in dicom.rglob("*.dcm") if "PatientWeight" in (ds := pydicom.dcmread(file)))
    heavier = 1.25 * float(header.PatientWeight)
    pd.DataFrame({"patient_id": [header.PatientID, "nobody"], "weight_kg": [heavier, 70]}).to_csv(
        tmp_path / "facts.csv", index=False
    )
    common = ("extract", dicom, "-r", "GTV", "--recipe", tmp_path / "few.yaml", "--workers", 1, "-q")
    store = tmp_path / "s.icechunk"
    assert run(*common, "--store", store)[0] == 0
    before = gclnm.open_store(store).table("few")[MAXIMUM].item()
    code, said, _ = run(*common, "--store", store, "--override", tmp_path / "facts.csv")
    assert code == 0
    assert "1 done, 0 skipped" in said
    assert "1 rows of the overrides are about no sample, by patient_id: nobody." in said
    assert gclnm.open_store(store).table("few")[MAXIMUM].item() == pytest.approx(1.25 * before, rel=1e-6)
