"""Patients who are in a set under two ids: every row of the one is linked to a row of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gclnm.store.keys import KeyIndex
from gclnm.store.layout import array, set_group, set_names
from gclnm.store.links import counted_as

if TYPE_CHECKING:
    import zarr

__all__ = ["aliases"]

PATIENT = "patient_id"


def aliases(root: zarr.Group) -> dict[str, str]:
    """Ids under which no row counts, to the id of the patient whose rows count in their place.

    A patient with a row that counts, or with links to several patients, goes by no other id.
    """
    counting: set[str] = set()
    found: dict[str, set[str]] = {}
    for name in set_names(root):
        group = set_group(root, name)
        if group is None or PATIENT not in group:
            continue
        keys = KeyIndex().at(group)
        patients = np.asarray(array(group, PATIENT)[:])
        for sample_id, key in keys.items():
            patient = str(patients[key.position])
            end = counted_as(sample_id, keys)
            if end == sample_id:
                counting.add(patient)
            elif end:
                found.setdefault(patient, set()).add(str(patients[keys[end].position]))
    return {
        patient: next(iter(ends))
        for patient, ends in found.items()
        if patient not in counting and len(ends) == 1
    }
