"""From DICOM that names its source images to samples: classic and enhanced, plain and keyed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

import gclnm
from gclnm.catalog.catalog import Catalog
from gclnm.catalog.pair import pair
from gclnm.catalog.scanning.sources import resolve_sources

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
DWI, ADC = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]
SOURCE, LOCALIZER = "121322", "121311"
LEVELS, SLICES = (0, 800), 3

Classic = Callable[..., Path]


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def named(sop_uids: list[str], purpose: str = "") -> list[Dataset]:
    """Items that reference images, with a purpose where one is given."""
    found = [item(ReferencedSOPClassUID=MR, ReferencedSOPInstanceUID=uid) for uid in sop_uids]
    for reference in found if purpose else ():
        code = item(CodeValue=purpose, CodingSchemeDesignator="DCM", CodeMeaning="purpose")
        reference.PurposeOfReferenceCodeSequence = [code]
    return found


def sources(sop_uids: list[str]) -> dict[str, Any]:
    return {"SourceImageSequence": named(sop_uids)}


def classic(folder: Path, write: Classic, references: Callable[[list[str]], dict[str, Any]]) -> None:
    """Two acquisitions of one grid, each with two b-values and a map that names its own slices."""
    for n in "12":
        uids: dict[float, list[str]] = {}
        common = {"SOPClassUID": MR, "Modality": "MR"}
        for b in LEVELS:
            uids[b] = [generate_uid() for _ in range(SLICES)]
            for k, uid in enumerate(uids[b]):
                told = {
                    "ImageType": DWI,
                    "DiffusionBValue": float(b),
                    "SeriesInstanceUID": f"1.2.826.0.2.{n}",
                }
                told |= {"SOPInstanceUID": uid, "InstanceNumber": b + k + 1}
                write(folder / f"d{n}/{b}-{k}.dcm", 3.0 * k, **common, **told)
        for k in range(SLICES):
            told = {"ImageType": ADC, "SeriesInstanceUID": f"1.2.826.0.3.{n}", "InstanceNumber": k + 1}
            told |= references([uids[b][k] for b in LEVELS])
            write(folder / f"a{n}/{k}.dcm", 3.0 * k, **common, **told)


def enhanced_object(path: Path, series: str, image_type: list[str], levels: tuple[float, ...]) -> Dataset:
    """One enhanced object, not yet written: three frames for each b-value, or for a map without one."""
    ds = item(SOPClassUID=ENHANCED_MR, SOPInstanceUID=generate_uid(), SeriesInstanceUID=series)
    ds.PatientID, ds.PatientIdentityRemoved, ds.Modality = "P1", "YES", "MR"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.826.0.1.1", "1.2.826.0.1.3"
    ds.ImageType, ds.Rows, ds.Columns, ds.SamplesPerPixel = image_type, 4, 6, 1
    ds.PhotometricInterpretation, ds.PixelRepresentation = "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=3)])
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.MRImageFrameTypeSequence = [item(FrameType=image_type)]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for b in levels or (None,):
        for k in range(SLICES):
            frame = item(PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.0, 3.0 * k])])
            if b is not None:
                frame.MRDiffusionSequence = [item(DiffusionBValue=float(b))]
            frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence, ds.NumberOfFrames = frames, len(frames)
    ds.PixelData = np.zeros((len(frames), 4, 6), np.uint16).tobytes()
    return ds


def save(ds: Dataset, path: Path) -> None:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def enhanced(folder: Path, *, per_frame: bool) -> None:
    for n in "12":
        images = enhanced_object(folder, f"1.2.826.0.2.{n}", DWI, LEVELS)
        save(images, folder / f"d{n}.dcm")
        made = enhanced_object(folder, f"1.2.826.0.3.{n}", ADC, ())
        groups = made.PerFrameFunctionalGroupsSequence if per_frame else made.SharedFunctionalGroupsSequence
        for group in groups:
            derivation = item(SourceImageSequence=named([images.SOPInstanceUID], SOURCE))
            group.DerivationImageSequence = [derivation]
        save(made, folder / f"a{n}.dcm")


def sops_of(folder: Path, n: str) -> tuple[str, ...]:
    files = sorted(folder.glob(f"d{n}*/800-*.dcm")) or [folder / f"d{n}.dcm"]
    return tuple(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in files)


def reached(catalog: Catalog, modality: str = "MR") -> list[tuple[int, int]]:
    """For each contour its b-values and ADC maps."""
    samples = pair(catalog, "GTV.", on="diffusion", modality=modality)
    table = samples.table.merge(catalog.volumes[["volume_id", "image_type"]], on="volume_id")
    found = []
    for _, group in table.groupby("segmentation_id"):
        maps = group["image_type"].str.endswith("ADC")
        assert len(set(group[maps]["volume_id"])) == maps.sum()
        found.append((int((~maps).sum()), int(maps.sum())))
    return found


def outline(folder: Path, write_rtstruct: Callable[..., Path]) -> None:
    for n in "12":
        uids = sops_of(folder, n)
        write_rtstruct(folder / f"rs{n}.dcm", {f"GTV{n}": 3}, series_uid=f"1.2.826.0.2.{n}", sop_uids=uids)


KINDS: dict[str, Callable[[Path, Classic], None]] = {
    "classic": lambda folder, write: classic(folder, write, sources),
    "purpose": lambda folder, write: classic(
        folder, write, lambda uids: {"ReferencedImageSequence": named(uids, SOURCE)}
    ),
    "series": lambda folder, write: classic(
        folder,
        write,
        lambda uids: {"ReferencedSeriesSequence": [item(ReferencedInstanceSequence=named(uids, SOURCE))]},
    ),
    "per frame": lambda folder, _: enhanced(folder, per_frame=True),
    "shared": lambda folder, _: enhanced(folder, per_frame=False),
}


@pytest.mark.parametrize("key", [None, "secret"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_contours_of_two_acquisitions_reach_each_its_own_map(
    tmp_path: Path, write_slice: Classic, write_rtstruct: Any, kind: str, key: str | None
) -> None:
    KINDS[kind](tmp_path, write_slice)
    outline(tmp_path, write_rtstruct)
    catalog = gclnm.scan(tmp_path, patient_key=key, progress=False)
    assert reached(catalog) == [(2, 1), (2, 1)]
    table = catalog.volumes.set_index("volume_id")
    maps = table[table["image_type"].str.endswith("ADC")]
    for joined, number in zip(maps["source_volume_id"], maps["series_uid"], strict=True):
        series = {table.loc[volume_id, "series_uid"] for volume_id in joined.split(";")}
        assert len(joined.split(";")) == len(LEVELS)
        if key is None:
            assert series == {number.replace("1.2.826.0.3.", "1.2.826.0.2.")}
        else:
            assert "1.2.826" not in joined
    # What is read from the cache is the same.
    again = gclnm.scan(tmp_path, patient_key=key, progress=False)
    assert again.volumes["source_volume_id"].tolist() == catalog.volumes["source_volume_id"].tolist()


@pytest.mark.parametrize(
    "references",
    [
        lambda uids: {},
        lambda uids: {"ReferencedImageSequence": named(uids)},
        lambda uids: {"ReferencedImageSequence": named(uids, LOCALIZER)},
    ],
)
def test_what_is_no_source_is_none(
    tmp_path: Path, write_slice: Classic, write_rtstruct: Any, references: Any
) -> None:
    classic(tmp_path, write_slice, references)
    outline(tmp_path, write_rtstruct)
    catalog = gclnm.scan(tmp_path, progress=False)
    assert set(catalog.volumes["source_volume_id"]) == {""}
    assert set(catalog.volumes["flags"]) == {"", "derived-map"}
    assert reached(catalog) == [(4, 2), (4, 2)]


def test_sources_that_are_not_in_the_folder_are_flagged(
    tmp_path: Path, write_slice: Classic, write_rtstruct: Any
) -> None:
    classic(tmp_path, write_slice, lambda uids: sources([generate_uid() for _ in uids]))
    outline(tmp_path, write_rtstruct)
    catalog = gclnm.scan(tmp_path, progress=False)
    assert set(catalog.volumes["flags"]) == {"", "derived-map;missing-source"}
    assert set(pair(catalog, "GTV1", on="diffusion").unpaired["code"]) == {"missing-source"}


def test_maps_of_a_siemens_scanner_name_the_b_values_in_the_folder(data: Callable[[str], Path]) -> None:
    catalog = gclnm.scan(data("dwi") / "siemens_xa30_enhanced", progress=False)
    table = catalog.volumes
    raw = table[table["image_type"].str.startswith("ORIGINAL")]["volume_id"]
    made = table[table["image_type"].str.contains("ADC|TRACEW")]
    assert made["source_volume_id"].tolist() == [";".join(sorted(raw))] * 2
    assert (len(raw), set(table["flags"])) == (3, {"", "derived-map"})


def test_a_map_belongs_to_its_own_patients_images_where_a_series_is_shared() -> None:
    rows = [
        {"volume_id": name, "patient_id": patient, "flags": ""}
        for name, patient in (("dwi", "p1"), ("dwi#2", "p2"), ("adc", "p2"))
    ]
    resolve_sources(rows, {"adc": ("1.2",)}, [("1.2", "dwi"), ("1.2", "dwi#2")])
    assert [row["source_volume_id"] for row in rows] == ["", "", "dwi#2"]
