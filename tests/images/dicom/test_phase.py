"""Contrast phase: codes, words in two languages and three character sets, bolus times, contradictions."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

import gclnm
from gclnm.errors import InputError
from gclnm.images.dicom.elements import Groups
from gclnm.images.dicom.phase import (
    WINDOWS_S,
    PhaseEvidence,
    check_windows,
    contrast_phase,
    phase_evidence,
    phase_in_words,
)


def evidence(**elements: Any) -> PhaseEvidence:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return phase_evidence(Groups(dataset))


@pytest.mark.parametrize(
    ("words", "phase"),
    [
        ("Abd NC 5.0", "native"),
        ("NON CON", "native"),
        ("non-contrast 3mm", "native"),
        ("W/O CONTRAST", "native"),
        ("UNENHANCED", "native"),
        ("Liver_PRE_CONTRAST", "native"),
        ("PRE C", "native"),
        ("PRE-CM 3mm", "native"),
        ("w/o i.v. contrast", "native"),
        ("CT CHEST W/O", "native"),
        ("增强前", "native"),
        ("ABD C- 5mm", "native"),
        ("ABD -C", "native"),
        ("平扫", "native"),
        ("上腹部平掃", "native"),
        ("非增强", "native"),
        ("Abdomen ART 1.0", "arterial"),
        ("LATE ART", "arterial"),
        ("HAP", "arterial"),
        ("A PHASE", "arterial"),
        ("35s 1.25mm", "arterial"),
        ("CTA Abdomen", "arterial"),
        ("ＡＲＴＥＲＩＡＬ", "arterial"),
        ("动脉期", "arterial"),
        ("動脈期 1mm", "arterial"),
        ("增强动脉晚期", "arterial"),
        ("PVP", "portal_venous"),
        ("PORTAL VENOUS 3mm", "portal_venous"),
        ("Abd_VEN_1.5", "portal_venous"),
        ("70S", "portal_venous"),
        ("门静脉期", "portal_venous"),
        ("门脉期1.25", "portal_venous"),
        ("實質期", "portal_venous"),
        ("DELAYED 5mm", "delayed"),
        ("LATE", "delayed"),
        ("EQUILIBRIUM", "delayed"),
        ("3MIN", "delayed"),
        ("延迟期", "delayed"),
        ("平衡期", "delayed"),
        ("Abdomen C+ 3.0", "enhanced"),
        ("W/ CONTRAST", "enhanced"),
        ("POST", "enhanced"),
        ("三期增强", "enhanced"),
        ("ART + PV", "several"),
        ("W/WO CONTRAST", "several"),
        ("平扫+增强", "several"),
        ("w/o and with", "several"),
        ("WITHOUT/WITH", "several"),
        ("CT_ABD_WWO", "several"),
        ("C-/+", "several"),
        ("平扫增强前后", "several"),
        ("上腹部动静脉期", "several"),
        ("腹主动脉CTA动脉期", "arterial"),
    ],
)
def test_words_of_both_languages_name_a_phase(words: str, phase: str) -> None:
    assert phase_in_words(words) == phase


@pytest.mark.parametrize(
    "words",
    [
        "PREP ABDOMEN",
        "CT CH/AB/PEL",
        "CT AP 3mm",
        "PVC stent",
        "VENDOR test",
        "PRE OP planning",
        "PRE TAVI",
        "PRE BIOPSY ABDOMEN",
        "PRE C-SPINE",
        "Rectum PRE",
        "WITHOUT TILT",
        "VP SHUNT",
        "virt. non-contrast",
        "virtual native",
        "DE_VNC_1.0",
        "腹主动脉CTA",
        "CTA_PULMONARY",
        "SMART PREP",
        "TRIPHASIC LIVER",
        "DE Caput 2.0 Q30s 2",
        "C-SPINE",
        "VNC[HU*]",
        "虚拟平扫",
        "Virtual Non-Contrast",
        "肺动脉",
        "腹主动脉瘤",
        "WITH ORAL CONTRAST",
        "CT Body 3.0",
        "0.35s rotation",
        "",
    ],
)
def test_words_that_only_look_like_a_phase_name_none(words: str) -> None:
    assert phase_in_words(words) == ""


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("GB18030", "gb18030"), ("GBK", "gbk"), ("ISO_IR 192", "utf-8"), (r"\ISO 2022 IR 58", "iso2022_cn")],
)
def test_chinese_is_read_in_the_character_set_of_the_file(charset: str, encoding: str) -> None:
    # In a file, as bytes: pydicom decodes by Specific Character Set when the element is read.
    raw = "动脉期".encode("gb2312" if encoding == "iso2022_cn" else encoding)
    raw = b"\x1b$)A" + raw if encoding == "iso2022_cn" else raw
    raw += b" " * (len(raw) % 2)
    kind = charset.encode().ljust(len(charset) + len(charset) % 2)
    stream = DicomBytesIO(
        b"\x08\x00\x05\x00CS" + len(kind).to_bytes(2, "little") + kind
        + b"\x08\x00\x3e\x10LO" + len(raw).to_bytes(2, "little") + raw
    )  # fmt: skip
    dataset = pydicom.dcmread(stream, force=True)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    assert phase_evidence(Groups(dataset)).word == "arterial"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_chinese_taken_for_latin_is_still_recognized(encoding: str) -> None:
    assert phase_in_words("门脉期".encode(encoding).decode("latin-1")) == "portal_venous"


@pytest.mark.parametrize(
    ("seconds", "phase"),
    [
        (-40, "native"),
        (5, "unknown"),
        (28, "arterial"),
        (70, "portal_venous"),
        (95.8, "portal_venous"),
        (180, "delayed"),
        (900, "unknown"),
    ],
)
def test_the_time_since_the_bolus_decides_where_no_word_does(seconds: float, phase: str) -> None:
    found, source = contrast_phase(PhaseEvidence(bolus_s=seconds))
    assert found == phase
    assert f"bolus {seconds:.0f} s" in source


def test_near_a_border_the_source_says_so_and_a_word_decides() -> None:
    assert contrast_phase(PhaseEvidence(bolus_s=105.0)) == ("portal_venous", "bolus 105 s, near the border")
    assert contrast_phase(PhaseEvidence(word="delayed", bolus_s=105.0)) == ("delayed", "word, bolus 105 s")


@pytest.mark.parametrize(
    "conflict",
    [
        PhaseEvidence(word="several"),
        PhaseEvidence(code="arterial", word="portal_venous"),
        PhaseEvidence(word="arterial", bolus_s=180.0),
        PhaseEvidence(word="native", bolus_s=70.0),
        PhaseEvidence(code="native", word="enhanced"),
        PhaseEvidence(word="enhanced", bolus_s=-60.0),
    ],
)
def test_contradictions_give_unknown_and_name_both_sides(conflict: PhaseEvidence) -> None:
    phase, source = contrast_phase(conflict)
    assert phase == "unknown"
    assert source.startswith("conflict: ")


def test_evidence_that_agrees_is_listed() -> None:
    agreed = PhaseEvidence("arterial", "arterial", 30.0)
    assert contrast_phase(agreed) == ("arterial", "code, word, bolus 30 s")
    assert contrast_phase(PhaseEvidence(word="enhanced")) == ("unknown", "word enhanced")


def test_a_site_gives_its_own_windows() -> None:
    site = check_windows({"portal_venous": (60, 150), "arterial": (30, 60)})
    assert contrast_phase(PhaseEvidence(bolus_s=120.0), site)[0] == "portal_venous"
    assert contrast_phase(PhaseEvidence(bolus_s=120.0), WINDOWS_S)[0] == "delayed"
    for wrong in (
        {"early": (1, 2)},
        {"arterial": (15, 60), "portal_venous": (50, 110)},
        {"arterial": (9, 3)},
    ):
        with pytest.raises(InputError, match="no windows"):
            check_windows(wrong)


def usage(**elements: Any) -> Dataset:
    item, group = Dataset(), Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    group.ContrastBolusUsageSequence = [item]
    return group


@pytest.mark.parametrize(
    ("term", "code"),
    [
        ("PRE_CONTRAST", "native"),
        ("ARTERIAL", "arterial"),
        ("VENOUS", "portal_venous"),
        ("STEADY_STATE", "delayed"),
        ("DYNAMIC", "enhanced"),
        ("SOMETHING", ""),
    ],
)
def test_enhanced_objects_state_the_phase_by_a_term(term: str, code: str) -> None:
    groups = Groups(Dataset(), shared=usage(ContrastBolusAgentPhase=term))
    assert phase_evidence(groups).code == code


def test_an_agent_that_was_not_given_means_native_and_the_frame_wins_over_what_is_shared() -> None:
    none = usage(ContrastBolusAgentAdministered="NO")
    assert phase_evidence(Groups(Dataset(), shared=none)).code == "native"
    frame = usage(ContrastBolusAgentPhase="ARTERIAL")
    assert phase_evidence(Groups(Dataset(), frame=frame, shared=none)).code == "arterial"


def test_the_study_and_the_agent_prove_nothing() -> None:
    assert (
        evidence(StudyDescription="CT W/ CONTRAST ARTERIAL", ContrastBolusAgent="APPLIED") == PhaseEvidence()
    )
    assert evidence(ContrastBolusAgent="NONE") == PhaseEvidence()


def test_a_protocol_of_several_phases_names_none_while_the_series_does() -> None:
    assert evidence(ProtocolName="LIVER ART PV DELAY").word == ""
    assert evidence(ProtocolName="LIVER ART PV DELAY", SeriesDescription="PV 3mm").word == "portal_venous"
    assert evidence(ProtocolName="Abdomen arterial").word == "arterial"


@pytest.mark.parametrize(
    ("start", "acquired", "series", "seconds"),
    [
        ("140216.694022", "140353.284", "140539", 96.589978),
        ("235950", "000020.5", "235900", 30.5),
        ("101010", "101005", "101000", -5.0),
        ("101010", "101040", "101010", None),  # filled in with the time of the series
        ("080000", "150000", "145900", None),
        ("", "150000", "", None),
    ],
)
def test_the_bolus_time_of_the_header(start: str, acquired: str, series: str, seconds: float | None) -> None:
    found = evidence(ContrastBolusStartTime=start, AcquisitionTime=acquired, SeriesTime=series).bolus_s
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_the_real_series_read_as_the_reference_says(data: Any) -> None:
    volumes = gclnm.scan(data("abdomen"), progress=False).volumes.set_index("patient_id")
    siemens = volumes.loc["siemens_mct_venous_j2k"]
    assert (siemens["phase"], siemens["phase_source"]) == ("portal_venous", "bolus 96 s")
    assert volumes.loc["CRLM-CT-1004", "phase"] == "unknown"
    assert volumes.loc["PANCREAS_0001", "phase"] == "unknown"
    own = gclnm.scan(data("abdomen"), phase_windows_s={"delayed": (90, 300)}, progress=False).volumes
    assert own.set_index("patient_id").loc["siemens_mct_venous_j2k", "phase"] == "delayed"
