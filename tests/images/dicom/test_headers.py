"""One file to its facts."""

from __future__ import annotations

import warnings

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.errors import ReadError
from gclnm.images.dicom.files import looks_like_dicom
from gclnm.images.dicom.headers import read_header


def test_an_enhanced_file_gives_a_header_per_frame(data):
    header = read_header(data("enhanced") / "emr_philips_achieva_fieldmap.dcm")
    assert header.kind == "image"
    assert [frame.frame for frame in header.frames] == list(range(64))
    magnitude, field_map = header.frames[0], header.frames[32]
    assert (magnitude.kind, field_map.kind) == ("image", "field-map")
    assert magnitude.position == pytest.approx((-127.24297738, -119.77660465, -38.35459083))
    assert (magnitude.te_ms, magnitude.tr_ms, magnitude.flip_angle_deg) == (1.52, pytest.approx(3.8045), 12)
    assert magnitude.spacing == (4.0, 4.0)


def test_a_structure_set_gives_its_regions(data):
    header = read_header(data("sts") / "STS_001" / "CT" / "mask" / "RS.dcm")
    (roi,) = header.rois
    assert header.kind == "rtstruct"
    assert (roi.name, roi.number, roi.n_contours, roi.approval) == ("GTV_Mass_CT", 1, 32, "UNAPPROVED")
    assert roi.created == "20091017170944.162000"
    assert len(roi.referenced) == 31
    assert roi.frame_uid.startswith("1.3.6.1.4.1.14519")


def test_a_segmentation_gives_its_segments_and_grid(tmp_path, data):
    import highdicom as hd
    import numpy as np
    from pydicom.sr.codedict import codes

    files = sorted((data("sts") / "STS_001" / "CT" / "image").glob("*.dcm"))[10:16]
    described = [
        hd.seg.SegmentDescription(
            number,
            label,
            codes.cid7150.Tissue,
            codes.cid7166.ConnectiveTissue,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in ((1, "tumour"), (2, "node"))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = sorted(map(pydicom.dcmread, files), key=lambda d: float(d.ImagePositionPatient[2]))
        for source in sources:
            source.StudyID, source.AccessionNumber = "1", "1"
        pixels = np.zeros((6, sources[0].Rows, sources[0].Columns, 2), bool)
        pixels[1:5, 10:20, 10:20, 0] = True
        pixels[2:4, 30:40, 30:40, 1] = True
        kind = hd.seg.SegmentationTypeValues.BINARY
        made_by = ("maker", "model", "1", "0")
        hd.seg.Segmentation(sources, pixels, kind, described, hd.UID(), 5, hd.UID(), 1, *made_by).save_as(
            tmp_path / "seg.dcm"
        )
    tumour, node = read_header(tmp_path / "seg.dcm").rois
    assert [(r.number, r.name, r.n_contours, r.reason) for r in (tumour, node)] == [
        (1, "tumour", 4, ""),
        (2, "node", 2, ""),
    ]
    assert set(node.referenced) == {d.SOPInstanceUID for d in sources[2:4]}
    assert tumour.referenced_series == (sources[0].SeriesInstanceUID,)
    assert tumour.size == (sources[0].Columns, sources[0].Rows, 4)
    assert tumour.spacing == pytest.approx((0.9765625, 0.9765625, 3.27), rel=1e-4)
    assert tumour.origin == pytest.approx([float(v) for v in sources[1].ImagePositionPatient], abs=1e-3)


def test_a_birth_date_leaves_only_a_keyed_digest(tmp_path, data):
    source = sorted((data("sts") / "STS_001" / "CT" / "image").glob("*.dcm"))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(source)
        dataset.PatientBirthDate = "19501231"
        dataset.StudyID = "1"
        dataset.save_as(tmp_path / "a.dcm")
    digests = {
        read_header(tmp_path / "a.dcm", salt=salt).frames[0].birth_digest for salt in (b"", b"a", b"b")
    }
    assert len(digests) == 3
    assert "" in digests
    assert not any("1950" in digest for digest in digests)


@pytest.mark.parametrize("content", [b"", b"x" * 500, bytes(200), bytes(128) + b"DICM"])
def test_what_is_no_dicom_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ReadError) as error:
        read_header(tmp_path / "a")
    assert str(tmp_path) not in error.value.reason


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ReadError, match="not there"):
        read_header(tmp_path / "gone.dcm")


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_failing(noise):
    assert looks_like_dicom(noise) in (True, False)


@pytest.fixture(scope="module")
def slice_bytes(data):
    return sorted((data("dwi") / "siemens_prisma_mosaic").glob("*.dcm"))[0].read_bytes()[:60_000]


@given(cut=st.integers(0, 60_000), place=st.integers(0, 59_990), noise=st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_an_error_or_a_header_and_never_a_crash(
    slice_bytes, tmp_path_factory, cut, place, noise
):
    damaged = slice_bytes[:place] + noise + slice_bytes[place + len(noise) :]
    file = tmp_path_factory.getbasetemp() / "damaged.dcm"
    file.write_bytes(damaged[:cut])
    try:
        read_header(file)
    except ReadError as error:
        problem = error
    else:
        return
    assert problem.where == str(file)
