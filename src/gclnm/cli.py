"""The command line: the main way for people who are not in a notebook.

Exit codes: 0 done; 1 done, but some rows failed or nothing was found; 2 a mistake in what was asked
for; 3 something unexpected; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gclnm.errors import GclnmError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.catalog.samples import Samples

__all__ = ["app", "main"]

app = typer.Typer(
    name="gclnm",
    help="From the DICOM of many scanners to a versioned, validated radiomics feature store.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
report = typer.Typer(help="Pages to look at.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(report, name="report")

ROWS_SHOWN = 20
Folder = Annotated[
    Path, typer.Argument(help="Folder (or file) of images and segmentations.", show_default=False)
]
Roi = Annotated[
    str, typer.Option("--roi", "-r", help="Name of the ROI, or a regular expression that matches all of it.")
]
Label = Annotated[
    str | None, typer.Option(help="What the ROI is called in the table; the name or pattern by default.")
]
Modality = Annotated[str | None, typer.Option(help="Only images of this modality: CT, MR or PT.")]
Rater = Annotated[str | None, typer.Option(help="Regular expression whose group is the reader's name.")]
Manifest = Annotated[
    Path | None, typer.Option(help="CSV that says which mask belongs to which image.", show_default=False)
]
Exclude = Annotated[
    Path | None, typer.Option(help="CSV of the contour report: sample_id,reason.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
StoreUrl = Annotated[str, typer.Argument(help="Folder or address of the store.", show_default=False)]


class On(StrEnum):
    """How images and ROIs are brought together."""

    reference = "reference"
    acquisition = "acquisition"
    geometry = "geometry"
    frame = "frame"


class Prefer(StrEnum):
    """Which of several structure sets counts."""

    approved = "approved"
    newest = "newest"


Pairing = Annotated[On, typer.Option("--on", help="How images and ROIs are brought together.")]
Choice = Annotated[Prefer | None, typer.Option(help="Which of several structure sets counts.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        from gclnm import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def scan(
    path: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the tables as CSV.", show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Show the image volumes and ROIs in a folder, and what is wrong with them.

    \b
    Examples:
      gclnm scan dicom/
      gclnm scan dicom/ --out tables/
    """
    import gclnm

    catalog = gclnm.scan(path, progress=not quiet)
    typer.echo(repr(catalog))
    volumes = catalog.volumes.assign(
        spacing=[
            " x ".join(f"{v:.3g}" for v in row)
            for row in catalog.volumes[["spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]].to_numpy(float)
        ]
    )
    _show("Volumes", volumes, ("patient_id", "modality", "n_slices", "spacing", "model", "flags", "reason"))
    rois = catalog.segmentations.groupby(["name", "kind"], as_index=False).agg(
        ROIs=("name", "size"),
        patients=("patient_id", "nunique"),
        unusable=("usable", lambda ok: int((~ok).sum())),
    )
    _show("ROIs", rois, ("name", "kind", "ROIs", "patients", "unusable"))
    problems = catalog.problems.assign(fix=[_in_words_of_the_shell(fix) for fix in catalog.problems["fix"]])
    _show("Problems", problems, ("severity", "code", "patient_id", "what", "fix"))
    if out is not None:
        for name in ("volumes", "series", "segmentations", "problems"):
            _write(getattr(catalog, name), out / f"{name}.csv")
    if not catalog.volumes["usable"].any():
        raise typer.Exit(1)


@app.command()
def extract(
    path: Folder,
    roi: Roi,
    recipe: Annotated[str, typer.Option(help="ct, ct-2d, mr-t1, mr-t2, pet, or a YAML file.")],
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
    replace: Annotated[
        bool, typer.Option("--replace", help="New version of a set of another recipe.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed rows again.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all files again, also those that look unchanged.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compute the features of every ROI that fits, and keep them in a store.

    Run again, it computes what is missing or has changed. Exit code 1: some rows failed.

    \b
    Examples:
      gclnm extract dicom/ --roi "GTV.*" --recipe ct --store features.icechunk
      gclnm extract dicom/ -r "GTV.*|Tumou?r.*" --label gtv --recipe ct -s features.icechunk
      gclnm extract dicom/ -r "LN_(?P<instance>[0-9]+)" --recipe pet -s features.icechunk
    """
    import gclnm

    chosen = gclnm.Recipe.of(recipe)
    options = _pairing(roi, label, modality or chosen.modality, on, rater, prefer, manifest)
    samples = _samples(path, options, exclude, quiet)
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
            progress=not quiet,
        )
    except KeyboardInterrupt as stop:
        typer.echo("\n".join(getattr(stop, "__notes__", ["Stopped."])), err=True)
        raise typer.Exit(130) from None
    typer.echo(repr(done))
    if len(done.failed):
        _show("Failed", done.failed, ("patient_id", "roi", "roi_instance", "rater", "modality", "reason"))
        raise typer.Exit(1)


@app.command()
def log(store: StoreUrl) -> None:
    """Show the history of a store, newest commit first.

    \b
    Example:
      gclnm log features.icechunk
    """
    import gclnm

    history = gclnm.open_store(store, mode="r").log()
    if not len(history):
        typer.echo("no commits yet")
        return
    history = history.assign(time=history["time"].dt.strftime("%Y-%m-%d %H:%M"))
    _show("", history, ("time", "commit", "tags", "what", "message"), limit=None)


@app.command()
def read(
    store: StoreUrl,
    name: Annotated[
        str | None, typer.Argument(metavar="[SET]", help="Name of the set.", show_default=False)
    ] = None,
    at: Annotated[str | None, typer.Option(help="Tag, commit or date; the newest by default.")] = None,
    select: Annotated[
        list[str] | None, typer.Option(help='Features by name or pattern ("original_glcm_*"); repeatable.')
    ] = None,
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
    """
    import gclnm

    opened = gclnm.open_store(store, mode="r")
    if name is None:
        _show(
            "",
            opened.sets(),
            ("set", "rows", "failed", "features", "recipe", "recipe_id", "engine"),
            limit=None,
        )
        return
    if out is None:
        table = opened.table(name, at=at, select=select)
        found = opened.read(name, at=at, select=select)["feature"].values
        features = [str(feature) for feature in found]
        typer.echo(f"{len(table)} rows x {len(features)} features")
        first = ("patient_id", "roi", "roi_instance", "rater", "modality", *features[:3])
        _show("", table, first)
        return
    writers = {".csv": opened.to_csv, ".parquet": opened.to_parquet}
    if out.suffix.lower() not in writers:
        raise InputError("the table is written as .csv or .parquet", where=str(out), fix="Name one of them.")
    out.parent.mkdir(parents=True, exist_ok=True)
    written = writers[out.suffix.lower()](out, name, at=at, select=select)
    typer.echo(f"wrote {written}")


@app.command()
def demo(
    path: Annotated[Path | None, typer.Option(help="Folder to work in; ./gclnm-demo by default.")] = None,
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the folder afterwards.")] = True,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default.")] = None,
    quiet: Quiet = False,
) -> None:
    """Make a small DICOM cohort (CT, MR, PET), go the main way on it, show what is in the store.

    \b
    Examples:
      gclnm demo
      gclnm demo --path /tmp/try --no-keep
    """
    from gclnm import demo as play

    fresh = path is None or not path.exists()
    made = play.run(path, workers=workers, progress=not quiet, tell=typer.echo)
    _show("In the store", made.store.sets(), ("set", "rows", "failed", "features", "recipe_id"))
    _show(f"Tumours, as of tag '{play.TAG}'", made.tumours, tuple(made.tumours.columns))
    typer.echo(f"\n{sum(made.seconds.values()):.0f} s in all.")
    if keep:
        typer.echo("In a notebook:\n\n" + "\n".join(f"    {line}" for line in made.code.splitlines()))
        typer.echo(f"\nLook at {made.path / 'contours.html'} in a browser.")
    elif fresh:
        shutil.rmtree(made.path)
    if any(len(one.failed) for one in made.extractions.values()):
        raise typer.Exit(1)


@app.command()
def schema(
    folder: Annotated[Path, typer.Argument(help="Folder to write into.")] = Path("schemas"),
) -> None:
    """Write the JSON Schema of the recipe and of every table.

    \b
    Example:
      gclnm schema schemas/
    """
    from gclnm.publish import publish

    for written in publish(folder):
        typer.echo(str(written))


@report.command("contours")
def report_contours(
    path: Folder,
    roi: Roi,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.")] = Path("contours.html"),
    label: Label = None,
    modality: Modality = None,
    on: Pairing = On.reference,
    rater: Rater = None,
    prefer: Choice = None,
    manifest: Manifest = None,
    exclude: Exclude = None,
    quiet: Quiet = False,
) -> None:
    """Write every contour on one HTML page, most suspicious first.

    Ticks on the page export a CSV, which extract takes with --exclude.

    \b
    Example:
      gclnm report contours dicom/ --roi "GTV.*" -o contours.html
    """
    from gclnm.report.contours import contours

    options = _pairing(roi, label, modality or "", on, rater, prefer, manifest)
    samples = _samples(path, options, exclude, quiet)
    typer.echo(f"wrote {contours(samples, out, progress=not quiet)}")


def _pairing(
    roi: str,
    label: str | None,
    modality: str,
    on: On,
    rater: str | None,
    prefer: Prefer | None,
    manifest: Path | None,
) -> dict[str, Any]:
    """The options of pairing as the library takes them."""
    return {
        "roi": roi,
        "label": label,
        "modality": modality or None,
        "on": on.value,
        "rater": rater,
        "prefer": prefer.value if prefer else None,
        "manifest": manifest,
    }


def _samples(path: Path, options: dict[str, Any], exclude: Path | None, quiet: bool) -> Samples:
    """Scan and pair, and say what could not be paired."""
    import gclnm

    catalog = gclnm.scan(path, progress=not quiet)
    samples = gclnm.pair(catalog, **options)
    if exclude is not None:
        try:
            samples = samples.exclude(exclude)
        except InputError as error:
            if error.code != "no-match":
                raise
            # A list of the whole study may name other modalities only; one of another study may not.
            gclnm.pair(catalog, **{**options, "modality": None}).exclude(exclude)
    typer.echo(_in_words_of_the_shell(repr(samples)))
    odd = samples.unpaired[samples.unpaired["severity"] != "info"]
    if len(odd):
        told = odd.assign(fix=[_in_words_of_the_shell(fix) for fix in odd["fix"]])
        _show("Unpaired", told, ("severity", "patient_id", "name", "reason", "fix"))
    return samples


# What sentences for Python say, and what the same is called here.
_SHELL_WORDS = {
    r"pair\(catalog\) shows": "gclnm scan shows",
    r"; see \.unpaired": "",
    r"Look at (samples)?\.unpaired of gclnm\.pair[^.]*|Look at samples\.unpaired[^.]*": (
        "Look above at what could not be paired, and why"
    ),
    r' Open it with mode="a"\.': "",
    r'; mode="a" makes a store': "; gclnm extract makes a store",
    r'label= gives a name that stays, for example label="gtv"': (
        "--label gives a name that stays, for example --label gtv"
    ),
    r"(samples)?\.assign\(modality=['\"]CT['\"]\), or ": "",
    r"catalog\.problems": "the problems that gclnm scan shows",
    r"catalog\.segmentations": "the ROIs that gclnm scan shows",
    r", or exclude before you narrow by query\(\)": "",
    r"\b(on|prefer)='(\w+)'": r"--\1 \2",
    r"(?<![\w/])(on|rater|prefer|modality|roi|label|manifest)=(?=[\s,.;)]|$)": r"--\1",
    r"(?<![\w/])(on|rater|prefer|modality|roi|label|manifest)=": r"--\1 ",
}


def _in_words_of_the_shell(text: str) -> str:
    for python, shell in _SHELL_WORDS.items():
        text = re.sub(python, shell, text)
    return text


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    typer.echo(f"wrote {path}")


def _show(title: str, table: pd.DataFrame, columns: Sequence[str], limit: int | None = ROWS_SHOWN) -> None:
    """Print some columns of a table; in a terminal lines end at its edge, in a pipe they are whole."""
    if title:
        typer.echo(f"\n{title}" + (": none" if not len(table) else ""))
    if not len(table):
        return
    shown = table if limit is None else table.head(limit)
    texts = {name: [_cell(value) for value in shown[name]] for name in columns if name in shown}
    texts = {name: cells for name, cells in texts.items() if any(cells)}
    wide = {name: max(len(name), *(len(cell) for cell in cells)) for name, cells in texts.items()}
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    rows = [list(texts), *zip(*texts.values(), strict=True)]
    for row in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide.values(), strict=True)).rstrip()
        typer.echo(line if edge is None or len(line) <= edge else line[: edge - 1] + "…")
    if len(table) > len(shown):
        typer.echo(f"... and {len(table) - len(shown)} more")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return " ".join(str(value).split()) if value is not None else ""


def main() -> None:
    """Run the command line; errors are a sentence on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if os.environ.get("GCLNM_DEBUG"):
        app()
        return
    try:
        app()
    except GclnmError as error:
        typer.echo(f"gclnm: {_in_words_of_the_shell(str(error))}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        typer.echo(f"gclnm: {error.strerror or type(error).__name__}{where}", err=True)
        sys.exit(2)
    except Exception as error:
        typer.echo(f"gclnm: unexpected {type(error).__name__}. {_HOW_TO_SEE}", err=True)
        sys.exit(3)


_HOW_TO_SEE = "Set GCLNM_DEBUG=1 to see where, and please report it."

if __name__ == "__main__":
    main()
