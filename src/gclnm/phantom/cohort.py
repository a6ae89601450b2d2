"""A small multi-centre cohort in DICOM, made from a seed, with the truth beside it."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from gclnm.phantom.acquire.common import Picture
    from gclnm.phantom.biology import Biology
    from gclnm.phantom.body.anatomy import Anatomy
    from gclnm.phantom.dicom.common import Identity, Series
    from gclnm.phantom.scanners.sites import Site

__all__ = ["Cohort", "cohort"]

MODALITIES = ("CT", "MR", "PT")
SERIES_NUMBER = {"CT": 3, "MR": 5, "PT": 7}
VERSION = 1

_Job = tuple[Path, str, int, int, tuple[str, ...]]


@dataclass(frozen=True)
class Cohort:
    """What was made: where the DICOM is, and what is true of every patient.

    Parameters
    ----------
    path
        The folder; ``dicom`` is the folder to scan.
    truth
        By patient: site, segmentation kind, lesions with centre (mm, in the frame of each modality)
        and number of voxels, hidden biology, dose. The same as in ``truth.json``.
    n_files
        Number of DICOM files.
    """

    path: Path
    truth: Mapping[str, Mapping[str, Any]]
    n_files: int

    @property
    def dicom(self) -> Path:
        """The folder with the DICOM files."""
        return self.path / "dicom"

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """A cohort that was made before.

        Raises
        ------
        InputError
            When the folder holds no cohort.
        """
        folder = Path(path)
        try:
            record = json.loads((folder / "truth.json").read_text("utf-8"))
            return cls(folder, record["patients"], int(record["files"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "this folder holds no phantom cohort",
                where=str(folder),
                fix="Make one with gclnm.phantom.cohort(path).",
                code="no-cohort",
            ) from error

    def __repr__(self) -> str:
        kinds = [str(one["segmentation"]) for one in self.truth.values()]
        return (
            f"Cohort of {count(len(self.truth), 'patient')}, {count(self.n_files, 'DICOM file')} "
            f"({kinds.count('RTSTRUCT')} with RTSTRUCT, {kinds.count('SEG')} with SEG) in {self.path}"
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("patient", "site", "segmentation", "lesions"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(str(cell))}</td>"
                for cell in (who, one["site"], one["segmentation"], ", ".join(one["lesions"]))
            )
            + "</tr>"
            for who, one in self.truth.items()
        )
        return f"<p>{html.escape(repr(self))}</p><table><tr>{head}</tr>{rows}</table>"


def cohort(
    path: str | Path,
    patients: int = 4,
    seed: int = 0,
    *,
    modalities: Sequence[str] = MODALITIES,
    workers: int | None = None,
    progress: bool = True,
) -> Cohort:
    """Make DICOM of gastric-cancer patients that nobody is: CT, MR and PET of two hospitals.

    Every patient has a portal venous CT, a T2-weighted MR at 3.0 T (its own frame of reference) and
    an FDG PET (the CT's frame, Bq/mL with all that SUV needs), with a tumour ("GTV") and one or two
    perigastric nodes ("LN_1", "LN_2") drawn on each. The hospitals take turns (GE, Siemens); of every
    four patients two have RTSTRUCT and two have SEG. The same arguments give the same bytes.

    Parameters
    ----------
    path
        A new or empty folder. DICOM goes to ``path/dicom``, the truth to ``path/truth.json``.
    patients
        How many, from 1.
    seed
        Seed of everything random.
    modalities
        Which of ``"CT"``, ``"MR"``, ``"PT"``.
    workers
        Number of processes; by default one per core. It does not change a byte.
    progress
        Whether to show a progress bar.

    Returns
    -------
    Cohort
        Where it is and what is true of it. About 13 MB a patient.

    Raises
    ------
    InputError
        When the folder is not empty, or a number or modality is impossible.

    Examples
    --------
    >>> import tempfile
    >>> made = cohort(tempfile.mkdtemp(), patients=1, modalities=["PT"], progress=False)
    >>> made.n_files, list(made.truth["P001"]["lesions"])
    (38, ['GTV', 'LN_1'])
    """
    folder, wanted = Path(path), tuple(modalities)
    _check(folder, patients, wanted)
    names = [f"P{number + 1:03d}" for number in range(patients)]
    jobs = [(folder / "dicom" / name, name, number, seed, wanted) for number, name in enumerate(names)]
    made = track(_run(jobs, workers), total=patients, label="making patients", unit="patient", show=progress)
    truth = dict(zip(names, made, strict=True))
    files = sum(int(one["files"]) for one in truth.values())
    record = {"version": VERSION, "seed": seed, "files": files, "patients": truth}
    (folder / "truth.json").write_text(json.dumps(record, indent=1), "utf-8")
    return Cohort(folder, truth, files)


def _run(jobs: Sequence[_Job], workers: int | None) -> Iterator[dict[str, Any]]:
    """What is true of each patient, in order, as they get ready."""
    processes = min(workers or os.cpu_count() or 1, len(jobs))
    if processes < 2:
        yield from (_make_patient(*job) for job in jobs)
        return
    from joblib import Parallel, delayed

    # loky starts fresh interpreters that do not import the user's script: no main guard is needed.
    pool = Parallel(n_jobs=processes, backend="loky", return_as="generator", idle_worker_timeout=10)
    yield from pool(delayed(_make_patient)(*job) for job in jobs)


def _check(folder: Path, patients: int, modalities: tuple[str, ...]) -> None:
    if patients < 1:
        raise InputError("a cohort needs at least one patient", fix="Give patients=1 or more.")
    strange = sorted(set(modalities) - set(MODALITIES))
    if strange or not modalities:
        raise InputError(
            "the phantom has no such modality",
            where=", ".join(strange),
            fix=f"Choose of {', '.join(MODALITIES)}.",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "the cohort needs a new or empty folder",
            where=str(folder),
            fix="Name another folder, or empty this one.",
            code="folder-in-use",
        )
    folder.mkdir(parents=True, exist_ok=True)


def _make_patient(
    folder: Path, patient_id: str, number: int, seed: int, modalities: tuple[str, ...]
) -> dict[str, Any]:
    """Draw one patient and write all of its objects; what is true of it."""
    from gclnm.phantom.biology import draw_biology
    from gclnm.phantom.body.anatomy import draw_anatomy
    from gclnm.phantom.scanners.sites import SITES

    rng = np.random.default_rng([seed, number])
    body, biology = draw_anatomy(rng, nodes=1 + number % 2), draw_biology(rng)
    person, dose_bq = _draw_person(rng, patient_id, seed)
    site, kind = SITES[number % len(SITES)], ("RTSTRUCT", "SEG")[number // 2 % 2]
    record: dict[str, Any] = {
        "site": site.name,
        "segmentation": kind,
        "dose_bq": dose_bq,
        "weight_kg": person.weight_kg,
        "biology": {name: getattr(biology, name) for name in ("patchiness", "patch_mm", "activity")},
        "lesions": {lesion.name: {} for lesion in body.lesions},
        "files": 0,
    }
    for modality in modalities:
        # A stream of its own, so that leaving out a modality does not change the others.
        own = np.random.default_rng([seed, number, MODALITIES.index(modality)])
        shift = (0.0, -150.0, -620.0) if modality != "MR" else (4.0, 12.0, -35.0)
        series = _series(person, site, modality, number)
        picture, objects = _image(body, biology, site, series, own, shift, dose_bq)
        fields = {one.name: body.lesion_field(one.name, picture.geometry, shift) for one in body.lesions}
        objects.append(_segmentation(kind, fields, picture, objects, series))
        _save(objects, folder / modality, suffix=".dcm" if number % 2 == 0 else "")
        record["files"] += len(objects)
        for lesion in body.lesions:
            centre = np.asarray(lesion.centre_mm) + shift
            record["lesions"][lesion.name][modality] = {
                "centre_mm": [round(float(value), 2) for value in centre],
                "voxels": int(np.count_nonzero(fields[lesion.name] < 0)),
            }
    return record


def _draw_person(rng: np.random.Generator, patient_id: str, seed: int) -> tuple[Identity, float]:
    from gclnm.phantom.dicom.common import Identity

    sex = "M" if rng.random() < 0.65 else "F"
    height_m = round(float(rng.normal(1.72 if sex == "M" else 1.62, 0.06)), 2)
    weight_kg = round(float(rng.uniform(19.5, 29.0)) * height_m**2, 1)
    person = Identity(patient_id, sex, int(rng.integers(38, 82)), weight_kg, height_m, seed)
    return person, float(round(weight_kg * rng.uniform(3.6, 4.4)) * 1e6)


def _series(person: Identity, site: Site, modality: str, number: int) -> Series:
    from gclnm.phantom.dicom.common import Series

    equipment = {"CT": site.ct.equipment, "MR": site.mr.equipment, "PT": site.pet.equipment}[modality]
    words = {"CT": "Abdomen portal venous", "MR": "T2 TSE axial", "PT": "FDG abdomen AC"}[modality]
    # CT and PET lie in one frame of reference, as on a PET/CT scanner; MR does not.
    place = "MR" if modality == "MR" else "PETCT"
    return Series(
        identity=person,
        equipment=equipment,
        modality=modality,
        number=SERIES_NUMBER[modality],
        description=words,
        study=place,
        date=f"2023{1 + number // 27 % 12:02d}{1 + number % 27:02d}",
        time={"CT": "101200", "PT": "102000", "MR": "141000"}[modality],
        frame=person.uid("frame", place),
    )


def _image(
    body: Anatomy,
    biology: Biology,
    site: Site,
    series: Series,
    rng: np.random.Generator,
    shift: tuple[float, float, float],
    dose_bq: float,
) -> tuple[Picture, list[Dataset]]:
    from gclnm.phantom.acquire.ct import acquire_ct
    from gclnm.phantom.acquire.mr import acquire_mr
    from gclnm.phantom.acquire.pet import acquire_pet
    from gclnm.phantom.dicom.ct import ct_objects
    from gclnm.phantom.dicom.mr import mr_objects
    from gclnm.phantom.dicom.pet import pet_objects

    frame = str(series.frame)
    if series.modality == "CT":
        picture = acquire_ct(body, biology, site.ct, rng, shift=shift, frame=frame)
        return picture, list(ct_objects(picture, series, site.ct))
    if series.modality == "MR":
        picture = acquire_mr(body, biology, site.mr, rng, shift=shift, frame=frame)
        return picture, list(mr_objects(picture, series, site.mr))
    picture = acquire_pet(body, biology, site.pet, rng, shift=shift, frame=frame)
    return picture, list(pet_objects(picture, series, site.pet, dose_bq=dose_bq))


def _segmentation(
    kind: str,
    fields: Mapping[str, NDArray[np.float32]],
    picture: Picture,
    images: Sequence[Dataset],
    of: Series,
) -> Dataset:
    from dataclasses import replace

    from gclnm.phantom.dicom.rtstruct import rtstruct_object
    from gclnm.phantom.dicom.seg import seg_object
    from gclnm.phantom.scanners.equipment import Equipment

    series = replace(
        of,
        modality=kind,
        number=of.number + 100,
        description="Lesions",
        equipment=Equipment("gclnm", "phantom", "WS01", "1", "700900"),
    )
    if kind == "SEG":
        return seg_object(fields, images, series)
    return rtstruct_object(fields, picture.geometry, images, series)


def _save(objects: Sequence[Dataset], folder: Path, suffix: str) -> None:
    from gclnm.phantom.dicom.common import write

    for index, ds in enumerate(objects, start=1):
        name = f"IM{index:04d}" if "Rows" in ds and ds.Modality not in ("SEG",) else str(ds.Modality)
        write(ds, folder / f"{name}{suffix}")
