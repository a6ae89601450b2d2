"""The feature store: sets of rows that are appended, read as they were at any commit, and explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.errors import StoreError
from gclnm.schemas.features import check_rows
from gclnm.store.history import check_tag
from gclnm.store.layout import SetSpec, arrays, check_name, check_spec, create_set, set_group
from gclnm.store.links import Taken, link, screened
from gclnm.store.reader import StoreReader
from gclnm.store.repository import Mode, Note, Repository, open_repository
from gclnm.store.write import choose, note_of, write_rows

if TYPE_CHECKING:
    import zarr

    from gclnm.images.sample import Coordinate
    from gclnm.pipeline import Row
    from gclnm.recipe.recipe import Recipe
    from gclnm.store.matching import Patients, Prefer
    from gclnm.store.merge import Merge
    from gclnm.store.read import Where

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
            made = create_set(root, name, spec)
            return note_of(name, made, "create" if group is None else "replace")

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
            stored, keys = arrays(group), self._index(name).at(group)
            clear = screened(stored, self._index(name), keys, rows, distinct)
            choice = choose(stored, keys, clear.rows)
            news = [clear.rows[index] for index in choice.indices]
            taken = Taken(None, frozenset(row.sample_id for row in news), clear.refused)
            if not news and action == "append":
                return None
            start = stored["sample_id"].shape[0]
            block = values[[clear.places[index] for index in choice.indices]]
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
        same_as: Mapping[str, str],
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
            ``sample_id`` to the ``sample_id`` of the row that counts.
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
        return link(self._repository, self._index(name), name, same_as, coords or {})

    def merge(
        self,
        other: FeatureStore | str | PathLike[str],
        *,
        patients: Patients = None,
        where: Where = None,
        prefer: Prefer = None,
    ) -> Merge:
        """Bring the rows of another store, one atomic commit a set; both keep what they hold.

        The current rows of every set come, computed and failed ones, with values, diagnostics, steps,
        digests and coordinates as they are. `explain` and `log` tell which store and commit each row
        was first written in. Merging again brings what is new since, and replaces rows that the other
        store has replaced since. Tables and selections come along.

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
            other inputs and neither row comes from the other's store.

        Returns
        -------
        Merge
            How many rows were added, replaced, there already, and the commits.

        Raises
        ------
        StoreError
            When a set was made with another recipe (it shows which settings differ), a patient id is
            in both stores without a word of what it means, rows differ, a coordinate is text here and
            numbers there, or the other store is this one or a copy of it. Everything is checked
            before anything is written.
        InputError
            When ``patients``, ``where`` or ``prefer`` cannot be used.
        """
        from gclnm.store.merge import merge

        opened = other if isinstance(other, FeatureStore) else open_store(other, mode="r")
        return merge(self._repository, opened._repository, patients, where, prefer)

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

    # --- within

    def _spec(self, recipe: Recipe | str | Path) -> SetSpec:
        from gclnm.recipe.recipe import Recipe

        given = Recipe.of(recipe)
        if given.id not in self._specs:
            self._specs[given.id] = SetSpec.of(given)
        return self._specs[given.id]
