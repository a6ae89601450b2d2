"""Looking at images: what is there, and how the contours lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gclnm.cli.options import (
    Choice,
    Exclude,
    Folder,
    Label,
    Manifest,
    Modality,
    On,
    Pairing,
    Quiet,
    Rater,
    Roi,
    patient_key,
)
from gclnm.cli.pairing import paired, pairing
from gclnm.cli.program import app, report
from gclnm.cli.show import show, write
from gclnm.cli.words import in_words_of_the_shell

__all__ = ["report_contours", "scan"]


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

    catalog = gclnm.scan(path, patient_key=patient_key(), progress=not quiet)
    typer.echo(repr(catalog))
    volumes = catalog.volumes.assign(
        spacing=[
            " x ".join(f"{v:.3g}" for v in row)
            for row in catalog.volumes[["spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]].to_numpy(float)
        ]
    )
    show("Volumes", volumes, ("patient_id", "modality", "n_slices", "spacing", "model", "flags", "reason"))
    rois = catalog.segmentations.groupby(["name", "kind"], as_index=False).agg(
        ROIs=("name", "size"),
        patients=("patient_id", "nunique"),
        unusable=("usable", lambda ok: int((~ok).sum())),
    )
    show("ROIs", rois, ("name", "kind", "ROIs", "patients", "unusable"))
    problems = catalog.problems.assign(fix=[in_words_of_the_shell(fix) for fix in catalog.problems["fix"]])
    show("Problems", problems, ("severity", "code", "patient_id", "what", "fix"))
    if out is not None:
        for name in ("volumes", "series", "segmentations", "problems"):
            write(getattr(catalog, name), out / f"{name}.csv")
    if not catalog.volumes["usable"].any():
        raise typer.Exit(1)


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

    options = pairing(roi, label, modality or "", on, rater, prefer, manifest)
    samples = paired(path, options, exclude, quiet)
    typer.echo(f"wrote {contours(samples, out, progress=not quiet)}")
