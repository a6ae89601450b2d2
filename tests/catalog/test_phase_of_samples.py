"""Phase and material of CT on their way to samples, and how a user overrules them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import gclnm
from gclnm.errors import InputError
from gclnm.images import MaskRef, Sample, VolumeRef


def sample(series: str, **coords: Any) -> Sample:
    known = {"patient_id": "p1", "roi": "GTV", "modality": "CT", "series_uid": series, "phase": "unknown"}
    image = VolumeRef(series, "dicom", (f"{series}.dcm",), modality="CT")
    return Sample({"image": image}, {"roi": MaskRef("rtstruct", "rs.dcm", 1)}, known | coords)


def phases(samples: gclnm.Samples) -> list[tuple[str, str]]:
    return list(samples.table[["phase", "phase_source"]].itertuples(index=False, name=None))


@pytest.fixture
def two() -> gclnm.Samples:
    found = {"phase": "arterial", "phase_source": "word"}
    return gclnm.Samples((sample("1.1", **found), sample("1.2")))


def test_a_mapping_overrules_the_samples_that_it_names(two: gclnm.Samples) -> None:
    told = two.assign(phase={"1.2": "delayed"})
    assert phases(told) == [("arterial", "word"), ("delayed", "user")]
    assert told.ids == two.ids  # a corrected phase replaces the row
    by_patient = two.assign(phase={"p1": "native", "1.1": "portal_venous"})
    assert phases(by_patient) == [("portal_venous", "user"), ("native", "user")]


def test_a_function_a_value_and_a_column_overrule_too(two: gclnm.Samples) -> None:
    by_function = two.assign(phase=lambda row: "arterial" if row["series_uid"] == "1.1" else "delayed")
    assert phases(by_function) == [("arterial", "word"), ("delayed", "user")]
    assert phases(two.assign(phase="native")) == [("native", "user")] * 2
    column = pd.DataFrame({"series_uid": ["1.2"], "phase": ["portal_venous"]})
    assert phases(two.with_coords(column))[1] == ("portal_venous", "user")


def test_a_stated_level_has_the_user_as_source(two: gclnm.Samples) -> None:
    told = two.assign(energy_kev={"1.1": 70})
    assert told.table["energy_source"].tolist() == ["user", ""]
    assert told.table["energy_kev"].tolist()[0] == 70.0


def test_a_key_that_no_sample_has_is_refused(two: gclnm.Samples) -> None:
    with pytest.raises(InputError, match="1 of 2 keys") as caught:
        two.assign(phase={"1.1": "arterial", "9.9": "delayed"})
    assert "9.9" in str(caught.value)
