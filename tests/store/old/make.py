"""Writes the store that every later version must read: run once for a format, kept for ever.

    python tests/store/old/make.py tests/store/old/format-1

Made on the older dependency line (Python 3.11, icechunk 1.1). The expected values are those of the
rows that were given, not of the store that was written. Nothing here runs in the tests.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gclnm.pipeline import Row
from gclnm.recipe.recipe import Recipe
from gclnm.store.store import FeatureStore, open_store

FEW = {"shape": ["MeshVolume", "Sphericity"], "firstorder": ["Mean", "Entropy"], "glcm": ["Contrast"]}
NONE = {family: [] for family in ("glrlm", "glszm", "gldm", "ngtdm")}
# An awkward number, a missing one and the smallest there is: what must come back to the last bit.
AWKWARD = (1 / 3, float("nan"), 5e-324)


def small(name: str, **changes: Any) -> Recipe:
    only = {"filters": {"log": None, "wavelet": None}}
    return Recipe.named(name).with_(prepare=only, compute=FEW | NONE, **changes)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def row(recipe: Recipe, key: str, inputs: str = "", failed: str = "", **coords: Any) -> Row:
    table = recipe.feature_table()
    high = np.where(np.isfinite(table["upper"]), table["upper"], 10.0)
    share = np.random.default_rng(int(digest(key + inputs)[:8], 16)).random(len(table))
    low = np.where(np.isfinite(table["lower"]), table["lower"], -10.0)
    values = low + share * (high - low)
    values[[0, 1, -1]] = AWKWARD
    empty = np.full(len(table), np.nan)
    history = {"image": [{"step": "rescale", "settings": {"slope": 1}}], "roi": [], "inputs": {}}
    return Row(
        sample_id=digest(key)[:24],
        coords={"roi": "GTV", "modality": "CT", "centre": "北京", **coords},
        status="failed" if failed else "ok",
        reason=failed,
        values=empty if failed else values,
        diagnostics=np.full(len(recipe.diagnostics), 7.0),
        inputs_sha256=digest(f"inputs {key} {inputs}"),
        content_sha256=digest(f"content {key} {inputs}"),
        history=json.dumps(history),
        seconds=0.25,
    )


def hexed(row: Row) -> list[str]:
    return [float(value).hex() for value in row.values]


def make(folder: Path) -> None:
    ct, pet = small("ct"), small("pet")
    first = [
        row(ct, "a1", patient_id="A1", rater="张医生", energy_kev=70.0),
        row(ct, "a2", patient_id="A2", rater="Ö", energy_kev=None),
        row(ct, "a3", patient_id="A3", failed="unreadable: a slice is missing"),
    ]
    second = row(ct, "a1", inputs="corrected", patient_id="A1", rater="张医生", energy_kev=70.0)
    twin = replace(row(ct, "a2-again", patient_id="A9"), content_sha256=first[1].content_sha256)
    theirs = row(ct, "b1", patient_id="B1", rater="")
    whole = row(pet, "p1", patient_id="A1", modality="PT")

    other = open_store("memory://")
    other.append("ct", ct, [theirs])
    store = open_store(folder / "store")
    store.append("ct", ct, first, message="first rows")
    store.append("pet", pet, [whole])
    table = {"patient_id": ["A1", "A2", "A3"], "病理N分期": ["阳性", "阴性", ""], "age": [61, 48, None]}
    columns = {"patient_id": "patient_id", "病理N分期": "pN", "age": "age"}
    store.put_table("clinical", pd.DataFrame(table), columns=columns, values={"pN": {"阴性": 0, "阳性": 1}})
    store.select("ct", "robust", ["original_shape_*"])
    store.tag("submission-1")
    store.append("ct", ct, [second])
    store.append("ct", ct, [twin])
    store.link("ct", {twin.sample_id: first[1].sample_id})
    store.merge(other)
    store.compact("pet")
    expected = {
        "recipe_id": {"ct": ct.id, "pet": pet.id},
        "features": list(ct.features),
        "tag": {row.sample_id: hexed(row) for row in first[:2]},
        "now": {row.sample_id: hexed(row) for row in (second, first[1], theirs)},
        "pet": {whole.sample_id: hexed(whole)},
        "failed": {first[2].sample_id: first[2].reason},
        "linked": {twin.sample_id: first[1].sample_id},
        "merged": theirs.sample_id,
        "replaced": second.sample_id,
        "raters": {first[0].sample_id: "张医生", first[1].sample_id: "Ö", theirs.sample_id: ""},
        "energy_kev": {first[0].sample_id: 70.0, first[1].sample_id: None},
        "clinical": {"patient_id": ["A1", "A2", "A3"], "pN": [1.0, 0.0, None], "age": [61.0, 48.0, None]},
        "robust": [name for name in ct.features if name.startswith("original_shape_")],
        **origin_of(other),
    }
    (folder / "store" / "gclnm.lock").unlink(missing_ok=True)
    words = json.dumps(expected, indent=1, ensure_ascii=False)
    (folder / "expected.json").write_text(words + "\n", encoding="utf-8")


def origin_of(other: FeatureStore) -> dict[str, str]:
    attrs = other._repository.root(other.commit).attrs
    return {"origin_store": str(attrs["store_id"]), "origin_commit": other.commit}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    make(target)
