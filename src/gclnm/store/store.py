"""The feature store: sets of rows that are appended, read as they were at any commit, and explained."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.errors import StoreError
from gclnm.schemas.features import check_rows
from gclnm.store.history import check_tag
from gclnm.store.layout import SetSpec, arrays, check_name, check_spec, create_set, set_group
from gclnm.store.reader import StoreReader
from gclnm.store.repository import Mode, Note, Repository, open_repository
from gclnm.store.write import choose, note_of, write_rows

if TYPE_CHECKING:
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
            return note_of(
                name,
                group,
                action,
                replaced=len(choice.replaced),
                failed=failed,
                message=message,
                start=start,
            )

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

    # --- within

    def _spec(self, recipe: Recipe | str | Path) -> SetSpec:
        from gclnm.recipe.recipe import Recipe

        given = Recipe.of(recipe)
        if given.id not in self._specs:
            self._specs[given.id] = SetSpec.of(given)
        return self._specs[given.id]
