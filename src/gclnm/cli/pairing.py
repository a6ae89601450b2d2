"""From a folder to samples: what extract and the reports have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gclnm.cli.options import On, Prefer, patient_key
from gclnm.cli.show import show
from gclnm.cli.words import in_words_of_the_shell
from gclnm.errors import InputError

if TYPE_CHECKING:
    from gclnm.catalog.samples import Samples

__all__ = ["paired", "pairing"]


def pairing(
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


def paired(path: Path, options: dict[str, Any], exclude: Path | None, quiet: bool) -> Samples:
    """Scan and pair, and say what could not be paired."""
    import gclnm

    catalog = gclnm.scan(path, patient_key=patient_key(), progress=not quiet)
    samples = gclnm.pair(catalog, **options)
    if exclude is not None:
        try:
            samples = samples.exclude(exclude)
        except InputError as error:
            if error.code != "no-match":
                raise
            # A list of the whole study may name other modalities only; one of another study may not.
            gclnm.pair(catalog, **{**options, "modality": None}).exclude(exclude)
    typer.echo(in_words_of_the_shell(repr(samples)))
    odd = samples.unpaired[samples.unpaired["severity"] != "info"]
    if len(odd):
        told = odd.assign(fix=[in_words_of_the_shell(fix) for fix in odd["fix"]])
        show("Unpaired", told, ("severity", "patient_id", "name", "reason", "fix"))
    return samples
