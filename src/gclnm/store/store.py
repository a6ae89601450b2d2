"""The feature store: sets of rows that are appended, read as they were at any commit, and explained."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.errors import StoreError
from gclnm.schemas.features import check_rows
from gclnm.store import export
from gclnm.store.cube import to_cube
from gclnm.store.dictionary import columns_of
from gclnm.store.explain import Explanation, explain
from gclnm.store.history import At, check_tag, log, resolve
from gclnm.store.keys import KeyIndex, key_table
from gclnm.store.layout import (
    SetSpec,
    array,
    arrays,
    check_name,
    check_spec,
    create_set,
    set_group,
    set_names,
)
from gclnm.store.read import Select, Where, dataset, to_table
from gclnm.store.repository import Mode, Note, Repository, open_repository
from gclnm.store.write import choose, note_of, write_rows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    import zarr

    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe

__all__ = ["FeatureStore", "open_store"]


def open_store(url: str | PathLike[str], *, mode: Mode = "a", storage: Any = None) -> FeatureStore:
    """Open a feature store, or make one where there is nothing yet.

    Parameters
    ----------
    url
        A folder; ``"memory://"`` for a store that lives as long as its variable, or
        ``"memory://name"`` for one that the whole process shares.
    mode
        ``"a"`` reads and appends, ``"r"`` only reads (and makes nothing).
    storage
        An Icechunk storage, for places that need more than an address; ``url`` then only names it.

    Raises
    ------
    StoreError
        When the folder holds something else, the store was written by a newer version, or there is
        nothing to read.

    Examples
    --------
    >>> open_store("memory://")
    FeatureStore memory://, no sets
    """
    return FeatureStore(open_repository(url, mode, storage))


class FeatureStore:
    """Feature sets with their history: one recipe on many samples each.

    Every write is one atomic commit under the store's own lock; reading sees one commit and never
    waits. Nothing that was committed is changed or removed.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._indices: dict[str, KeyIndex] = {}
        self._specs: dict[str, SetSpec] = {}

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._repository.url

    @property
    def commit(self) -> str:
        """Id of the newest commit."""
        return self._repository.tip()

    # --- writing

    def create(self, name: str, recipe: Recipe | str | Path, *, replace: bool = False) -> str | None:
        """Make an empty set for a recipe; nothing happens when the set is there with this recipe.

        Parameters
        ----------
        name
            Name of the set.
        recipe
            A recipe, the name of a built-in one, or a YAML file.
        replace
            Start a new version of a set that holds rows of another recipe. The old one stays
            readable by tag, commit or date.

        Returns
        -------
        str or None
            The commit; None when there was nothing to do.

        Raises
        ------
        StoreError
            When the set holds rows of another recipe; it shows which settings differ.
        """
        spec = self._spec(recipe)

        def change(root: zarr.Group) -> Note | None:
            group = set_group(root, check_name(name))
            if group is not None and not (replace and group.attrs["recipe_id"] != spec.recipe_id):
                check_spec(group, name, spec)
                return None
            made = create_set(root, name, spec)
            return note_of(name, made, "create" if group is None else "replace", 0, 0, "")

        return self._repository.commit(change)

    def append(
        self, name: str, recipe: Recipe | str | Path, rows: Sequence[Row], *, message: str = ""
    ) -> str | None:
        """Add rows to a set (made when new) in one atomic commit.

        Rows that the set holds already are left out. A row replaces the current one as its next
        revision when that one failed, or when inputs or coordinates have changed; a failure to read
        the inputs replaces no computed row.

        Parameters
        ----------
        name
            Name of the set.
        recipe
            The recipe that the rows were computed with.
        rows
            Rows of `gclnm.pipeline.run`.
        message
            A remark of yours for the history.

        Returns
        -------
        str or None
            The commit; None when nothing was new.

        Raises
        ------
        StoreError
            When the set holds rows of another recipe.
        InputError
            When a row is not what the recipe asks for or has impossible values. Nothing is written.
        """
        spec = self._spec(recipe)
        values = check_rows(rows, spec.names, spec.diagnostics, spec.lower, spec.upper)

        def change(root: zarr.Group) -> Note | None:
            group = set_group(root, check_name(name))
            action = "append" if group is not None else "create"
            if group is None:
                group = create_set(root, name, spec)
            else:
                check_spec(group, name, spec)
            stored = arrays(group)
            choice = choose(stored, self._index(name).at(group), rows)
            if not choice.indices and action == "append":
                return None
            news = [rows[index] for index in choice.indices]
            start = stored["sample_id"].shape[0]
            write_rows(group, stored, news, values[list(choice.indices)], choice)
            failed = sum(row.status == "failed" for row in news)
            return note_of(name, group, action, len(choice.replaced), failed, message, start)

        return self._repository.commit(change)

    def tag(self, name: str) -> str:
        """Give the newest commit a name for ever after; the commit's id.

        Raises
        ------
        StoreError
            When the tag exists: a tag never moves.
        """
        check_tag(name)
        with self._repository.writing():
            tags = self._repository.tags()
            if name in tags:
                raise StoreError(
                    "the tag exists and never moves",
                    where=f"{name} -> {tags[name]}",
                    fix="Use another name.",
                    code="tag-exists",
                )
            commit = self.commit
            self._repository.repo.create_tag(name, snapshot_id=commit)
        return commit

    # --- reading

    def keys(self, name: str) -> pd.DataFrame:
        """The current rows of a set: sample_id, status, inputs_sha256, revision; empty without the set."""
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
    ) -> xr.Dataset:
        """A set as a dataset; its values stay in the store until they are used.

        Parameters
        ----------
        name
            Name of the set.
        at
            A tag, a commit (or the start of its id), or a date; the newest state by default. A time
            without a zone is UTC, as in `log`; a date alone means its end.
        select
            Features by name or pattern (``"original_glcm_*"``), one or several.
        dims
            Coordinates to lay the rows out along, for example ``("patient_id", "roi", "phase")``;
            gives a cube in memory, NaN where no row is.
        where
            A condition on coordinates (``"modality == 'CT'"``) or a mapping of coordinate to value or
            values, spelled as in the set: modalities are DICOM's (``"PT"``, ``"MR"``). No row that
            fits is no error, but an empty dataset. Rows are current, ok and unperturbed unless it
            names ``current``, ``status`` or ``perturbation`` itself.

        Returns
        -------
        xarray.Dataset
            ``value`` (sample, feature), ``diagnostic`` (sample, diagnostic_name), and the coordinates.
            Rows are sorted by patient, modality, ROI, instance, rater and key, whatever order they
            were written in.

        Raises
        ------
        StoreError
            When set, version or feature do not exist, or two rows share a place in the cube.
        """
        data = dataset(self._repository, resolve(self._repository, at), name, select, where)
        return data if dims is None else to_cube(data, dims)

    def table(
        self,
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        diagnostics: bool = False,
    ) -> pd.DataFrame:
        """A set as a wide table: coordinates first, then one column a feature. Arguments as in `read`.

        With ``diagnostics`` the diagnostics follow the coordinates, as ``diagnostic_<name>``.
        """
        return to_table(self.read(name, at=at, select=select, where=where), diagnostics)

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
            ok = sum(key.status == "ok" for key in current.values())
            everything, features = array(group, "value").shape
            rows.append(
                {
                    "set": name,
                    "recipe": group.attrs["recipe_name"],
                    "recipe_id": str(group.attrs["recipe_id"])[:12],
                    "engine": group.attrs["engine"],
                    "features": features,
                    "rows": ok,
                    "failed": len(current) - ok,
                    "replaced": everything - len(current),
                }
            )
        columns = ["set", "recipe", "recipe_id", "engine", "features", "rows", "failed", "replaced"]
        return pd.DataFrame(rows, columns=columns)

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

        Raises
        ------
        InputError
            When ``sample_id`` is not one, for example the name of a feature.
        StoreError
            When no row has this key, several sets have it, or the set has no such feature.
        """
        return explain(self._repository, resolve(self._repository, at), sample_id, name, feature)

    def to_parquet(
        self,
        path: str | PathLike[str],
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        diagnostics: bool = False,
    ) -> Path:
        """Write a set as one Parquet file, with recipe and commit in its metadata (key ``gclnm``).

        Beside it lies ``<stem>.columns.csv``: what each column is, with unit, family, image and IBSI
        code. Folders are made. Arguments as in `table`.
        """
        data = self.read(name, at=at, select=select, where=where)
        return export.to_parquet(to_table(data, diagnostics), fspath(path), columns_of(data, diagnostics))

    def to_csv(
        self,
        path: str | PathLike[str],
        name: str,
        *,
        at: At = None,
        select: Select = None,
        where: Where = None,
        diagnostics: bool = False,
    ) -> Path:
        """Write a set as one CSV file; numbers read back the same to the last bit.

        Beside it lie ``<stem>.columns.csv``, what each column is, and ``<stem>.recipe.json``, the set,
        its commit and its recipe. Folders are made. Arguments as in `table`.
        """
        data = self.read(name, at=at, select=select, where=where)
        return export.to_csv(to_table(data, diagnostics), fspath(path), columns_of(data, diagnostics))

    # --- showing

    def __repr__(self) -> str:
        sets, columns = self.sets(), ("set", "rows", "features", "failed")
        parts = [
            f"{name}: {rows} rows x {features} features" + (f", {failed} failed" if failed else "")
            for name, rows, features, failed in zip(*(sets[key] for key in columns), strict=True)
        ]
        return f"FeatureStore {self.url}, " + ("; ".join(parts) or "no sets")

    def _repr_html_(self) -> str:
        tags = html.escape(", ".join(self._repository.tags()) or "none")
        head = f"<b>FeatureStore</b> {html.escape(self.url)}<br>commit {self.commit}, tags: {tags}"
        return f"<div>{head}{self.sets().to_html(index=False, escape=True)}</div>"

    # --- within

    def _index(self, name: str) -> KeyIndex:
        return self._indices.setdefault(name, KeyIndex())

    def _spec(self, recipe: Recipe | str | Path) -> SetSpec:
        from gclnm.recipe.recipe import Recipe

        given = Recipe.of(recipe)
        if given.id not in self._specs:
            self._specs[given.id] = SetSpec.of(given)
        return self._specs[given.id]
