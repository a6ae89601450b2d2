"""What an error says of a condition that names what no row has."""

from __future__ import annotations

import pandas as pd
import pytest

from gclnm.errors import InputError
from gclnm.store.store import open_store


def test_a_clinical_column_names_its_table(filled):
    filled.put_table("path2", pd.DataFrame({"patient_id": ["A", "B"], "age": [61, 48]}))
    with pytest.raises(InputError) as caught:
        filled.table("ct", where="age > 50")
    assert caught.value.fix == "age is in the clinical table 'path2': pass tables='path2'."
    assert len(filled.table("ct", where="age > 50", tables="path2"))


@pytest.mark.parametrize("sign", ["==", "!="])
def test_text_without_quotes_is_said_to_need_them(filled, sign, tmp_path):
    where = f"patient_id {sign} STS_001"
    for call in (
        lambda: filled.table("ct", where=where),
        lambda: filled.export(tmp_path / "deposit", where=where),
        lambda: open_store("memory://").merge(filled, where=where),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.fix == f"Text needs quotes: patient_id {sign} 'STS_001'."


def test_any_other_name_brings_the_names_that_rows_have(filled):
    with pytest.raises(InputError, match="pateint_id") as caught:
        filled.table("ct", where="pateint_id == 'A'")
    assert "patient_id" in caught.value.fix
