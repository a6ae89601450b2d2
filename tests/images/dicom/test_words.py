"""Text made plain: what separates words is a blank, and nothing else is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.images.dicom.bvalues import TEXT
from gclnm.images.dicom.energy import described
from gclnm.images.dicom.phase import PHASES, phase_in_words
from gclnm.images.dicom.words import plain, readings


@pytest.mark.parametrize(
    ("words", "signs", "expected"),
    [
        ("DE_VNC-1.25mm.", "", "DE VNC 1.25MM"),
        ("40–140 keV", "-", "40-140 KEV"),
        ("Ａｂｄ＿ＶＮＣ", "", "ABD VNC"),
        ("虛擬平掃", "", "虚拟平扫"),
        ("a.b .5 6.", "", "A B 5 6"),
    ],
)
def test_separators_are_blanks_and_decimal_points_stay(words: str, signs: str, expected: str) -> None:
    assert plain(words, signs) == expected


@given(st.lists(st.sampled_from(["DE", "VNC", "MONO", "70 keV", "b800", "ART", "IODINE", "WATER", "3mm"])))
def test_an_underscore_says_the_same_as_a_blank(words: list[str]) -> None:
    spaced, joined = " ".join(words), "_".join(words).replace(" ", "_")
    assert described(joined) == described(spaced)
    assert phase_in_words(joined) == phase_in_words(spaced)


@given(st.text(max_size=40))
def test_any_text_is_survived(words: str) -> None:
    assert "_" not in plain(words)
    assert readings(words)[0] == words
    assert phase_in_words(words) in (*PHASES, "enhanced", "several", "")
    assert isinstance(described(words).kind, str)
    assert all(part.strip() for part in TEXT.findall(plain(words)))
