"""Options that several commands take."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
Override = Annotated[
    Path | None,
    typer.Option(
        help="CSV of facts that headers lack or have wrong: patient_id,weight_kg,dose_bq ...",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
StoreUrl = Annotated[str, typer.Argument(help="Folder or address of the store.", show_default=False)]


PATIENT_KEY = "GCLNM_PATIENT_KEY"


def patient_key() -> str | None:
    """The secret that keys patients and UIDs, from the environment: a shell keeps its arguments."""
    return os.environ.get(PATIENT_KEY) or None


class On(StrEnum):
    """How images and ROIs are brought together."""

    reference = "reference"
    acquisition = "acquisition"
    diffusion = "diffusion"
    geometry = "geometry"
    frame = "frame"


class Prefer(StrEnum):
    """Which of several structure sets counts."""

    approved = "approved"
    newest = "newest"


Pairing = Annotated[On, typer.Option("--on", help="How images and ROIs are brought together.")]
Choice = Annotated[Prefer | None, typer.Option(help="Which of several structure sets counts.")]
At = Annotated[str | None, typer.Option(help="Tag, commit or date; the newest by default.")]
SetName = Annotated[str | None, typer.Argument(metavar="[SET]", help="Name of the set.", show_default=False)]
Where = Annotated[
    str | None, typer.Option(help="""Only rows that fulfil a condition ("modality == 'CT'").""")
]
