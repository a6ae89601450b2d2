"""Features: computed into a store, and read from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gclnm.cli.options import (
    At,
    Choice,
    Exclude,
    Folder,
    Label,
    Manifest,
    Modality,
    On,
    Override,
    Pairing,
    Quiet,
    Rater,
    Roi,
    SetName,
    StoreUrl,
)
from gclnm.cli.pairing import paired, pairing
from gclnm.cli.program import app
from gclnm.cli.show import show, write
from gclnm.cli.words import in_words_of_the_shell
from gclnm.counts import count
from gclnm.errors import InputError

__all__ = ["extract", "read"]


@app.command()
def extract(
    path: Folder,
    roi: Roi,
    recipe: Annotated[
        str, typer.Option(help="ct, ct-2d, ct-spectral, mr-t2, mr-adc, pet ..., or a YAML file.")
    ],
    store: Annotated[str, typer.Option("--store", "-s", help="Folder or address of the feature store.")],
    name: Annotated[str | None, typer.Option(help="Name of the set; the recipe's by default.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default.")] = None,
    label: Label = None,
    modality: Modality = None,
    on: Pairing = On.reference,
    rater: Rater = None,
    prefer: Choice = None,
    manifest: Manifest = None,
    exclude: Exclude = None,
    override: Override = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="New version of a set of another recipe.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed rows again.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all files again, also those that look unchanged.")
    ] = False,
    same_as: Annotated[
        Path | None,
        typer.Option("--same-as", help="CSV that links held-back samples: sample_id,same_as."),
    ] = None,
    twins: Annotated[
        Path | None, typer.Option("--twins", help="Write the samples that are held back, as such a CSV.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compute the features of every ROI that fits, and keep them in a store.

    Run again, it computes what is missing or has changed. Exit code 1: some rows failed.
    A second export of a patient under other identifiers is held back: look at what --twins writes, and
    give it to --same-as; a sample_id linked to itself means that the two are truly different.

    \b
    Examples:
      gclnm extract dicom/ --roi "GTV.*" --recipe ct --store features.icechunk
      gclnm extract dicom/ -r "GTV.*|Tumou?r.*" --label gtv --recipe ct -s features.icechunk
      gclnm extract dicom/ -r "LN_(?P<instance>[0-9]+)" --recipe pet -s features.icechunk
      gclnm extract dicom/ -r "GTV.*" --recipe pet -s features.icechunk --override weights.csv
      gclnm extract again/ -r "GTV.*" --recipe ct -s features.icechunk --twins twins.csv
      gclnm extract again/ -r "GTV.*" --recipe ct -s features.icechunk --same-as twins.csv
    """
    import gclnm

    chosen = gclnm.Recipe.of(recipe)
    options = pairing(roi, label, modality or chosen.modality, on, rater, prefer, manifest)
    samples = paired(path, options, exclude, quiet)
    if override is not None:
        known, samples = samples.notes, samples.override(override)
        for note in samples.notes[len(known) :]:
            typer.echo(f"note: {note}")
    try:
        done = gclnm.extract(
            samples,
            chosen,
            store=store,
            name=name,
            workers=workers,
            replace=replace,
            retry_failed=retry_failed,
            verify=verify,
            same_as=same_as,
            progress=not quiet,
        )
    except KeyboardInterrupt as stop:
        typer.echo("\n".join(getattr(stop, "__notes__", ["Stopped."])), err=True)
        raise typer.Exit(130) from None
    typer.echo(in_words_of_the_shell(repr(done)))
    if twins is not None:
        write(done.twins, twins)
    if len(done.failed):
        show("Failed", done.failed, ("patient_id", "roi", "roi_instance", "rater", "modality", "reason"))
        raise typer.Exit(1)


@app.command()
def read(
    store: StoreUrl,
    name: SetName = None,
    at: At = None,
    select: Annotated[
        list[str] | None, typer.Option(help='Features by name or pattern ("original_glcm_*"); repeatable.')
    ] = None,
    table: Annotated[list[str] | None, typer.Option(help="Clinical table to join; repeatable.")] = None,
    diagnostics: Annotated[
        bool, typer.Option("--diagnostics", help="With -o: voxel counts, ranges and bins too.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the table: .csv or .parquet.", show_default=False),
    ] = None,
) -> None:
    """Show the sets of a store, or read one of them, as it is or as it was.

    \b
    Examples:
      gclnm read features.icechunk
      gclnm read features.icechunk ct --at submission-1 -o ct.csv
      gclnm read features.icechunk ct --table clinical --diagnostics -o ct.parquet
    """
    import gclnm

    opened = gclnm.open_store(store, mode="r")
    if name is None:
        about = ("set", "rows", "failed", "features", "recipe", "recipe_id", "engine")
        show("", opened.sets(), about, limit=None)
        if len(tables := opened.tables()):
            show("Tables", tables, tuple(tables.columns), limit=None)
        return
    if out is None:
        data = opened.read(name, at=at, select=select, tables=table)
        features = [str(feature) for feature in data["feature"].values]
        typer.echo(f"{count(data.sizes['sample'], 'row')} x {count(len(features), 'feature')}")
        joined = [column for one in table or () for column in opened.get_table(one, at).columns]
        first = ("patient_id", "roi", "roi_instance", "rater", "modality", *joined, *features[:3])
        show("", opened.table(name, at=at, select=features[:3], tables=table), tuple(dict.fromkeys(first)))
        return
    writers = {".csv": opened.to_csv, ".parquet": opened.to_parquet}
    if out.suffix.lower() not in writers:
        raise InputError("the table is written as .csv or .parquet", where=str(out), fix="Name one of them.")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table = writers[out.suffix.lower()]
    written = write_table(out, name, at=at, select=select, tables=table, diagnostics=diagnostics)
    typer.echo(f"wrote {written}")
