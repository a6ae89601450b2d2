"""Names, ids and UIDs that would leave the store, move a cursor, break a table or run in a page."""

from __future__ import annotations

import html.parser
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

import gclnm
from gclnm.catalog.cells import safe
from gclnm.errors import ReadError
from gclnm.images.dicom.files import quiet

CT, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.481.3"
WORDS = {
    "path": "../../../../tmp/gclnm-left",
    "absolute": "/etc/passwd",
    "windows": "..\\..\\C:\\x",
    "escape": "A\x1b[2J\x1b]0;title\x07B",
    "lines": "A\r\nB\tC",
    "long": "x" * 10_000,
    "turned": "A\u202eB\u2066C\u200f",
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\" onmouseover=\"alert(1)' x='",
    "markdown": "[a](javascript:alert(1)) | `b` | {{c}} {% d %} $e$",
    "formula": "=cmd|'/c calc'!A1",
    "at": "@SUM(A1)",
    "plus": "+cmd",
    "minus": "-cmd",
    "nowhere": "A\ufffe\uffff\ufdd0B",
    "quotes": '"a","b";c',
    "chinese": "王小明 ＧＴＶ",
    "wide": "A\u3000\u00a0\u2028B\u0085",
}
# Endless walks, and what a text file cannot hold.
UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def unsafe(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in UNSAFE or ord(c) & 0xFFFE == 0xFFFE} - {"\n"}


def _put(ds: Dataset, keyword: str, raw: bytes) -> None:
    """An element as it comes from a file: pydicom itself would refuse to make some of these."""
    raw += b" " * (len(raw) % 2)
    tag = Tag(keyword)
    ds[tag] = RawDataElement(tag, dictionary_VR(tag), len(raw), raw, 0, False, True)


def _start(sop_class: str, words: str, series: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SpecificCharacterSet = "ISO_IR 192"
    raw = words.encode("utf-8", "surrogatepass")
    for keyword in (
        "PatientID",
        "SeriesDescription",
        "Manufacturer",
        "ManufacturerModelName",
        "ConvolutionKernel",
    ):
        _put(ds, keyword, raw)
    _put(ds, "StudyInstanceUID", raw)
    _put(ds, "SeriesInstanceUID", raw + series.encode())
    _put(ds, "FrameOfReferenceUID", raw)
    return ds


@quiet()
def _person(folder: Path, words: str, file: str) -> None:
    folder.mkdir(parents=True)
    images, rng = [], np.random.default_rng(list(words.encode()))
    for z in range(6):
        ds = _start(CT, words, "ct")
        ds.Modality, ds.Rows, ds.Columns, ds.InstanceNumber = "CT", 24, 24, z + 1
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.PixelSpacing, ds.SliceThickness = [1, 1], 2
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 2 * z], [1, 0, 0, 0, 1, 0]
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        pixels = rng.integers(0, 1200, (24, 24)).astype(np.uint16)
        pixels[:4] = 0
        ds.PixelData = pixels.tobytes()
        images.append(ds)
        ds.save_as(folder / f"{file}{z}.dcm")
    rs = _start(RTSTRUCT, words, "rs")
    rs.Modality = "RTSTRUCT"
    roi, contours = Dataset(), Dataset()
    roi.ROINumber, contours.ReferencedROINumber, contours.ContourSequence = 1, 1, []
    _put(roi, "ROIName", words.encode("utf-8", "surrogatepass"))
    for z in range(1, 5):
        contour, image = Dataset(), Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 4
        contour.ContourData = [6, 6, 2 * z, 18, 6, 2 * z, 18, 18, 2 * z, 6, 18, 2 * z]
        image.ReferencedSOPInstanceUID = images[z].SOPInstanceUID
        contour.ContourImageSequence = [image]
        contours.ContourSequence.append(contour)
    rs.StructureSetROISequence, rs.ROIContourSequence = [roi], [contours]
    rs.save_as(folder / f"{file}rs.dcm")


@dataclass
class Study:
    """A folder of hostile files and what became of it."""

    folder: Path
    catalog: Any
    samples: Any
    store: Any
    run: Any


@pytest.fixture(scope="module", params=[None, "a secret"], ids=["kept", "keyed"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """All words, each a patient's id, name of ROI and scanner, UID and name of files."""
    from distributed import Client

    folder = tmp_path_factory.mktemp("hostile")
    for name, words in WORDS.items():
        # Names with a leading dot are passed over.
        file = f"f{words.replace('/', '')[:40]}"
        _person(folder / "dicom" / name / file, words, file)
    catalog = gclnm.scan(folder / "dicom", patient_key=request.param, progress=False)
    samples = gclnm.pair(catalog, roi="(?s).*", label="roi")
    store = gclnm.open_store(folder / "out" / "features")
    families = ("glrlm", "glszm", "gldm", "ngtdm", "glcm", "shape")
    few = {f"compute__{family}": () for family in families}
    recipe = gclnm.Recipe.named("ct").with_(
        prepare__filters={"log": None, "wavelet": None}, name="few", **few
    )
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        run = gclnm.extract(samples, recipe, store=store, client=client, progress=False)
    return Study(folder, catalog, samples, store, run)


def test_every_patient_is_a_row_of_its_own(study):
    assert len(study.catalog.volumes) == len(WORDS)
    assert len(study.samples) == len(WORDS), study.samples.unpaired.to_string()
    assert study.run.done == len(WORDS), study.run.failed.to_string()
    assert study.store.table("few")["patient_id"].nunique() == len(WORDS)


def test_nothing_is_written_beside_the_store(study):
    assert {path.name for path in study.folder.iterdir()} == {"dicom", "out"}
    assert {path.name for path in (study.folder / "out").iterdir()} <= {"features", "features.lock"}
    assert not Path("/tmp/gclnm-left").exists()


def test_no_stored_text_can_move_a_cursor_turn_a_line_or_be_a_formula(study):
    table = study.store.table("few")
    for column in table.select_dtypes(include=["object", "string"]):
        for value in table[column].dropna().astype(str):
            assert not unsafe(value), (column, value)
            assert "\n" not in value
            assert len(value) <= 128, column
            assert value[:1] not in ("=", "+", "@", "-"), (column, value)


def test_what_a_terminal_shows_is_plain(study):
    for shown in (study.catalog, study.samples, study.run, study.store, gclnm.pair(study.catalog)):
        assert not unsafe(repr(shown)), type(shown)
    for table in (study.catalog.volumes, study.catalog.segmentations, study.catalog.problems):
        assert not unsafe(table.to_string())


def test_a_csv_comes_back_as_it_was_written(study, tmp_path):
    study.store.to_csv(tmp_path / "t.csv", "few")
    back = pd.read_csv(tmp_path / "t.csv", dtype={"patient_id": str, "model": str}, keep_default_na=False)
    table = study.store.table("few")
    assert back["patient_id"].tolist() == table["patient_id"].tolist()
    assert back["model"].tolist() == table["model"].tolist()


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}


def test_a_page_shows_words_and_runs_none(study):
    page = gclnm.report.contours(
        study.samples, study.folder / "out" / "features" / ".." / "p.html", progress=False
    )
    text = page.read_text("utf-8")
    page.unlink()
    views = [one._repr_html_() for one in (study.catalog, study.samples, study.run, study.store)]
    for words in (text, *views):
        found = _Tags()
        found.feed(words)
        assert not found.handlers
        assert "<script>alert" not in words
        assert not unsafe(words)


def test_an_error_about_a_hostile_path_is_shown_as_plain_text(tmp_path):
    with pytest.raises(ReadError) as found:
        gclnm.read_series(tmp_path / "a\x1b[2J\u202eb\n.nii")
    assert not unsafe(str(found.value))
    assert "\n" not in str(found.value)
    # The path itself stays as it is.
    assert found.value.where.endswith("b\n.nii")


def test_a_name_of_bytes_that_are_no_text_has_an_id_under_a_secret(tmp_path):
    folder = os.fsencode(tmp_path) + b"/M\xfcller"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system has no names of bytes")
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.Image(4, 4, 4, SimpleITK.sitkInt16), str(tmp_path / "ct.nii"))
    os.rename(tmp_path / "ct.nii", folder + b"/ct.nii")
    for key in (None, "secret"):
        catalog = gclnm.scan(tmp_path, patient_key=key, progress=False)
        assert "file-name" in set(catalog.problems["code"])


@pytest.mark.parametrize("words", [*WORDS.values(), "\ud800", "", "P001", "-12", "+1.5"])
def test_safe_text_can_be_encoded_and_keeps_what_differs_apart(words):
    shown = safe(words)
    shown.encode()
    assert not unsafe(shown)
    assert safe(shown) == shown
    assert safe(words + "x") != shown


@pytest.mark.parametrize(
    "words", ["P001", "王小明", "GE MEDICAL SYSTEMS", "1.2.840.10008", "-12", "+1.5", "B30f"]
)
def test_ordinary_text_stays_as_it_is(words):
    assert safe(words) == words
