"""The reading side of a store: sets as they were at any commit, their history, rows explained, exports."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.counts import count
from gclnm.store import export
from gclnm.store.clinical.join import Tables, dataset_with
from gclnm.store.clinical.tables import read_table, table_list
from gclnm.store.cube import to_cube
from gclnm.store.dictionary import columns_of
from gclnm.store.keys import KeyIndex, key_table
from gclnm.store.layout import array, set_group, set_names
from gclnm.store.read import Select, Where, to_table
from gclnm.store.repository import Repository
from gclnm.store.selections import selection_list
from gclnm.store.versions.check import Check, check
from gclnm.store.versions.diff import Diff, diff
from gclnm.store.versions.explain import Explanation, explain
from gclnm.store.versions.history import At, log, resolve
from gclnm.store.versions.redo import Redo

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from gclnm.store.sharing.deposit import Deposit

__all__ = ["StoreReader"]


class StoreReader:
    """What can be asked of a store. Reading sees one commit and never waits for a writer."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._indices: dict[str, KeyIndex] = {}

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._repository.url

    @property
    def commit(self) -> str:
        """Id of the newest commit."""
        return self._repository.tip()

    def keys(self, name: str) -> pd.DataFrame:
        """Current rows of a set: sample_id, status, inputs_sha256, revision, same_as; empty without it."""
        group = set_group(self._repository.root(self.commit), name)
        return key_table({} if group is None else self._index(name).at(group))

    def read(
        self,
        name: str,
        *,
        at: At = None,
        select: Select = None,
        dims: Sequence[str] | None = None,
        where: Where = None,
        tables: Tables = None,
    ) -> xr.Dataset:
        """A set as a dataset; its values stay in the store until they are used.

        Parameters
        ----------
        name
            Name of the set.
        at
            A tag, a commit (or the start of its id), or a date; the newest state by default. A time
            without a zone is UTC, as in `log`; a date alone means its end. Times are those of the
            clocks of the machines that committed; along the history they never go back.
        select
            Features by name, pattern (``"original_glcm_*"``) or name of a selection, one or several.
        dims
            Coordinates to lay the rows out along, for example ``("patient_id", "roi", "phase")``;
            gives a cube in memory, NaN where no row is.
        where
            A condition on coordinates (``"modality == 'CT'"``) or a mapping of coordinate to value or
            values, spelled as in the set: modalities are DICOM's (``"PT"``, ``"MR"``). No row that
            fits is no error, but an empty dataset. Rows are current, ok and unperturbed unless it
            names ``current``, ``status`` or ``perturbation`` itself.
        tables
            Clinical tables, as they were at the same commit: their columns become coordinates of the
            rows, NaN or ``""`` where a table says nothing; ``where`` may name them.

        Returns
        -------
        xarray.Dataset
            ``value`` (sample, feature), ``diagnostic`` (sample, diagnostic_name), and the coordinates.
            Rows are sorted by patient, modality, ROI, instance, rater and key, whatever order they
            were written in.

        Raises
        ------
        StoreError
            When set, version, feature or table do not exist, a table matches no row or has a column that
            rows have already, or two rows share a place in the cube.
        """
        snapshot = resolve(self._repository, at)
        data = dataset_with(self._repository, snapshot, name, select, where, tables)
        return data if dims is None else to_cube(data, dims)

    def table(
        self,
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        tables: Tables = None,
        diagnostics: bool = False,
    ) -> pd.DataFrame:
        """A set as a wide table: coordinates first, then one column a feature. Arguments as in `read`.

        With ``diagnostics`` the diagnostics follow the coordinates, as ``diagnostic_<name>``.
        """
        return to_table(self.read(name, at=at, select=select, where=where, tables=tables), diagnostics)

    def sets(self) -> pd.DataFrame:
        """The sets: recipe, engine, features, and how many rows are ok, failed, replaced."""
        import pandas as pd

        root = self._repository.root(self.commit)
        rows = []
        for name in set_names(root):
            group = set_group(root, name)
            if group is None:
                continue
            current = self._index(name).at(group)
            states = [key.status for key in current.values()]
            everything, features = array(group, "value").shape
            rows.append(
                {
                    "set": name,
                    "recipe": group.attrs["recipe_name"],
                    "recipe_id": str(group.attrs["recipe_id"])[:12],
                    "engine": group.attrs["engine"],
                    "features": features,
                    "rows": states.count("ok"),
                    "failed": states.count("failed"),
                    "replaced": everything - len(current),
                }
            )
        columns = ["set", "recipe", "recipe_id", "engine", "features", "rows", "failed", "replaced"]
        return pd.DataFrame(rows, columns=columns)

    def diff(self, a: At, b: At = None, name: str | None = None) -> Diff:
        """What differs between two versions, and of replaced rows why.

        Parameters
        ----------
        a, b
            Versions, as ``at`` of `read`; ``b`` is the newest by default.
        name
            One set only; by default all sets, tables and selections.

        Returns
        -------
        Diff
            ``.rows`` (added, replaced, removed; because of pixels, mask, facts, coordinates, status,
            recipe, code ...), ``.features``, ``.sets``, ``.tables``, ``.selections``; ``.values()``
            says how much the numbers of replaced rows changed.

        Raises
        ------
        StoreError
            When a version or the set does not exist.

        Examples
        --------
        >>> from gclnm.store.store import open_store
        >>> store = open_store("memory://")
        >>> start, commit = store.commit, store.create("ct", "ct")
        >>> store.diff(start).sets[["set", "change"]].values.tolist()
        [['ct', 'added']]
        """
        return diff(self._repository, a, b, name)

    def check(self, *, values: bool = True) -> Check:
        """Look whether the store is whole. It never raises for damage, but names what is damaged.

        Structure, types and lengths of the arrays; one current revision per row, the last one;
        status, reasons, digests, bounds; that every row is the work of one commit, that the history
        reaches back to the start, and that tags lie in it. Nothing is changed.

        Parameters
        ----------
        values
            Also read values, diagnostics and histories, which are most of the store.

        Returns
        -------
        Check
            ``.ok`` and ``.problems``: what, where, and what to do.

        Examples
        --------
        >>> from gclnm.store.store import open_store
        >>> open_store("memory://").check()
        Check memory://: no problems (1 commit)
        """
        return check(self._repository, values)

    def tables(self, at: At = None) -> pd.DataFrame:
        """The clinical tables: name, keys, rows, columns besides the keys, and the commit that wrote them."""
        return table_list(self._repository, resolve(self._repository, at))

    def get_table(self, name: str, at: At = None) -> pd.DataFrame:
        """A clinical table as it was put, sorted by its keys; yes/no is 1 and 0, missing NaN or ``""``.

        What is known of its columns (header, value map) stands in ``.attrs``.

        Raises
        ------
        StoreError
            When there is no such table or version.
        """
        root = self._repository.root(resolve(self._repository, at))
        frame, about = read_table(root, name)
        frame.attrs.update(about)
        return frame

    def selections(self, name: str, at: At = None) -> pd.DataFrame:
        """The named selections of a set's features: selection, number of features, commit, names.

        Raises
        ------
        StoreError
            When there is no such set or version.
        """
        return selection_list(self._repository, resolve(self._repository, at), name)

    def log(self) -> pd.DataFrame:
        """The history, newest first: time (UTC), commit, set, what happened, tags."""
        return log(self._repository)

    def tags(self) -> pd.DataFrame:
        """The tags: name, commit, time of the commit (UTC)."""
        import pandas as pd

        times = {snapshot.id: snapshot.written_at for snapshot in self._repository.ancestry()}
        rows = [(tag, commit, times[commit]) for tag, commit in self._repository.tags().items()]
        return pd.DataFrame(rows, columns=["tag", "commit", "time"])

    def explain(
        self,
        sample_id: str | Mapping[str, Any] | pd.Series[Any],
        name: str | None = None,
        *,
        feature: str | None = None,
        at: At = None,
        redo: Redo = False,
    ) -> Explanation:
        """The way of one row: coordinates, settings, steps, versions, commit, revisions.

        Parameters
        ----------
        sample_id
            The row's key, or a row of `table`, which has it.
        name
            The set; needed where several hold the sample.
        feature
            A feature of the set: also its value, unit, meaning, bounds and IBSI code, and of the
            diagnostics those that bear on it.
        at
            As in `read`.
        redo
            True: also compute the row again with the set's recipe, from the files that this machine
            remembers, and say whether it is the same: identical, or the largest difference, and which
            part of its inputs or software is another. Samples (of `gclnm.pair`): from their files.

        Raises
        ------
        InputError
            When ``sample_id`` is not one, for example the name of a feature, or none of the samples
            in ``redo`` is this row.
        StoreError
            When no row has this key, several sets have it, or the set has no such feature.
        """
        return explain(self._repository, resolve(self._repository, at), sample_id, name, feature, redo)

    def to_parquet(
        self,
        path: str | PathLike[str],
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        tables: Tables = None,
        diagnostics: bool = False,
    ) -> Path:
        """Write a set as one Parquet file, with recipe and commit in its metadata (key ``gclnm``).

        Beside it lies ``<stem>.columns.csv``: what each column is, with unit, family, image and IBSI
        code. Folders are made. Arguments as in `table`.
        """
        data = self.read(name, at=at, select=select, where=where, tables=tables)
        return export.to_parquet(to_table(data, diagnostics), fspath(path), columns_of(data, diagnostics))

    def to_csv(
        self,
        path: str | PathLike[str],
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        tables: Tables = None,
        diagnostics: bool = False,
    ) -> Path:
        """Write a set as one CSV file; numbers read back the same to the last bit.

        Beside it lie ``<stem>.columns.csv``, what each column is, and ``<stem>.recipe.json``, the set,
        its commit and its recipe. Folders are made. Arguments as in `table`.
        """
        data = self.read(name, at=at, select=select, where=where, tables=tables)
        return export.to_csv(to_table(data, diagnostics), fspath(path), columns_of(data, diagnostics))

    def export(
        self,
        folder: str | PathLike[str],
        *,
        at: At = None,
        where: Where = None,
        sets: str | Sequence[str] | None = None,
    ) -> Deposit:
        """Write sets and clinical tables as files for a paper: new pseudonyms, no history.

        Patients and samples get random names, the same in all files; readers, hospitals and instances
        of an ROI become ``R1``, ``C1``, ``I1`` ... Study and series UIDs, digests, revisions and times
        stay out, and so does every other column with ids of the store, UIDs or dates in it, or whose
        name says that it holds an identifier, a station, an institution or a date; `Deposit.left_out`
        names them. Time points that are dates become ``T1``, ``T2`` ... of each patient. What you named
        yourself (ROI, phase, other coordinates, texts of tables) goes in as it is: look at it.

        Parameters
        ----------
        folder
            A new or empty folder. It appears when all is written, or not at all.
        at, where
            As in `read`. Clinical tables hold the patients of whom there are rows.
        sets
            Names of sets; all by default.

        Returns
        -------
        Deposit
            ``.files``, ``.left_out`` and, in memory only, ``.pseudonyms``.

        Raises
        ------
        StoreError
            When the folder is not empty or cannot be written, or set or version do not exist.
        InputError
            When there is no row to export.
        """
        from gclnm.store.sharing import deposit

        return deposit.export(self._repository, resolve(self._repository, at), folder, where, sets)

    # --- showing

    def __repr__(self) -> str:
        sets, columns = self.sets(), ("set", "rows", "features", "failed")
        parts = [
            f"{name}: {count(rows, 'row')} x {count(features, 'feature')}"
            + (f", {failed} failed" if failed else "")
            for name, rows, features, failed in zip(*(sets[key] for key in columns), strict=True)
        ]
        return f"FeatureStore {self.url}, " + ("; ".join(parts) or "no sets")

    def _repr_html_(self) -> str:
        tags = html.escape(", ".join(self._repository.tags()) or "none")
        head = f"<b>FeatureStore</b> {html.escape(self.url)}<br>commit {self.commit}, tags: {tags}"
        return f"<div>{head}{self.sets().to_html(index=False, escape=True)}</div>"

    # --- within

    def _outdated(self, name: str) -> dict[str, frozenset[str]]:
        """By sample: own input digests from before a linked sample corrected its row; a run leaves these."""
        group = set_group(self._repository.root(self.commit), name)
        return {} if group is None else self._index(name).outdated(group)

    def _index(self, name: str) -> KeyIndex:
        return self._indices.setdefault(name, KeyIndex())
