"""A folder of files to a catalog: walk, read headers, assemble, validate."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gclnm.catalog.catalog import Catalog
from gclnm.catalog.scanning.cache import Cache, cache_file
from gclnm.catalog.scanning.collect import Collection
from gclnm.catalog.scanning.identifiers import Identifiers
from gclnm.catalog.scanning.patients import PatientKey
from gclnm.catalog.scanning.problems import shown
from gclnm.catalog.scanning.reading import read_records
from gclnm.catalog.scanning.rows import series_rows
from gclnm.catalog.scanning.sources import resolve_sources
from gclnm.catalog.scanning.walk import Tree, walk
from gclnm.counts import count
from gclnm.images.dicom.phase import WINDOWS_S, Windows, check_windows
from gclnm.schemas.problems import PROBLEMS
from gclnm.schemas.segmentations import SEGMENTATIONS
from gclnm.schemas.table import Table
from gclnm.schemas.volumes import SERIES, VOLUMES

__all__ = ["scan", "scan_as"]


def scan(
    path: str | Path,
    *,
    patient_key: PatientKey = None,
    phase_windows_s: Windows | None = None,
    progress: bool = True,
) -> Catalog:
    """Find every image volume and every region of interest in a folder, and what is wrong with them.

    Only headers are read. CT, MR and PET objects, classic and enhanced, become volumes: a series is
    split by b-value, time point, echo, frame type and keV, and sorted by geometry, never by file
    name. Structure sets, segmentation objects and label maps become rows of ``segmentations``. What
    is odd stands in a row's ``flags``; what cannot be used has ``usable`` False and a ``reason``;
    nothing is raised for a bad file: see ``problems``. An unchanged file is not read again: what was
    learnt is kept in the user's cache folder (or in the one that ``GCLNM_CACHE`` names).

    NIfTI, NRRD and MetaImage files have no identity of their own, so names count:

    * a file is a label map if it ends in ``.seg.nrrd`` (or ``.seg.nii``, ``.seg.mha``), or if one of
      the words of its name is mask, seg, segmentation, label, labels, roi or contour;
    * it belongs to the image in the same folder whose words are all in its own name (``P01_T2.nii.gz``
      for ``P01_T2_GTV_mask.nii.gz``), else to the only image of that folder, else it is paired by
      geometry or a manifest; the words left over name the ROI (``GTV``);
    * the patient is that of the DICOM files below the same first folder, if they have one; else the
      first folder below ``path``; else the image's name without suffix;
    * the modality is a word of the file's name or its folders: CT, MR, T1, T2, ADC, DWI, PET, PT ...;
      else empty;
    * their ids are digests of the patient and the path below ``path``: a file that is exported again
      replaces its rows, and the folder may be moved as a whole. Where ``path`` is the file itself, the
      absolute path counts. Of files of one patient with one name and equal content (all bytes), one counts.

    Parameters
    ----------
    path
        A folder, or one file.
    patient_key
        What replaces the headers' PatientID: a mapping, a function, or a secret text. A mapping or a
        function is asked for patient ids only: UIDs stay as they are. With a secret everything that
        identifies becomes a part of an HMAC-SHA256: patient ids its first 16 hexadecimal digits, UIDs and
        ids of files 24; equal ones stay equal in all objects and in every scan with the secret, so that
        they pair and group as before. By default ids are kept, with one notice where headers do not say
        that they are de-identified, and one where ids come from names of files.
    phase_windows_s
        By contrast phase of CT (``arterial``, ``portal_venous``, ``delayed``), seconds from the start of the
        injection: from, to. By default 15 to 50, 50 to 110, 110 to 600 s.
    progress
        Whether a bar shows while headers are read.

    Returns
    -------
    Catalog
        Tables ``volumes``, ``series``, ``segmentations``, ``problems``. A folder without any image
        gives an empty catalog with a problem that says so.

    Raises
    ------
    InputError
        When the path does not exist, the patient key lacks a patient, or windows overlap.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     catalog = scan(folder)
    >>> len(catalog.volumes), catalog.problems["code"].tolist()
    (0, ['empty-folder'])
    """
    windows_s = WINDOWS_S if phase_windows_s is None else check_windows(phase_windows_s)
    identifiers = Identifiers(patient_key)
    return scan_as(path, identifiers, notices=patient_key is None, windows_s=windows_s, progress=progress)


def scan_as(
    path: str | Path,
    identifiers: Identifiers,
    *,
    notices: bool,
    windows_s: Windows = WINDOWS_S,
    progress: bool,
) -> Catalog:
    """The catalog of a folder under given identifiers; ``notices`` tells of ids that were kept."""
    tree = walk(path)
    records = read_records(tree, Cache(cache_file()), progress=progress)
    found = Collection(tree.root, identifiers, windows_s)
    found.add(records.values())
    if notices:
        found.note_identities()
    _note_tree(found, tree)
    resolve_sources(found.volumes, found.sources, found.instances)
    volumes = sorted(found.volumes, key=_place)
    return Catalog(
        root=shown(str(tree.root)),
        volumes=_table(VOLUMES, volumes),
        series=_table(SERIES, series_rows(volumes)),
        segmentations=_table(SEGMENTATIONS, found.segmentations),
        problems=_table(PROBLEMS, found.problems.rows()),
        instances=pd.DataFrame(found.instances, columns=["sop_uid", "volume_id"], dtype="str"),
        n_files=len(tree.files),
        counts=dict(found.counts),
        _volume_refs=found.volume_refs,
        _mask_refs=found.mask_refs,
        _referenced=found.referenced,
        _identifiers=identifiers,
    )


def _table(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    return table.validate(pd.DataFrame(rows, columns=list(table.names))) if rows else table.empty()


def _place(row: dict[str, object]) -> tuple[str, str, float, str]:
    number = row["series_number"]
    return (
        str(row["patient_id"]),
        str(row["study_uid"]),
        float(number) if isinstance(number, int) else float("inf"),
        str(row["volume_id"]),
    )


def _note_tree(found: Collection, tree: Tree) -> None:
    for folder in tree.closed:
        found.problems.add(
            "warning",
            "cannot-open",
            "a folder or link cannot be opened",
            where=folder,
            fix="Check its permissions.",
        )
    if not tree.files:
        found.problems.add("warning", "empty-folder", "the folder holds no file", where=str(tree.root))
    elif not found.volumes:
        found.problems.add(
            "warning",
            "no-image",
            f"of {count(len(tree.files), 'file')} none is an image that can be read",
            where=str(tree.root),
            fix="Check the path: CT, MR and PET in DICOM, NIfTI, NRRD and MetaImage are read.",
        )
