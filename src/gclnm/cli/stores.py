"""Whole stores: checked, joined, rewritten, deposited, and given clinical tables."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gclnm.cli.options import At, StoreUrl, Where, patient_key
from gclnm.cli.program import app
from gclnm.cli.show import show, write
from gclnm.cli.words import in_words_of_the_shell
from gclnm.errors import InputError

if TYPE_CHECKING:
    from gclnm.store.sharing.matching import Patients, Prefer

__all__ = ["check", "compact", "export", "link", "merge", "put_table"]


class Own(StrEnum):
    """Which row stays current where two stores have another one each."""

    own = "own"
    other = "other"


@app.command()
def check(
    store: StoreUrl,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read values and histories.")] = False,
) -> None:
    """Look whether a store is whole: structure, keys, revisions, bounds, history.

    Exit code 1: something is damaged. Nothing is changed.

    \b
    Example:
      gclnm check features.icechunk
    """
    import gclnm

    found = gclnm.open_store(store, mode="r").check(values=not quick)
    typer.echo(repr(found))
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def merge(
    store: StoreUrl,
    other: Annotated[str, typer.Argument(help="The store that rows come from.", show_default=False)],
    same_patients: Annotated[
        bool, typer.Option("--same-patients", help="Patient ids that both stores use are the same persons.")
    ] = False,
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV with patient_id and new_id: renames the other's.", show_default=False),
    ] = None,
    where: Where = None,
    prefer: Annotated[
        Own | None, typer.Option(help="Which row stays where both have another one of a sample.")
    ] = None,
    distinct: Annotated[
        list[str] | None,
        typer.Option(help="sample_id of a held-back row that is truly different; repeatable."),
    ] = None,
    twins: Annotated[
        Path | None,
        typer.Option("--twins", help="Write the rows that are held back, as a CSV for gclnm link."),
    ] = None,
) -> None:
    """Bring the rows of another store into this one, with their values and history.

    The other store is only read. Run again, it brings what is new.
    Rows with the images and contours of a sample that is here under another id are held back: look at
    them, then link them or let them come with --distinct.

    \b
    Examples:
      gclnm merge study.icechunk hospital-b.icechunk
      gclnm merge study.icechunk hospital-b.icechunk --twins twins.csv
      gclnm merge study.icechunk hospital-b.icechunk --patients renamed.csv
      gclnm merge without.icechunk study.icechunk --where "patient_id != 'P017'"
    """
    import gclnm

    if same_patients and patients is not None:
        raise InputError(
            "--same-patients and --patients contradict each other",
            fix="Give one: ids are of the same persons, or are renamed.",
        )
    meaning: Patients = _renamed(patients) if patients is not None else "same" if same_patients else None
    kept: Prefer = None if prefer is None else "own" if prefer is Own.own else "other"
    theirs = gclnm.open_store(other, mode="r")
    merged = gclnm.open_store(store).merge(
        theirs, patients=meaning, where=where, prefer=kept, distinct=distinct or ()
    )
    typer.echo(in_words_of_the_shell(repr(merged)))
    if len(merged.twins):
        show("Held back", merged.twins, ("set", "patient_id", "same_as_patient", "sample_id", "same_as"))
    if twins is not None:
        write(merged.twins, twins)


@app.command()
def link(
    store: StoreUrl,
    name: Annotated[str, typer.Argument(metavar="SET", help="Name of the set.", show_default=False)],
    same_as: Annotated[
        Path, typer.Argument(metavar="CSV", help="Columns sample_id and same_as.", show_default=False)
    ],
) -> None:
    """Say that samples are the same as others: from then on they count as these.

    \b
    Example:
      gclnm link study.icechunk ct twins.csv
    """
    import gclnm

    commit = gclnm.open_store(store).link(name, same_as)
    typer.echo(f"{name}: linked in commit {commit}" if commit else f"{name}: is so already")


def _renamed(path: Path) -> dict[str, str]:
    """Old patient id to new one, from a CSV."""
    from gclnm.catalog.choose import read_table

    if str(path) == "same" and not path.exists():
        raise InputError(
            "--patients takes a CSV, and not a word",
            where="'same'",
            fix="Give --same-patients where ids that both stores use are of the same persons.",
        )
    table = read_table(path, "patients")
    missing = [name for name in ("patient_id", "new_id") if name not in table]
    if missing:
        raise InputError(
            f"the table of patients has no column {' and '.join(missing)}",
            where=str(path),
            fix="Its columns are patient_id (the other store's) and new_id.",
        )
    return dict(zip(table["patient_id"], table["new_id"], strict=True))


@app.command()
def compact(
    store: StoreUrl,
    name: Annotated[str, typer.Argument(metavar="SET", help="Name of the set.", show_default=False)],
) -> None:
    """Rewrite the values of a set so that single features of many rows are read fast.

    \b
    Example:
      gclnm compact features.icechunk ct
    """
    import gclnm

    commit = gclnm.open_store(store).compact(name)
    typer.echo(f"{name}: rewritten in commit {commit}" if commit else f"{name}: is so already")


@app.command()
def export(
    store: StoreUrl,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    at: At = None,
    where: Where = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A set; repeatable. All by default.")
    ] = None,
) -> None:
    """Write a deposit for a paper: new pseudonyms, no history, with dictionary and checksums.

    \b
    Examples:
      gclnm export features.icechunk deposit/ --at submission-1
      gclnm export features.icechunk deposit/ --set ct --where "centre == 'A'"
    """
    import gclnm

    typer.echo(repr(gclnm.open_store(store, mode="r").export(folder, at=at, where=where, sets=sets)))


@app.command("put-table")
def put_table(
    store: StoreUrl,
    name: Annotated[str, typer.Argument(help="Name of the table.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="CSV or Excel file.", show_default=False)],
    key: Annotated[
        list[str] | None,
        typer.Option(help="Coordinate that tells rows apart; repeatable. patient_id by default."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help='A header to keep, or "header=name"; repeatable. All by default.'),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help='What a cell means: "name:cell=meaning" ("pN:阳性=1"); repeatable.'),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A column whose cells are text; repeatable.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV that is neither UTF-8 nor GB18030.")] = None,
) -> None:
    """Store a clinical table, matched to the patients of the images.

    Ids that only the table or only the images have are counted and shown.

    \b
    Examples:
      gclnm put-table features.icechunk clinical patients.xlsx
      gclnm put-table features.icechunk clinical patients.csv --column "住院号=patient_id" \\
        --column "病理N分期=pN" --value "pN:阴性=0" --value "pN:阳性=1"
    """
    import gclnm

    report = gclnm.open_store(store).put_table(
        name,
        file,
        keys=tuple(key or ("patient_id",)),
        columns=_columns(column),
        values=_values(value or (), text or ()) or None,
        patient_key=patient_key(),
        encoding=encoding,
    )
    typer.echo(repr(report))
    show("Columns", report.columns, tuple(report.columns.columns), limit=None)
    for words, ids in (("the table", report.only_in_table), ("the images", report.only_in_sets)):
        if ids:
            more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
            typer.echo(f"\nOnly in {words}: {', '.join(ids[:10])}{more}")


def _columns(given: Sequence[str] | None) -> dict[str, str] | None:
    """Headers and their names in the store; a header alone keeps its own."""
    if not given:
        return None
    return {(header or item): name for item in given for header, _, name in (item.rpartition("="),)}


def _values(given: Sequence[str], text: Sequence[str]) -> dict[str, Any]:
    """Meanings of cells by column: numbers where they look like it, nothing for missing."""
    found: dict[str, Any] = dict.fromkeys(text, str)
    for item in given:
        name, colon, pair = item.partition(":")
        cell, equals, meaning = pair.rpartition("=")
        if not (name and colon and equals) or name in text:
            raise InputError(
                "a meaning is written as name:cell=meaning, of a column that is not --text",
                where=repr(item),
                fix='For example --value "pN:阳性=1".',
            )
        found.setdefault(name, {})[cell] = _number(meaning)
    return found


def _number(text: str) -> float | int | str | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None
