"""After scan(patient_key=secret) nothing that names a person, place, day or object is in what is kept."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import gclnm
from gclnm.catalog.samples import Samples
from gclnm.cohort.extraction import Extraction
from gclnm.images.files.headers import path_digest
from gclnm.store.store import FeatureStore

SECRET = "a secret of the tests"
# Words of the user's own, which are to be found.
LABEL, TAG = "labelofours", "tagofours"


@dataclass
class Kept:
    """One way through the house: what it left on disk, and what it said."""

    folder: Path
    samples: Samples
    run: Extraction
    store: FeatureStore
    said: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The store's folder."""
        return self.folder / "features"


def _paired(catalog: Any) -> Samples:
    dicom = gclnm.pair(catalog, roi="GTV.*", label=LABEL)
    nodes = gclnm.pair(catalog, roi="LN.*", label="node", modality="CT")
    return dicom + nodes


def _go(planted: Any, folder: Path, key: str | None, recipe: gclnm.Recipe) -> Kept:
    """Scan, pair, extract, tag."""
    from distributed import Client

    samples = _paired(gclnm.scan(planted.root, patient_key=key, progress=False))
    store = gclnm.open_store(folder / "features")
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        run = gclnm.extract(samples, recipe, store=store, client=client, progress=False)
        store.tag(TAG)
        # A second commit, of rows that replace others.
        again = samples[:5].assign(timepoint="later")
        gclnm.extract(again, recipe, store=store, client=client, verify=True, progress=False)
    return Kept(folder, samples, run, store)


def _widen(planted: Any, kept: Kept, key: str, recipe: gclnm.Recipe) -> None:
    """Everything else that a user does, and the pages that come of it."""
    samples, store, pages, folder = kept.samples, kept.store, kept.pages, kept.folder
    pages["plan"] = repr(gclnm.plan(samples, recipe, n=4, progress=False))
    pages["contours"] = gclnm.report.contours(samples, folder / "contours.html", progress=False).read_text(
        "utf-8"
    )
    told = store.put_table(
        "clinical", planted.table, columns={"patient": "patient_id", "stage": "stage"}, patient_key=key
    )
    pages["table"] = repr(told) + told._repr_html_()
    store.select("few", "chosen", ["original_firstorder_Mean"])
    difference, check = store.diff(TAG), store.check()
    pages["diff"] = repr(difference) + difference._repr_html_() + repr(difference.rows.to_dict())
    # Where store and deposit are, the user said.
    pages["check"] = (repr(check) + repr(check.problems.to_dict())).replace(str(folder), "")
    pages["redone"] = repr(store.explain(samples.ids[0], redo=True))
    pages["deposit"] = repr(store.export(folder / "deposit")).replace(str(folder), "")
    gclnm.open_store(folder / "merged").merge(store)


@pytest.fixture(scope="session")
def kept(
    planted: Any, recipe: gclnm.Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str | None], Kept]:
    """The way under a key, gone once for all tests."""
    made: dict[str | None, Kept] = {}

    def get(key: str | None) -> Kept:
        if key not in made:
            folder = tmp_path_factory.mktemp("kept")
            lines: list[str] = []
            handler = logging.Handler(logging.INFO)
            handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
            logging.getLogger().addHandler(handler)
            try:
                with warnings.catch_warnings(record=True) as found:
                    warnings.simplefilter("always")
                    made[key] = _go(planted, folder, key, recipe)
                    if key is not None:
                        _widen(planted, made[key], key, recipe)
                lines += [str(warning.message) for warning in found]
            finally:
                logging.getLogger().removeHandler(handler)
            made[key].said = "\n".join(lines)
        return made[key]

    return get


@pytest.fixture
def safe(kept: Callable[[str | None], Kept]) -> Kept:
    return kept(SECRET)


def everything(store: FeatureStore, at: str | None = None) -> str:
    """Every array, attribute and record of commits that a store's own interface gives."""
    words = [repr(store.log().to_dict()), repr(store.tags().to_dict()), repr(store.sets().to_dict())]
    repository = store._repository
    words += [repr((s.message, s.metadata)) for s in repository.ancestry()]
    root = repository.root(repository.tags()[at] if at else store.commit)
    words.append(json.dumps(dict(root.attrs), default=str))
    for path, member in sorted(root.members(max_depth=None)):
        words.append(path + json.dumps(dict(member.attrs), default=str))
        if isinstance(member, zarr.Array):
            words += [str(value) for value in np.asarray(member[...]).ravel()]
    return "\n".join(words)


def test_the_way_met_good_and_bad_cases_of_every_kind(safe):
    """Otherwise the searches below prove little."""
    table = safe.store.read("few", where="status == 'ok'").to_dataframe()
    assert set(table["modality"]) == {"CT", "MR", "PT", ""}
    codes = {reason.split(":")[0] for reason in safe.run.failed["reason"]}
    assert {"no-suv", "constant-image", "mask-outside-image"} <= codes
    assert len(safe.samples.unpaired) > 0


def test_nothing_that_was_planted_is_in_the_bytes_of_the_store(safe, secrets):
    assert secrets.in_folder(safe.place) == {}


def test_nothing_that_was_planted_is_in_a_deposit_or_a_merged_store(safe, secrets):
    for name in ("deposit", "merged"):
        assert any((safe.folder / name).iterdir())
        assert secrets.in_folder(safe.folder / name) == {}
    import pandas as pd

    for path in (safe.folder / "deposit").rglob("*.parquet"):
        assert secrets.in_text(repr(pd.read_parquet(path).to_dict())) == set()
    assert secrets.in_text(everything(gclnm.open_store(safe.folder / "merged"))) == set()


def test_nothing_that_was_planted_is_in_what_the_store_says(safe, secrets):
    assert secrets.in_text(everything(safe.store)) == set()
    assert secrets.in_text(everything(safe.store, TAG)) == set()
    for sample_id in safe.samples.ids:
        told = safe.store.explain(sample_id)
        assert secrets.in_text(repr(told) + told._repr_html_()) == set()
    # Where the store is, the user said.
    shown = (repr(safe.store) + safe.store._repr_html_()).replace(safe.store.url, "")
    assert secrets.in_text(shown) == set()


def test_nothing_that_was_planted_is_in_exports(safe, secrets, tmp_path):
    safe.store.to_csv(tmp_path / "few.csv", "few")
    path = safe.store.to_parquet(tmp_path / "few.parquet", "few")
    import pandas as pd

    assert secrets.in_folder(tmp_path) == {}
    assert secrets.in_text(repr(pd.read_parquet(path).to_dict())) == set()


def test_nothing_that_was_planted_is_in_reports_and_the_result_of_a_run(safe, secrets):
    for name, text in safe.pages.items():
        assert secrets.in_text(text) == set(), name
    shown = (repr(safe.run) + safe.run._repr_html_()).replace(str(safe.place), "")
    assert secrets.in_text(shown) == set()
    assert secrets.in_text(repr(safe.run.failed.to_dict())) == set()


def test_nothing_that_was_planted_is_said_unasked(safe, secrets):
    assert secrets.in_text(safe.said) == set()


def test_samples_differ_from_what_they_are_without_the_secret(kept, safe):
    plain = kept(None)
    assert len(plain.samples) == len(safe.samples)
    assert not set(plain.samples.ids) & set(safe.samples.ids)


def test_the_features_are_those_without_the_secret(kept, safe):
    def values(one: Kept) -> list[float]:
        table = one.store.table("few")
        return sorted(table["original_firstorder_Mean"])

    assert values(kept(None)) == values(safe)


class TestTheSearch:
    """It finds what is there: in bytes of the store, packed as they are."""

    def test_words_of_the_users_own_are_found_in_the_bytes(self, safe, secrets):
        own = type(secrets).of([LABEL])
        found = own.in_folder(safe.place)
        assert any("chunks" in name or "manifests" in name for name in found), found
        tag = type(secrets).of([TAG])
        assert tag.in_folder(safe.place)
        assert own.in_text(everything(safe.store))

    def test_without_a_secret_ids_and_uids_are_found_in_the_bytes(self, kept, secrets, planted):
        plain = kept(None)
        words = {word for found in secrets.in_folder(plain.place).values() for word in found}
        assert any(word.startswith("2.25.") for word in words)
        assert "zqxwvk" in {word.lower() for word in words}
        ids = type(secrets).of(planted.patients[:1])
        assert ids.in_folder(plain.place)

    def test_a_frame_in_a_frame_is_opened(self, secrets):
        import gzip

        import pyarrow

        inner = gzip.compress(b"before zqxwvk after")
        packed = b"head" + pyarrow.Codec("zstd").compress(b"more" + inner + b"tail", asbytes=True) + b"end"
        assert b"zqxwvk" not in packed
        assert secrets.in_bytes(packed) == {"zqxwvk"}


def test_an_error_names_a_path_only_where_the_user_looks(planted, secrets):
    """``where`` is for the user's eyes; the part of an error that is stored, and its advice, name nothing."""
    catalog = gclnm.scan(planted.root, patient_key=SECRET, progress=False)
    assert len(catalog.problems) > 3
    for problem in catalog.problems.to_dict("records"):
        assert secrets.in_text(f"{problem['what']} {problem['fix']} {problem['code']}") == set(), problem


def test_another_scan_with_the_secret_gives_the_same_ids_and_another_secret_others(planted, tmp_path):
    folder = next(path for path in planted.root.iterdir() if "folder" in path.name)
    shutil.copytree(folder / "CT", tmp_path / "x" / "CT")
    scans = [gclnm.scan(tmp_path / "x", patient_key=key, progress=False) for key in (SECRET, SECRET, "other")]
    first, second, third = (set(found.volumes["volume_id"]) for found in scans)
    assert first == second
    assert not first & third
    assert scans[0].volumes["study_uid"].str.fullmatch("[0-9a-f]{24}").all()


def test_an_image_files_id_cannot_be_guessed_from_its_patient_and_path(planted):
    catalog = gclnm.scan(planted.root, patient_key=SECRET, progress=False)
    images = catalog.volumes[catalog.volumes["kind"] == "image"]
    assert len(images) > 3
    for volume_id, patient_id in zip(images["volume_id"], images["patient_id"], strict=True):
        file = Path(catalog.volume_ref(volume_id).files[0])
        guesses = {path_digest(patient_id, file.relative_to(planted.root).as_posix()), path_digest(str(file))}
        assert volume_id not in guesses


def test_a_mapping_replaces_patient_ids_and_leaves_uids(planted, tmp_path):
    folder = next(path for path in planted.root.iterdir() if "folder" in path.name)
    shutil.copytree(folder / "CT", tmp_path / "x" / "CT")
    catalog = gclnm.scan(tmp_path / "x", patient_key=lambda _: "A", progress=False)
    assert set(catalog.volumes["patient_id"]) == {"A"}
    assert catalog.volumes["study_uid"].str.startswith("2.25.").all()
