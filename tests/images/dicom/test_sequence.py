"""Which MR sequence a frame is, for headers of every vendor's habit."""

from __future__ import annotations

import json
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

import gclnm
from gclnm.images.dicom.bvalues import BValue
from gclnm.images.dicom.elements import Groups
from gclnm.images.dicom.frames import field_strength_t, frame_headers
from gclnm.images.dicom.sequence import SEQUENCES, mr_sequence
from gclnm.images.dicom.sequencewords import clean, fat_words, post_words, weighting_words


def header(**elements: Any) -> Dataset:
    dataset = Dataset()
    dataset.Modality = "MR"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def with_class(dataset: Dataset) -> Dataset:
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    return dataset


def spin(te: float, tr: float, **more: Any) -> Dataset:
    return header(ScanningSequence="SE", EchoTime=te, RepetitionTime=tr, **more)


def gradient(te: float, tr: float, **more: Any) -> Dataset:
    return header(ScanningSequence="GR", EchoTime=te, RepetitionTime=tr, **more)


def name(dataset: Dataset, kind: str = "image", b: float | None = None) -> str:
    weighting = None if b is None else BValue(b, b, "standard")
    return mr_sequence(Groups(dataset), kind, weighting).name


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (spin(78, 15200), "T2"),
        (spin(90, 4000, ScanOptions=["PFP", "FS"]), "T2-FS"),
        (spin(90, 4000, ScanOptions=["EDR_GEMS", "FS "]), "T2-FS"),
        (spin(90, 4000, ScanOptions=["FSA_GEMS"]), "T2"),
        (spin(95, 1200, SequenceName="*h2d1_256"), "T2"),
        (spin(95, 1200), "unknown"),
        (spin(10, 600), "T1"),
        (spin(10, 600, ScanOptions="FS"), "T1-FS"),
        (spin(30, 3000), "PD"),
        (spin(50, 3000), "unknown"),
        (spin(120, 9000, InversionTime=2500), "FLAIR"),
        (spin(60, 5000, InversionTime=160), "STIR"),
        (spin(20, 2500, InversionTime=860), "T1"),
        (gradient(1.2, 3.5, MRAcquisitionType="3D"), "T1"),
        (gradient(2.4, 150, MRAcquisitionType="2D"), "T1"),
        (gradient(2.4, 150, MRAcquisitionType="3D"), "unknown"),
        (gradient(3.2, 2217, MRAcquisitionType="3D", InversionTime=1000), "T1"),
        (gradient(20, 600), "T2*"),
        (gradient(1.7, 3.6, SequenceVariant=["SS", "OSP"], FlipAngle=60), "bSSFP"),
        (gradient(1.7, 3.6, SequenceVariant=["SS", "SP"], MRAcquisitionType="3D"), "T1"),
        (header(ScanningSequence="RM", EchoTime=4.2, RepetitionTime=8.2, FlipAngle=20), "T1"),
        (header(ScanningSequence="RM", EchoTime=80, RepetitionTime=4000, FlipAngle=90), "unknown"),
        (header(ScanningSequence="EP", EchoTime=30, RepetitionTime=2000), "unknown"),
        (header(ScanningSequence=["EP", "SE"], SeriesDescription="DWI_b50_400_800"), "DWI"),
        (header(), "unknown"),
    ],
)
def test_times_of_the_pulse_sequence_decide(dataset, expected):
    assert name(dataset) == expected


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("t2_tse_fs_tra", "T2-FS"),
        ("轴位T2压脂", "T2-FS"),
        ("T1加权 平扫", "T1"),
        ("Ax LAVA+C", "T1"),
        ("t2_space_flair", "FLAIR"),
        ("T1 FLAIR", "T1"),
        ("COR STIR", "STIR"),
        ("PD_FS SAG", "PD-FS"),
        ("FIESTA COR", "bSSFP"),
        ("T2* GRE", "T2*"),
        ("HASTE cor", "T2"),
        ("T1 T2", "unknown"),
        ("CT1 something", "unknown"),
        ("T1 map", "unknown"),
        ("3D TOF MRA", "unknown"),
        ("动态增强 T1", "DCE"),
        ("T1_twist_dyn", "DCE"),
    ],
)
def test_words_decide_where_numbers_are_missing(described, expected):
    assert name(header(SeriesDescription=described)) == expected


def test_words_and_numbers_that_contradict_each_other_are_unknown_and_both_are_kept():
    found = mr_sequence(Groups(spin(90, 4000, SeriesDescription="AX T1")), "image")
    assert (found.name, found.source) == ("unknown", "contradiction: timing T2, words T1")


def test_a_description_counts_before_the_protocol_of_the_examination():
    dataset = spin(90, 4000, SeriesDescription="AX T2", ProtocolName="T1 brain")
    assert mr_sequence(Groups(dataset), "image").source == "timing+words"


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"SeriesDescription": "ax b800"}, "DWI"),
        ({"SeriesDescription": "b 12 T2"}, "T2"),
        ({"SeriesDescription": "b100 T2"}, "T2"),
        ({"SeriesDescription": "DWI b100"}, "DWI"),
        ({"ScanningSequence": "EP", "SeriesDescription": "T2 b100"}, "DWI"),
        ({"SequenceName": "*ep_b0"}, "DWI"),
        ({"SequenceName": "*epfid2d1_64"}, "unknown"),
    ],
)
def test_a_b_value_in_words_is_evidence_where_it_weights_or_the_readout_is_echo_planar(elements, expected):
    dataset = spin(90, 4000)
    dataset.update(header(**elements))
    assert frame_headers(with_class(dataset))[0].sequence == expected


@pytest.mark.parametrize(
    ("kind", "described", "expected"),
    [
        ("ORIGINAL", "ep2d_diff_b800_ADC", ("unknown", "contradiction: image type original, words ADC")),
        ("ORIGINAL", "ep2d_ADC", ("unknown", "contradiction: image type original, words ADC")),
        ("DERIVED", "ep2d_ADC", ("ADC", "image type")),
        ("ORIGINAL", "ep2d_diff_b800", ("DWI", "words")),
    ],
)
def test_an_original_image_is_no_adc_map_whatever_its_words(kind, described, expected):
    dataset = header(ScanningSequence="EP", SeriesDescription=described, ImageType=[kind, "PRIMARY", "M"])
    frame = frame_headers(with_class(dataset))[0]
    assert (frame.sequence, frame.sequence_source) == expected


def test_a_zero_of_ge_on_an_echo_planar_series_is_no_diffusion():
    dataset = with_class(header(ScanningSequence=["EP", "GR"], EchoTime=30, RepetitionTime=2000))
    dataset.add_new((0x0043, 0x0010), "LO", "GEMS_PARM_01")
    dataset.add_new((0x0043, 0x1039), "IS", [0, 2**30, 0, 0])
    assert frame_headers(dataset)[0].sequence == "unknown"


@pytest.mark.parametrize("charset", ["GB18030", "ISO_IR 192"])
def test_chinese_words_are_read_in_their_character_set(charset, tmp_path):
    dataset = with_class(header(SpecificCharacterSet=charset, SeriesDescription="轴位T2压脂"))
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    stored = pydicom.dcmread(tmp_path / "one.dcm")
    (frame,) = frame_headers(stored)
    assert (frame.sequence, frame.sequence_source) == ("T2-FS", "words")


def test_an_adc_map_is_one_although_it_carries_a_b_value():
    assert name(spin(80, 2500), "adc", b=500) == "ADC"


@pytest.mark.parametrize(("b", "expected"), [(0.0, "T2"), (0.004, "T2"), (50.0, "DWI"), (800.0, "DWI")])
def test_a_b_value_of_zero_alone_is_no_evidence_of_diffusion(b, expected):
    assert name(spin(60.7, 4571), b=b) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [("IN_PHASE", "in-phase"), ("OPP_PHASE", "opposed-phase"), ("FAT", "fat"), ("WATER", "T1-FS")],
)
def test_dixon_images_of_a_gradient_echo_are_told_apart(types, expected):
    dataset = gradient(2.4, 5.5, MRAcquisitionType="3D", ImageType=["DERIVED", "PRIMARY", "DIXON", types])
    assert name(dataset) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, "unknown"),
        ({"ContrastBolusAgent": "NONE"}, "unknown"),
        ({"ContrastBolusAgent": ""}, "unknown"),
        ({"ContrastBolusAgent": "Gadovist"}, "yes"),
        (
            {"ContrastBolusAgent": "Gd", "ContrastBolusStartTime": "101500", "AcquisitionTime": "101000"},
            "no",
        ),
        ({"SeriesDescription": "T1 VIBE post"}, "yes"),
        ({"SeriesDescription": "T1 增强"}, "yes"),
        ({"SeriesDescription": "T1 平扫"}, "no"),
        ({"SeriesDescription": "T1_PRE_CONTRAST"}, "no"),
        ({"SeriesDescription": "T1 without contrast"}, "no"),
        ({"ContrastBolusAgent": "Gadovist", "SeriesDescription": "T1 pre"}, "unknown"),
    ],
)
def test_contrast_is_what_header_and_words_agree_on(elements, expected):
    assert mr_sequence(Groups(header(**elements)), "image").post_contrast == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [(15000, 1.5), (30000, 3.0), (1.494, 1.5), (2.89, 3.0), (3, 3.0), (0.35, 0.35), (7, 7.0), (0, None)],
)
def test_field_strengths_are_classes(written, expected):
    assert field_strength_t(header(MagneticFieldStrength=written)) == expected


def test_enhanced_objects_state_their_contrast_and_suppression():
    shared, modifier, kind = Dataset(), Dataset(), Dataset()
    modifier.SpectrallySelectedSuppression = "FAT"
    kind.AcquisitionContrast, kind.FrameType = "T2", ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    shared.MRModifierSequence, shared.MRImageFrameTypeSequence = [modifier], [kind]
    found = mr_sequence(Groups(Dataset(), None, shared), "image")
    assert (found.name, found.source) == ("T2-FS", "acquisition contrast")


EXPECTED = {
    "abdomen_t2_titan_1p5T": ("T2", "no", 1.5),
    "abdomen_adc_titan_1p5T": ("ADC", "yes", 1.5),
    "brain_t1_ge_pioneer_3T": ("T1", "no", 3.0),
    "brain_t1_uih_umr770_3T": ("T1", "no", 3.0),
    "breast_dce_t1fs_ge_genesis_1p5T": ("DCE", "yes", 1.5),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_real_series_are_what_their_makers_say(data, case):
    folder = data("mr_raw")
    said = json.loads((folder / "expected.json").read_text())[case]["expected_sequence"]
    volumes = gclnm.scan(folder / case, progress=False).volumes
    sequence, suppressed, field = EXPECTED[case]
    assert said.startswith(sequence)
    assert set(volumes["sequence"]) == {sequence}
    assert set(volumes["fat_suppressed"]) == {suppressed}
    assert set(volumes["field_strength_t"]) == {field}


def test_time_points_without_a_temporal_position_are_ordered_by_content_time(data):
    volumes = gclnm.scan(data("mr_raw") / "breast_dce_t1fs_ge_genesis_1p5T", progress=False).volumes
    assert list(volumes.sort_values("split")["temporal_position"]) == [1, 2, 3]
    assert list(volumes["n_slices"]) == [6, 6, 6]
    # The agent is NONE on all three, though two are after contrast.
    assert set(volumes["post_contrast"]) == {"unknown"}


def test_every_diffusion_series_is_dwi_and_its_map_adc(data):
    volumes = gclnm.scan(data("dwi"), progress=False).volumes
    maps = volumes["image_type"].str.contains("ADC")
    assert maps.sum() == 1
    assert set(volumes[maps]["sequence"]) == {"ADC"}
    assert set(volumes[~maps]["sequence"]) == {"DWI"}
    assert volumes[~maps]["b_value_s_mm2"].notna().all()
    assert volumes[maps]["b_value_s_mm2"].isna().all()


def test_a_ge_series_with_biased_b_values_is_read_from_file_to_table(data, tmp_path):
    for file in sorted((data("dwi") / "ge_signa_pioneer").glob("*.dcm")):
        dataset = pydicom.dcmread(file)
        b = int(dataset[0x0043, 0x1039].value[0])
        dataset[0x0043, 0x1039].value = [b + 10**9 if b else 0, 8, 0, 0]
        if "DiffusionBValue" in dataset:
            del dataset.DiffusionBValue
        dataset.save_as(tmp_path / file.name)
    volumes = gclnm.scan(tmp_path, progress=False).volumes
    assert sorted(set(volumes["b_value_s_mm2"])) == [0, 1000]
    assert set(volumes["b_value_source"]) == {"ge"}
    assert set(volumes["sequence"]) == {"DWI"}


def test_ge_zero_on_a_t1_is_no_b_value(data):
    volumes = gclnm.scan(data("mr_raw") / "brain_t1_ge_pioneer_3T", progress=False).volumes
    assert volumes["b_value_s_mm2"].isna().all()


def test_other_modalities_have_no_sequence():
    dataset = Dataset()
    dataset.Modality, dataset.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
    (frame,) = frame_headers(dataset)
    assert (frame.sequence, frame.fat_suppressed, frame.post_contrast) == ("unknown", "", "")


@given(st.text(max_size=40))
def test_any_words_are_survived_and_never_kept(words):
    found = mr_sequence(Groups(header(SeriesDescription=words, ScanningSequence="SE")), "image")
    assert found.name in SEQUENCES
    assert found.source in ("", "words")
    assert fat_words(clean(words)) in (True, False)
    assert post_words(clean(words)) in ("yes", "no", "")
    assert isinstance(weighting_words(clean(words)), str)
