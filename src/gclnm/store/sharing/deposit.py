"""A deposit for a paper: sets and clinical tables as files, under new names, without history."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from gclnm.counts import count
from gclnm.errors import InputError, StoreError
from gclnm.store.clinical.tables import read_about, read_table, table_names
from gclnm.store.dictionary import columns_of
from gclnm.store.export import write_csv
from gclnm.store.layout import array, set_group, set_names, versions
from gclnm.store.lineage import FRAME, Lineage, row_frame
from gclnm.store.read import Where, dataset, row_coordinates, to_table
from gclnm.store.sharing.omitted import Omitted, omitted
from gclnm.store.sharing.pseudonyms import Guard, Pseudonyms, is_date, ordinals
from gclnm.store.sharing.readme import SetFacts, readme

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from gclnm.store.repository import Repository

__all__ = ["Deposit", "export"]

# Never in a deposit: who, where and which file; what only a store needs.
LEFT_OUT = {
    *("study_uid", "series_uid", "split"),
    *("revision", "current", "inputs_sha256", "content_sha256", "origin", "history", "seconds"),
}
NUMBER = re.compile(r"\d{0,3}")
# Coordinates whose values may say who or where: the letter of their codes, and what the codes are.
CODED = {"rater": ("R", "reader"), "centre": ("C", "hospital"), "roi_instance": ("I", "instance of the ROI")}


@dataclass(frozen=True, eq=False)
class Deposit:
    """What was written.

    Attributes
    ----------
    folder
        Where it lies.
    files
        One row a file: file, bytes, sha256.
    left_out
        What stayed out, and why: of (a set or table), column, why. Rows of a clinical table whose
        patients have no row in the deposit are told without a column.
    pseudonyms
        Patient id to the id in the deposit. Only here, in memory, until `pseudonyms_to_csv` writes it.
    not_looked_for
        Ids of the store that are too short to be told from other words: texts may hold them.
    omitted
        Rows and patients that ``where`` left out, of those that go in without it; None without a
        condition. In memory only, too.
    """

    folder: Path
    files: pd.DataFrame
    left_out: pd.DataFrame
    pseudonyms: Mapping[str, str] = field(repr=False)
    not_looked_for: tuple[str, ...] = field(default=(), repr=False, kw_only=True)
    omitted: Omitted | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        size = int(self.files["bytes"].sum())
        lines = [
            f"Deposit {self.folder}: {count(len(self.files), 'file')}, {size:,} bytes,"
            f" {count(len(self.pseudonyms), 'patient')}"
        ]
        if self.omitted is not None:
            lines.append(f"  {self.omitted.sentence}")
        for row in self._reasons():
            what = f"{row['column']} ({row['why']})" if row["column"] else row["why"]
            lines.append(f"  left out of {row['of']}: {what}")
        if self.not_looked_for:
            ids = count(len(self.not_looked_for), "id is", "ids are")
            lines.append(f"  {ids} too short to be looked for in texts (.not_looked_for)")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = f"<b>Deposit</b> {html.escape(str(self.folder))}, {count(len(self.pseudonyms), 'patient')}"
        head += "" if self.omitted is None else f"<br>{html.escape(self.omitted.sentence)}"
        parts = [part.to_html(index=False, escape=True) for part in (self.files, self.left_out) if len(part)]
        return f"<div>{head}{''.join(parts)}</div>"

    def pseudonyms_to_csv(self, path: str | PathLike[str]) -> Path:
        """Write which patient is which: patient_id, pseudonym. Keep it away from the deposit.

        Raises
        ------
        InputError
            When the file would lie in the folder of the deposit.
        StoreError
            When its folder cannot be made.
        """
        import pandas as pd

        target = Path(path)
        if target.resolve().is_relative_to(self.folder.resolve()):
            raise InputError(
                "the list of pseudonyms would be part of the deposit",
                where=str(target),
                fix="Write it to another folder, where only you can read it.",
            )
        pairs = sorted(self.pseudonyms.items())
        return write_csv(pd.DataFrame(pairs, columns=["patient_id", "pseudonym"]), target)

    def _reasons(self) -> list[dict[Any, Any]]:
        rows: list[dict[Any, Any]] = self.left_out.to_dict("records")
        return rows


def export(
    repository: Repository,
    commit: str,
    folder: str | PathLike[str],
    where: Where,
    sets: str | Sequence[str] | None,
) -> Deposit:
    """Write the deposit; see `FeatureStore.export`."""
    import pandas as pd

    target = Path(fspath(folder))
    _refuse_used(target)
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        writer = _Writer(repository, commit, part, where, sets)
        writer.write()
        files = _checksums(part)
        # The folder appears whole or not at all.
        os.replace(part, target)
    except OSError as error:
        raise StoreError(
            "the deposit cannot be written",
            where=str(target),
            fix=f"Choose another folder ({error.strerror}).",
            code="cannot-write",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    left_out = pd.DataFrame(writer.left_out, columns=["of", "column", "why"])
    short = writer.guard.too_short
    return Deposit(
        target, files, left_out, dict(writer.names.patients), writer.omitted(where), not_looked_for=short
    )


def _refuse_used(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(
            "the folder for the deposit is not empty",
            where=str(target),
            fix="Give a new or an empty folder.",
            code="not-empty",
        )


@dataclass(frozen=True)
class _Files:
    """The folder of a deposit while it is made."""

    folder: Path

    def place(self, name: str) -> Path:
        """Where a file goes; no two have one name."""
        path = self.folder / name
        if path.exists():
            raise StoreError(
                "two parts of the deposit would have one file name",
                where=name,
                fix="Export them one by one with sets=.",
            )
        path.parent.mkdir(exist_ok=True)
        return path

    def frame(self, name: str, table: pd.DataFrame) -> None:
        """A table as Parquet and as CSV."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        bare = table.copy(deep=False)
        bare.attrs = {}
        pq.write_table(pa.Table.from_pandas(bare, preserve_index=False), self.place(f"{name}.parquet"))
        self.csv(f"{name}.csv", bare)

    def csv(self, name: str, table: pd.DataFrame) -> None:
        """A table as CSV; every number in the shortest form that reads back the same."""
        table.to_csv(self.place(name), index=False, encoding="utf-8", lineterminator="\n")

    def text(self, name: str, words: str) -> None:
        """A text file."""
        self.place(name).write_text(words, encoding="utf-8")


class _Writer:
    """The parts of a deposit, all of one commit and with one set of new names."""

    def __init__(
        self,
        repository: Repository,
        commit: str,
        folder: Path,
        where: Where,
        sets: str | Sequence[str] | None,
    ) -> None:
        self._repository, self._commit, self._files = repository, commit, _Files(folder)
        self._root = repository.root(commit)
        self._lineage = Lineage(repository, commit)
        names = set_names(self._root) if sets is None else [sets] if isinstance(sets, str) else list(sets)
        self._sets = {name: dataset(repository, commit, name, None, where) for name in names}
        if not any(data.sizes["sample"] for data in self._sets.values()):
            raise InputError(
                "there is no row to export", where=repository.url, fix="Look at where=, sets= and at=."
            )
        self._rows = {name: self._current(name) for name in names}
        ids = self._ids()
        self.names = Pseudonyms(ids)
        self.guard = Guard(ids)
        for name, (letter, _) in CODED.items():
            found = [self._texts(data, name) for data in self._sets.values() if name in data.coords]
            self.names.number(letter, (value for texts in found for value in texts))
        self._days = ordinals(self._time_points())
        self.left_out: list[tuple[str, str, str]] = []
        self._about: dict[str, SetFacts] = {}
        self._table_rows: dict[str, int] = {}

    def _ids(self) -> set[str]:
        """Every id that must not be in the deposit: of all rows and tables, not only of those that go in."""
        found: set[str] = set()
        for name in set_names(self._root):
            group = set_group(self._root, name)
            for key in ("sample_id", "patient_id", "study_uid", "series_uid"):
                if group is not None and key in group:
                    found.update(map(str, np.asarray(array(group, key)[:])))
        for name in table_names(self._root):
            found.update(read_table(self._root, name)[0]["patient_id"])
        return found - {""}

    def omitted(self, where: Where) -> Omitted | None:
        """What a condition left out of the rows that go in without one."""
        if where is None:
            return None
        pairs: list[tuple[str, bool]] = []
        for name, data in self._sets.items():
            rows = dataset(self._repository, self._commit, name, None, None)
            taken = set(self._texts(data, "sample_id"))
            samples = self._texts(rows, "sample_id")
            patients = self._texts(rows, "patient_id") if "patient_id" in rows.coords else [""] * len(samples)
            pairs += [(patient, key in taken) for patient, key in zip(patients, samples, strict=True)]
        return omitted(pairs)

    def _time_points(self) -> dict[str, set[str]]:
        """Every time point of a patient in the sets and tables that go in, of columns that hold dates."""
        columns: list[tuple[list[str], list[str]]] = []
        known: set[str] = set()
        for data in self._sets.values():
            named = "patient_id" in data.coords
            patients = self._texts(data, "patient_id") if named else [""] * data.sizes["sample"]
            known.update(patients)
            if "timepoint" in data.coords:
                columns.append((patients, self._texts(data, "timepoint")))
        for name in table_names(self._root):
            frame = read_table(self._root, name)[0]
            if "timepoint" in frame:
                frame = frame[frame["patient_id"].isin(list(known))]
                columns.append((frame["patient_id"].tolist(), [str(value) for value in frame["timepoint"]]))
        found: dict[str, set[str]] = {}
        for patients, values in columns:
            if any(map(is_date, values)):
                for patient, value in zip(patients, values, strict=True):
                    found.setdefault(patient, set()).add(value)
        return found

    @staticmethod
    def _texts(data: xr.Dataset, name: str) -> list[str]:
        return [str(value) for value in data[name].values]

    def write(self) -> None:
        """Every file but the checksums."""
        for name, data in self._sets.items():
            self._write_set(name, data)
        for name in table_names(self._root):
            self._write_table(name)
        facts = {"written_by": versions(), "sets": {name: self._versions(name) for name in self._sets}}
        self._files.text("versions.json", json.dumps(facts, indent=2) + "\n")
        self._files.text("README.md", self._readme())

    # --- sets

    def _write_set(self, name: str, data: xr.Dataset) -> None:
        from gclnm.recipe.files import dump_yaml

        columns = self._columns(name, data)
        table = to_table(data, diagnostics=True)
        about = columns_of(data, diagnostics=True).set_index("column", drop=False)
        kept = [column for column in table if column in columns or column not in row_coordinates(data)]
        table = table[kept].assign(**columns)
        bounds = {key: _bounds(set_group(self._root, name), key) for key in ("lower", "upper")}
        about = about.loc[kept]
        for key, found in bounds.items():
            about[key] = [found.get(str(column), float("nan")) for column in kept]
        for column, what in self._words().items():
            about.loc[about["column"] == column, "what"] = what
        self._files.frame(
            name,
            table.sort_values(
                [key for key in ("patient_id", "sample_id") if key in table], ignore_index=True
            ),
        )
        self._files.csv(f"{name}.columns.csv", about)
        recipe = json.loads(data.attrs["recipe"])
        self._files.text(f"{name}.recipe.yaml", dump_yaml(_without_none(recipe)))
        patients = len(set(table["patient_id"])) if "patient_id" in table else 0
        self._about[name] = SetFacts(
            recipe=str(data.attrs["recipe_name"]),
            recipe_id=str(data.attrs["recipe_id"]),
            rows=len(table),
            patients=patients,
            features=data.sizes["feature"],
            **self._absent(name, data),
        )

    def _columns(self, name: str, data: xr.Dataset) -> dict[str, Any]:
        """The coordinates of a set that go in, under their new names."""
        keys = [key for key in row_coordinates(data) if key not in LEFT_OUT]
        empty = np.full(data.sizes["sample"], "", dtype=object)
        patients = data["patient_id"].values if "patient_id" in keys else empty
        given = {key: self._column(name, key, data[key].values, patients) for key in keys}
        return {key: values for key, values in given.items() if values is not None}

    def _column(self, of: str, key: str, values: Any, patients: Any) -> Any:
        """A column as it goes into the deposit; None: it stays out."""
        texts = [str(value) for value in values]
        if key == "sample_id":
            return [self.names.sample(text) for text in texts]
        if key == "patient_id":
            return [self.names.patient(text) for text in texts]
        if key == "timepoint" and any(map(is_date, texts)):
            pairs = zip(map(str, patients), texts, strict=True)
            return [self._days[pair] if pair[1] else "" for pair in pairs]
        if key == "roi_instance" and all(NUMBER.fullmatch(text) for text in texts):
            return values
        if key in CODED and self.names.has_codes(CODED[key][0], texts):
            return [self.names.code(CODED[key][0], text) for text in texts]
        why = "its values have no code in the sets" if key in CODED else self.guard.why_not(key, values)
        if why:
            self.left_out.append((of, key, why))
            return None
        return values

    @staticmethod
    def _words() -> dict[str, str]:
        """What the renamed columns are in a deposit."""
        coded = {
            name: f"Code of the {what}; the order of codes says nothing." for name, (_, what) in CODED.items()
        }
        return {
            "sample_id": "Key of the row, made for this deposit: the same sample has one key in all files.",
            "patient_id": "Pseudonym of the patient, made for this deposit: the same in all files.",
            **coded,
        }

    def _current(self, name: str) -> pd.DataFrame:
        """The current rows of a set without their values, of any status."""
        group = set_group(self._root, name)
        rows = row_frame(group, self._lineage) if group is not None else None
        return pd.DataFrame(columns=FRAME) if rows is None else rows[rows["current"]]

    def _absent(self, name: str, data: xr.Dataset) -> dict[str, int]:
        """How many current rows of a set do not go in, by what they are."""
        rows = self._rows[name]
        absent = rows.loc[~rows["sample_id"].isin(self._texts(data, "sample_id")), "status"]
        named = {"failed": "failed", "linked": "linked", "left_out": "ok"}
        return {key: int((absent == status).sum()) for key, status in named.items()}

    def _versions(self, name: str) -> list[dict[str, Any]]:
        """Software that the rows of a set were computed with, and of how many rows."""
        rows = self._rows[name]
        of = dict(zip(rows["sample_id"], rows["commit"], strict=True))
        counts: dict[str, int] = {}
        for sample in self._texts(self._sets[name], "sample_id"):
            used = self._lineage.origins[of[sample]].versions
            key = json.dumps(used, sort_keys=True)
            counts[key] = counts.get(key, 0) + 1
        return [{"rows": rows, "versions": json.loads(key)} for key, rows in counts.items()]

    # --- tables

    def _write_table(self, name: str) -> None:
        import pandas as pd

        frame, about = read_table(self._root, name)
        known = frame["patient_id"].isin(list(self.names.patients))
        if rest := int((~known).sum()):
            why = f"{count(rest, 'row')} of patients who have no row in the deposit"
            self.left_out.append((f"tables/{name}", "", why))
        frame = frame[known].reset_index(drop=True)
        self._table_rows[name] = len(frame)
        label, patients = f"tables/{name}", frame["patient_id"].tolist()
        given = {str(key): self._column(label, str(key), frame[key].tolist(), patients) for key in frame}
        columns = {key: values for key, values in given.items() if values is not None}
        table = pd.DataFrame(columns)
        self._files.frame(label, table.sort_values("patient_id", kind="stable", ignore_index=True))
        told = [
            {
                "column": column["name"],
                "kind": "key" if column["name"] in about["keys"] else column["kind"],
                "header": column["header"],
                "values": self._value_map(column),
            }
            for column in read_about(self._root, name)["columns"]
            if column["name"] in columns
        ]
        self._files.csv(f"{label}.columns.csv", pd.DataFrame(told))

    def _value_map(self, column: Mapping[str, Any]) -> str:
        """What the cells of a column were before; nothing where that may say who or where."""
        pairs = column.get("values") or []
        if column["name"] in CODED or self.guard.why_not("", [old for old, _ in pairs]):
            return ""
        return ", ".join(f"{old}={new}" for old, new in pairs)

    def _readme(self) -> str:
        tags = sorted(tag for tag, commit in self._repository.tags().items() if commit == self._commit)
        return readme(self._commit, tags, self._about, self._table_rows, bool(self.guard.too_short))


def _bounds(group: Any, key: str) -> dict[str, float]:
    from gclnm.store.layout import read_text

    return dict(zip(read_text(group, "feature"), np.asarray(array(group, key)[:]).tolist(), strict=True))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _checksums(folder: Path) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append((path.relative_to(folder).as_posix(), path.stat().st_size, digest))
    sums = "".join(f"{digest}  {name}\n" for name, _, digest in rows)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return pd.DataFrame(rows, columns=["file", "bytes", "sha256"])
