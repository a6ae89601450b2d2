"""The page of contours is well formed, safe with hostile names, and in the order of suspicion."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from gclnm.errors import InputError
from gclnm.images import MaskRef, Sample
from gclnm.report import contours
from gclnm.report.tiles import CONTOUR, OTHER, strip
from gclnm.report.views import views

VOID = {"meta", "input", "img", "option", "br", "link"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}"


class Reader(HTMLParser):
    """Checks nesting and keeps the elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            attrs
            for name, attrs in self.found
            if name == tag and all((attrs.get(k) or "").split(" ")[0] == v for k, v in attributes.items())
        ]


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_well_formed_and_has_every_sample_once(samples: list[Sample], tmp_path: Path) -> None:
    page = read(contours(samples, tmp_path, progress=False))
    cards = page.all("article")
    assert sorted(str(card["data-id"]) for card in cards) == sorted(s.sample_id for s in samples)
    assert len(page.all("img")) == len(samples)
    assert all(str(img["src"]).startswith("data:image/png;base64,") for img in page.all("img"))


def test_cards_come_in_the_order_of_suspicion(samples: list[Sample], tmp_path: Path) -> None:
    lost = replace(
        samples[0],
        coords={**samples[0].coords, "roi": "lost"},
        masks={"roi": MaskRef("rtstruct", samples[0].masks["roi"].file, 99)},
    )
    page = read(contours([*samples, lost], tmp_path / "page.html", progress=False))
    cards = page.all("article")
    scores = [float(str(card["data-score"])) for card in cards]
    assert scores == sorted(scores, reverse=True)
    assert cards[0]["data-id"] == lost.sample_id
    assert "Cannot be used" in page.text


def test_hostile_names_are_text_and_never_markup(samples: list[Sample], tmp_path: Path) -> None:
    odd = replace(
        samples[0], coords={**samples[0].coords, "roi": HOSTILE, "patient_id": HOSTILE, "rater": HOSTILE}
    )
    page = read(contours([odd], tmp_path, progress=False))
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 1
    assert "alert(1)" in page.text
    assert "{{ 7*7 }}" in page.text
    assert page.all("article")[0]["data-roi"] == HOSTILE


def test_the_policy_allows_this_style_and_script_only_and_no_network(
    samples: list[Sample], tmp_path: Path
) -> None:
    text = contours(samples[:1], tmp_path, progress=False).read_text("utf-8")
    for tag in ("style", "script"):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert "sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode() in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|src=\"(?!data:)", text)
    assert " style=" not in text
    assert " onclick" not in text


def test_no_path_of_a_file_is_on_the_page(samples: list[Sample], tmp_path: Path) -> None:
    lost = replace(samples[0], masks={"roi": MaskRef("rtstruct", "/secret/name/rs.dcm", 1)})
    text = contours([lost, samples[1]], tmp_path, progress=False).read_text("utf-8")
    assert "/secret" not in text
    assert str(Path(samples[1].masks["roi"].file).parent) not in text


def test_a_page_stays_small(samples: list[Sample], tmp_path: Path) -> None:
    page = contours(samples, tmp_path / "sub" / "c.html", progress=False)
    assert page.stat().st_size < 80_000 * len(samples)


def test_no_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sample"):
        contours([], tmp_path)


def test_each_card_shows_the_start_of_its_sample_id(samples: list[Sample], tmp_path: Path) -> None:
    page = read(contours(samples, tmp_path, progress=False))
    for sample in samples:
        assert sample.sample_id[:8] in page.text
        assert len(page.all("dd", title=sample.sample_id)) == 1
        assert sample.sample_id in str(page.all("article", id=f"s{sample.sample_id}")[0]["data-search"])


def colours(png: bytes) -> set[tuple[int, ...]]:
    """The colours of a picture that are not grey."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    return {tuple(map(int, p)) for p in np.unique(pixels, axis=0) if np.ptp(p)}


def test_another_readers_contour_is_drawn_in_a_second_colour(samples: list[Sample]) -> None:
    (view,) = views(samples[:1])
    assert view.mask is not None
    assert colours(strip(view).png) == {CONTOUR}
    wider = ndimage.binary_dilation(view.mask.array, iterations=4)
    assert colours(strip(view, [wider]).png) == {CONTOUR, OTHER}


def test_readers_of_one_roi_are_named_on_each_others_cards(samples: list[Sample], tmp_path: Path) -> None:
    first, second = (replace(samples[0], coords={**samples[0].coords, "rater": r}) for r in ("Ada", HOSTILE))
    page = read(contours([first, samples[1], second], tmp_path / "two.html", progress=False))
    assert "reader Ada (this card)" in page.text
    assert f"reader {HOSTILE} (this card)" in page.text
    assert len(page.all("p", **{"class": "legend"})) == 2
