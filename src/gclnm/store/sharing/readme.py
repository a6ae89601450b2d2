"""The README of a deposit: what each file is, of which version and recipe, and what is not in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gclnm._version import __version__
from gclnm.counts import count

__all__ = ["SetFacts", "readme"]

FORM = """\
- `versions.json`: the software that computed the rows.
- `SHA256SUMS`: checked with `sha256sum -c SHA256SUMS`.

Parquet and CSV hold the same numbers to the last bit; what was not computed is empty.
Patients, samples and the values of `rater` and `centre` have names made for this deposit:
random, the same in all files, in no order that tells anything. Columns whose name speaks of
an identifier, a date, a station or a hospital were left out, and so were those in which a day,
a DICOM UID or an id of the store was found. Other texts are as their authors wrote them; a
name in them would not have been found."""
TOO_SHORT = "Ids of the store that are too short to be told from other words were not looked for."
FORMULAS = """
Read the CSV files with all cells as text or numbers: a spreadsheet may take a cell that begins
with `=`, `+`, `-` or `@` for a formula.
"""


@dataclass(frozen=True)
class SetFacts:
    """What the README says of a set.

    Attributes
    ----------
    recipe, recipe_id
        Name and identity of its recipe.
    rows, patients, features
        How many are written.
    failed, linked, left_out
        Rows that are not: they failed, count as another sample, or a condition left them out.
    """

    recipe: str
    recipe_id: str
    rows: int
    patients: int
    features: int
    failed: int
    linked: int
    left_out: int

    @property
    def absent(self) -> str:
        """Rows that are not written, in words; empty: there are none.

        Examples
        --------
        >>> SetFacts("ct", "45e5", 3, 2, 107, failed=1, linked=0, left_out=2).absent
        '1 failed, 2 left out by a condition'
        """
        words = (
            (self.failed, "failed"),
            (self.left_out, "left out by a condition"),
            (self.linked, "the same as another sample"),
        )
        return ", ".join(f"{n} {said}" for n, said in words if n)


def readme(
    commit: str, tags: Sequence[str], sets: Mapping[str, SetFacts], tables: Mapping[str, int], short: bool
) -> str:
    """The text of the README.

    Parameters
    ----------
    commit, tags
        The version of the store, and its names.
    sets
        By name.
    tables
        Clinical tables by name, and how many rows of each are written.
    short
        Whether some ids were too short to be looked for.
    """
    named = f"version {tags[0]!r} (commit {commit})" if tags else f"commit {commit}"
    lines = [
        "# Radiomic features",
        "",
        f"Written by gclnm {__version__} from {named} of a feature store.",
        "",
    ]
    for name, facts in sets.items():
        lines += _set_lines(name, facts)
    lines += [
        f"- `tables/{name}.parquet`, `tables/{name}.csv`: clinical data of these patients,"
        f" {count(rows, 'row')}."
        for name, rows in tables.items()
    ]
    return "\n".join([*lines, FORM, *([TOO_SHORT] if short else []), FORMULAS])


def _set_lines(name: str, facts: SetFacts) -> Iterator[str]:
    yield (
        f"- `{name}.parquet`, `{name}.csv`: {count(facts.rows, 'row')} of {count(facts.patients, 'patient')},"
        f" {count(facts.features, 'feature')}."
    )
    if facts.absent:
        yield f"  Rows that are not here: {facts.absent}."
    yield f"  Recipe `{facts.recipe}`, id `{facts.recipe_id}`: `{name}.recipe.yaml` is every setting."
    yield f"  `{name}.columns.csv` says what each column is (unit, bounds, IBSI code)."
