"""The feature store: sets of rows that are appended, read as they were at any commit, and explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.catalog.scanning.patients import PatientKey
from gclnm.schemas.features import check_rows
from gclnm.store.clinical.put import TableReport, put_table
from gclnm.store.features import read_selections
from gclnm.store.layout import SetSpec, arrays, check_name, check_spec, create_set, set_group
from gclnm.store.links import Taken, link, screened, written
from gclnm.store.opening import Mode, open_repository
from gclnm.store.reader import StoreReader
from gclnm.store.repository import Note, Repository
from gclnm.store.same_as import pairs_of
from gclnm.store.selections import put_selection
from gclnm.store.versions.history import check_tag
from gclnm.store.write import choose, note_of, write_rows

if TYPE_CHECKING:
    import pandas as pd
    import zarr

    from gclnm.images.sample import Coordinate
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.read import Where
    from gclnm.store.same_as import SameAs
    from gclnm.store.sharing.matching import Patients, Prefer
    from gclnm.store.sharing.merge import Merge

__all__ = ["FeatureStore", "open_store"]


def open_store(url: str | PathLike[str], *, mode: Mode = "a", storage: Any = None) -> FeatureStore:
    """Open a feature store, or make one where there is nothing yet.

    Parameters
    ----------
    url
        A folder; ``"s3://bucket/prefix"`` for S3-compatible storage; ``"memory://"`` for a store that
        lives as long as its variable, or ``"memory://name"`` for one that the whole process shares. Keys,
        region and endpoint of S3 come from the usual environment and files (``AWS_*``, ``~/.aws``).
    mode
        ``"a"`` reads and appends, ``"r"`` only reads (and makes nothing).
    storage
        An Icechunk storage, for places that need more than an address; ``url`` then only names it.

    Raises
    ------
    StoreError
        When the folder holds something else, the store was written by a newer version, there is
        nothing to read, or S3 refuses or does not answer.

    Warns
    -----
    NetworkFolderWarning
        When the folder lies on a network file system, where locks between machines are unproven.

    Notes
    -----
    Any number of processes may write at once. On a folder they wait for each other's lock, for up to
    five minutes. On S3 nothing locks: a writer that was overtaken looks at the newest state again, for
    up to ten minutes. A request to S3 that fails is repeated for about ten seconds (with Icechunk 1, which
    comes with Python 3.11, up to a minute) and given up after three minutes of silence (with Icechunk
    1 ten minutes a commit). After an error the same rows may be offered again: those that arrived are
    known and are not written twice.

    Examples
    --------
    >>> open_store("memory://")
    FeatureStore memory://, no sets
    """
    return FeatureStore(open_repository(url, mode, storage))


class FeatureStore(StoreReader):
    """Feature sets with their history: one recipe on many samples each.

    Every write is one atomic commit under the store's own lock; reading sees one commit and never
    waits. Nothing that was committed is changed or removed.
    """

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self._specs: dict[str, SetSpec] = {}

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
            # A selection names features of the old recipe: it stays with them, in the history.
            dropped = list(read_selections(group)) if group is not None else []
            made = create_set(root, name, spec)
            message = f"dropped selections: {', '.join(dropped)}" if dropped else ""
            return note_of(name, made, "create" if group is None else "replace", message=message)

        return self._repository.commit(change)

    def append(
        self, name: str, recipe: Recipe | str | Path, rows: Sequence[Row], *, message: str = ""
    ) -> str | None:
        """Add rows to a set (made when new) in one atomic commit.

        Rows that the set holds already are left out. A row replaces the current one as its next
        revision when that one failed, or when inputs or coordinates have changed; a failure to read
        the inputs replaces no computed row. A row whose voxels, grid and mask are those of another
        sample, on another volume, is written as a failed row (``same-content``) that names it.

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
        return self.offer(name, recipe, rows, message=message).commit

    def offer(
        self,
        name: str,
        recipe: Recipe | str | Path,
        rows: Sequence[Row],
        *,
        distinct: Collection[str] = (),
        message: str = "",
    ) -> Taken:
        """As `append`, and say which of the rows were written and which are held back.

        ``distinct`` names samples that are truly different, though another one has their content.
        """
        spec = self._spec(recipe)
        values = check_rows(rows, spec.names, spec.diagnostics, spec.lower, spec.upper)
        taken = Taken(None, frozenset())

        def change(root: zarr.Group) -> Note | None:
            nonlocal taken
            group = set_group(root, check_name(name))
            action = "append" if group is not None else "create"
            if group is None:
                group = create_set(root, name, spec)
            else:
                check_spec(group, name, spec)
            stored, keys = arrays(group), self._index(name).look(group)
            clear = screened(stored, keys, rows, distinct)
            choice = choose(stored, keys, clear.rows)
            news = [clear.rows[index] for index in choice.indices]
            places = [clear.places[index] for index in choice.indices]
            fresh = zip(news, choice.revisions, strict=True)
            taken = Taken(
                None,
                written(rows, places, news),
                clear.refused,
                sum(revision > 1 and row.status != "linked" for row, revision in fresh),
            )
            if not news and action == "append":
                return None
            start = stored["sample_id"].shape[0]
            block = values[places]
            block[[row.status != "ok" for row in news]] = np.nan
            write_rows(group, stored, news, block, choice)
            failed = sum(row.status == "failed" for row in news)
            return note_of(
                name,
                group,
                action,
                replaced=len(choice.replaced),
                failed=failed,
                message=message,
                start=start,
            )

        commit = self._repository.commit(change)
        return dataclasses.replace(taken, commit=commit)

    def link(
        self,
        name: str,
        same_as: SameAs,
        *,
        coords: Mapping[str, Mapping[str, Coordinate]] | None = None,
    ) -> str | None:
        """Say that samples are the same as others of a set: from then on they count as these.

        A re-anonymised export brings the same images and contours under other identifiers. A linked
        sample has a row without values that names the other one; a failed or computed row of its own
        is replaced by it.

        Parameters
        ----------
        name
            Name of the set.
        same_as
            ``sample_id`` to the ``sample_id`` of the row that counts; or a table with these columns
            (sample_id, same_as), as ``.twins`` of a run or a merge, of which the rows of this set are
            taken, or a CSV file of one.
        coords
            Coordinates of samples that the set has no row of.

        Returns
        -------
        str or None
            The commit; None when nothing was new.

        Raises
        ------
        InputError
            When links make a ring, or name samples that are not known; all are named.
        """
        pairs = pairs_of(same_as, name)
        return link(self._repository, self._index(name), name, pairs, coords or {})

    def merge(
        self,
        other: FeatureStore | str | PathLike[str],
        *,
        patients: Patients = None,
        where: Where = None,
        prefer: Prefer = None,
        distinct: Collection[str] = (),
    ) -> Merge:
        """Bring the rows of another store, one atomic commit a set; both keep what they hold.

        The current rows of every set come, computed and failed ones, with values, diagnostics, steps,
        digests and coordinates as they are. `explain` and `log` tell which store and commit each row
        was first written in. Merging again brings what is new since, and replaces rows that the other
        store has replaced since. Tables and selections come along.

        A row with the voxels, grid and mask of a sample that is here under another key is held back, as in
        a run: it comes as a failed row (``same-content``) that names the other one, and ``merged.twins``
        lists it in this and each later merge, until you say what it is: ``link(name, merged.twins)``
        makes one sample of each pair, ``distinct=`` lets it come with its values.

        Links come along: a linked sample counts here as the one that it counts as there, and comes only
        with that one. What was linked here stays linked when the other store brings the row unchanged; a
        row that was corrected there since is one that differs, for ``prefer``.

        Parameters
        ----------
        other
            A store, or the address of one; it is only read.
        patients
            What patient ids that both stores use mean: ``"same"`` for the same persons, or a mapping
            or function from their ids to new ones; ids that a mapping does not name stay. Rows of
            renamed patients get another ``sample_id``, made of the new id and the old key.
        where
            Rows that come: a condition on coordinates, as in `read`, over rows of any status. Merged
            into a new store, this is a copy without the others' history.
        prefer
            ``"own"`` or ``"other"``: which row stays current where both stores have a sample with
            other inputs and neither row comes from the other's store; whose links hold where those of
            both lead round in a ring; and whose rows of tables, and selections.
        distinct
            ``sample_id`` (as in ``.twins``) of rows that are truly different from the sample whose
            content they have: they come with their values.

        Returns
        -------
        Merge
            How many rows were added, replaced, linked, held back, there already, and the commits.

        Raises
        ------
        StoreError
            When a set was made with another recipe (it shows which settings differ), a patient id is
            in both stores without a word of what it means, patients are here under other ids than
            ``patients`` gives them (it shows the mapping), rows or links differ, a coordinate is text
            here and numbers there, or the other store is this one or a copy of it. Everything is
            checked before anything is written.
        InputError
            When ``patients``, ``where`` or ``prefer`` cannot be used.
        """
        from gclnm.store.sharing.merge import merge

        opened = other if isinstance(other, FeatureStore) else open_store(other, mode="r")
        return merge(self._repository, opened._repository, patients, where, prefer, distinct)

    def compact(self, name: str) -> str | None:
        """Rewrite the values of a set so that single features of all rows are read fast.

        One commit. Rows, their order, revisions and history stay as they are, older versions stay
        readable, and the set goes on growing; appends then cost about twice as much. The values take
        their place on disk once more.

        Parameters
        ----------
        name
            Name of the set.

        Returns
        -------
        str or None
            The commit; None when the set was rewritten before.

        Raises
        ------
        StoreError
            When there is no such set.

        Examples
        --------
        >>> store = open_store("memory://")
        >>> first = store.create("ct", "ct")
        >>> second = store.compact("ct")
        >>> store.log()["what"].tolist()[0]
        'ct: rewritten for reading columns'
        """
        from gclnm.store.compact import compact

        return compact(self._repository, name)

    def put_table(
        self,
        name: str,
        data: pd.DataFrame | str | PathLike[str],
        *,
        keys: Sequence[str] = ("patient_id",),
        columns: Mapping[str, str] | Sequence[str] | None = None,
        values: Mapping[str, Mapping[Any, Any] | type] | None = None,
        patient_key: PatientKey = None,
        encoding: str | None = None,
    ) -> TableReport:
        """Store a clinical table in one commit; a table of this name becomes its next version.

        Rows of patients whom a merge brought stay when the new table does not name them.

        Patient ids are matched to those of the images: as written, then normalised (full-width digits,
        ``12.0``), then without leading zeros where that is unique on both sides. No dates, names,
        addresses, numbers of persons or free text enter a store: such columns are refused.

        Parameters
        ----------
        name
            Name of the table.
        data
            A DataFrame, or a file: CSV (UTF-8 or GB18030; commas, semicolons or tabs) or Excel with one
            sheet. The first row holds the headers.
        keys
            Coordinates that tell the rows apart: ``patient_id`` and, where wanted, ``roi``,
            ``timepoint`` ...
        columns
            Header to name in the store, or a list of headers; what is not listed is left out, keys
            under their own name apart. All by default.
        values
            For a column, by its name in the store, what its cells mean:
            ``{"pN": {"阴性": 0, "阳性": 1}}``; ``None`` means missing, and a map of nothing else leaves
            the other cells as they are. ``str`` in the place of a map takes the cells as text.
        patient_key
            As in `gclnm.scan`, when ids were replaced there.
        encoding
            Encoding of a CSV file, where it is neither UTF-8 nor GB18030.

        Returns
        -------
        TableReport
            What was stored and left out, and the ids unmatched on either side.

        Raises
        ------
        InputError
            When keys repeat, ids are ambiguous or none matches, or columns cannot be stored; all
            columns in one error. Nothing is written.
        StoreError
            When rows that a merge brought have other keys or kinds of columns.
        ReadError
            When the file cannot be read.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"住院号": [7.0, 12.0], "病理N分期": ["阴性", "阳性"], "姓名": ["甲", "乙"]})
        >>> report = open_store("memory://").put_table(
        ...     "clinical",
        ...     frame,
        ...     columns={"住院号": "patient_id", "病理N分期": "pN"},
        ...     values={"pN": {"阴性": 0, "阳性": 1}},
        ... )
        >>> report.columns["column"].tolist(), report.left_out
        (['patient_id', 'pN'], ('姓名',))
        """
        return put_table(
            self._repository,
            name,
            data,
            keys=keys,
            columns=columns,
            values=values,
            patient_key=patient_key,
            encoding=encoding,
        )

    def select(self, name: str, selection: str, features: str | Sequence[str]) -> str | None:
        """Store a named selection of features: ``read(name, select=selection)`` reads them, in this order.

        A selection of this name becomes its next version; older ones are read with ``at``. It stays with
        its set, and goes when the set is started anew.

        Parameters
        ----------
        name
            Name of the set.
        selection
            Name of the selection; not that of a feature.
        features
            Features, patterns (``"original_glcm_*"``) or other selections; their features are stored.

        Returns
        -------
        str or None
            The commit; None when the selection holds these features already.

        Raises
        ------
        StoreError
            When the set has no such feature.
        InputError
            When a selection cannot have this name, or no feature is named.
        """
        return put_selection(self._repository, name, selection, features)

    def tag(self, name: str) -> str:
        """Give the newest commit a name for ever after; the commit's id.

        Raises
        ------
        StoreError
            When the tag exists: a tag never moves.
        """
        return self._repository.tag(check_tag(name))

    # --- within

    def _spec(self, recipe: Recipe | str | Path) -> SetSpec:
        from gclnm.recipe.recipe import Recipe

        given = Recipe.of(recipe)
        if given.id not in self._specs:
            self._specs[given.id] = SetSpec.of(given)
        return self._specs[given.id]
