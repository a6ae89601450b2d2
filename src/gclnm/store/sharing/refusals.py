"""Why two sets cannot be joined, each with its own words, all of them told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gclnm.counts import count
from gclnm.errors import GclnmError, StoreError
from gclnm.store.features import read_selections
from gclnm.store.layout import DIAGNOSTIC, TEXT, arrays, coordinates, differences, read_text
from gclnm.store.sharing.matching import Decision, Prefer, shown
from gclnm.store.sharing.takeover import spec_of

if TYPE_CHECKING:
    import zarr

__all__ = ["coordinate_problems", "raise_all", "recipe_problems", "row_problems", "selection_problems"]


def raise_all(found: Sequence[GclnmError]) -> None:
    """Raise one error for all problems; nothing when there are none."""
    if len(found) == 1:
        raise found[0]
    if found:
        raise StoreError(
            f"the stores cannot be merged, for {len(found)} reasons",
            fix="\n".join(["", *(f"- {problem}" for problem in found)]),
            code="cannot-merge",
        )


def recipe_problems(group: zarr.Group, name: str, source: zarr.Group) -> list[GclnmError]:
    """Another recipe, or other columns of the same recipe."""
    if group.attrs["recipe_id"] != source.attrs["recipe_id"]:
        said = differences(str(group.attrs["recipe"]), spec_of(source))
        return [
            StoreError(
                "the two stores made the feature set with different recipes",
                where=f"set {name!r}",
                fix=f"{said.replace('Stored -> given', 'Here -> there', 1)} Extract with one recipe file"
                " in both places.",
                code="other-recipe",
            )
        ]
    same = all(
        list(read_text(group, label)) == list(read_text(source, label)) for label in ("feature", DIAGNOSTIC)
    )
    if same:
        return []
    return [
        StoreError(
            "the two stores have other columns of the same recipe",
            where=f"set {name!r}",
            fix="Extract one of them again with the version of gclnm that made the other.",
            code="other-features",
        )
    ]


def coordinate_problems(name: str, group: zarr.Group, source: zarr.Group) -> list[GclnmError]:
    """Coordinates that are text on one side and numbers on the other."""
    ours, others = arrays(group), arrays(source)
    wrong = [
        key
        for key in coordinates(others)
        if key in ours and (ours[key].dtype == TEXT) != (others[key].dtype == TEXT)
    ]
    if not wrong:
        return []
    return [
        StoreError(
            "coordinates are text in one store and numbers in the other",
            where=f"set {name!r}: {', '.join(wrong)}",
            fix="Give them one type in both, or another name in one.",
            code="bad-coordinate",
        )
    ]


def selection_problems(
    name: str, group: zarr.Group, selections: Mapping[str, list[str]], prefer: Prefer
) -> list[GclnmError]:
    """Selections of one name that hold other features."""
    ours = read_selections(group)
    wrong = [key for key, features in selections.items() if ours.get(key, features) != features]
    if not wrong or prefer is not None:
        return []
    return [
        StoreError(
            "selections of one name hold other features in the two stores",
            where=f"set {name!r}: {', '.join(wrong)}",
            fix='Pass prefer="own" or prefer="other".',
            code="selections-differ",
        )
    ]


def row_problems(name: str, decision: Decision) -> list[GclnmError]:
    """Rows of one key that differ, and links that would lead to no row, while nothing says which is right."""
    found: list[GclnmError] = []
    if decision.differing:
        found.append(
            StoreError(
                f"{count(len(decision.differing), 'row is', 'rows are')} in both stores with other inputs",
                where=f"set {name!r}: samples {shown(list(decision.differing))}",
                fix='Pass prefer="own" or prefer="other"; explain() shows either.',
                code="rows-differ",
            )
        )
    if decision.astray:
        found.append(
            StoreError(
                f"{count(len(decision.astray), 'sample')} would be linked in a ring, or to one that is"
                " not there",
                where=f"set {name!r}: samples {shown(list(decision.astray))}",
                fix='Pass prefer="own" or prefer="other"; if one store has the ring itself (check() says so),'
                " leave these samples out with where=.",
                code="rows-differ",
            )
        )
    return found
