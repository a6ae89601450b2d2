"""One HTML page with every contour, most suspicious first, whose ticks become an exclusion list."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gclnm.errors import InputError
from gclnm.progress import track
from gclnm.report.suspicion import Finding, Measures, compare, judge, measure, same_roi
from gclnm.report.tiles import Strip, strip
from gclnm.report.views import View, title, views

if TYPE_CHECKING:
    from gclnm.images import Sample

__all__ = ["contours"]


@dataclass(frozen=True)
class _Card:
    sample: Sample
    measures: Measures | None
    picture: Strip | None
    findings: tuple[Finding, ...]
    others: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        return round(sum(finding.weight for finding in self.findings), 3)


def contours(samples: Sequence[Sample], path: str | Path, *, progress: bool = True) -> Path:
    """Write one self-contained HTML page with every sample, most suspicious first.

    Suspicious are: a sample that cannot be loaded, gas or air inside (CT), skipped slices,
    fragments, a contour on one slice or at the image's border, a volume far from the median of its
    ROI and modality, raters who disagree (Dice below 0.7), very few voxels. Each is said in words.
    The contours of other readers of the same ROI are drawn on the card's slices in a second colour.
    Ticks and reasons export a CSV for ``samples.exclude("exclusions.csv")``. The page needs no
    network, holds pictures and pseudonyms of patients, and is as confidential as they are.

    Parameters
    ----------
    samples
        What ``gclnm.pair`` returns, or any sequence of samples.
    path
        The file to write, or a folder (then ``contours.html`` in it).
    progress
        Whether to show a progress bar.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        When there is no sample.
    """
    if not len(samples):
        raise InputError(
            "there is no sample to show",
            fix="Look at samples.unpaired for what could not be paired, and why.",
        )
    target = Path(path)
    if target.is_dir() or not target.suffix:
        target = target / "contours.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_page(_cards(samples, progress)), encoding="utf-8")
    return target


def _cards(samples: Sequence[Sample], progress: bool) -> list[_Card]:
    """Every sample measured and judged, most suspicious first."""
    # Samples of one volume follow each other, and in it the readers of one ROI: few masks are held at once.
    order = sorted(range(len(samples)), key=lambda i: (same_roi(samples[i]), i))
    loaded = views([samples[i] for i in order])
    looked = track(loaded, total=len(order), label="drawing contours", unit="sample", show=progress)
    cards: dict[int, _Card] = {}
    pairs = zip(order, looked, strict=True)
    for _, group in groupby(pairs, key=lambda pair: same_roi(samples[pair[0]])):
        members = list(group)
        for index, view in members:
            cards[index] = _look(view, [other for _, other in members if _is_other(view, other)])
    measures = {index: card.measures for index, card in cards.items() if card.measures}
    for index, more in compare(samples, measures).items():
        findings = sorted((*cards[index].findings, *more), key=lambda f: -f.weight)
        cards[index] = replace(cards[index], findings=tuple(findings))
    return sorted((cards[i] for i in range(len(samples))), key=lambda card: (-card.score, title(card.sample)))


def _is_other(view: View, other: View) -> bool:
    """Whether it is the contour of another reader, drawn on the same image."""
    raters = view.sample.coords.get("rater"), other.sample.coords.get("rater")
    return raters[0] != raters[1] and other.mask is not None


def _look(view: View, others: Sequence[View]) -> _Card:
    if view.mask is None:
        return _Card(
            view.sample, None, None, (Finding("unreadable", f"Cannot be used: {view.problem}", 100.0),)
        )
    measures = measure(view)
    picture = strip(view, [other.mask.array for other in others if other.mask is not None])
    findings = tuple(sorted(judge(measures, view.note), key=lambda f: -f.weight))
    names = [str(other.sample.coords.get("rater") or "not named") for other in others]
    return _Card(view.sample, measures, picture, findings, tuple(dict.fromkeys(names)))


def _page(cards: Sequence[_Card]) -> str:
    import jinja2

    folder = files("gclnm.report") / "templates"
    text = {
        name: (folder / name).read_text("utf-8") for name in ("contours.html", "contours.css", "contours.js")
    }
    # Escaping is always on; style and script are ours and are named by their hashes in the policy.
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    counts = Counter(code for card in cards for code in {finding.code for finding in card.findings})
    return environment.from_string(text["contours.html"]).render(
        cards=[_fields(card) for card in cards],
        counts=counts.most_common(),
        n_suspicious=sum(1 for card in cards if card.findings),
        page_id=hashlib.sha256("".join(card.sample.sample_id for card in cards).encode()).hexdigest()[:16],
        style=text["contours.css"],
        script=text["contours.js"],
        style_hash=_hash(text["contours.css"]),
        script_hash=_hash(text["contours.js"]),
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _fields(card: _Card) -> dict[str, Any]:
    """What the template shows of one card: plain strings and numbers."""
    coords = card.sample.coords
    name = title(card.sample)
    return {
        "id": card.sample.sample_id,
        "short": card.sample.sample_id[:8],
        "rater": str(coords.get("rater") or "not named"),
        "others": card.others,
        "title": name,
        "patient": str(coords.get("patient_id") or ""),
        "roi": str(coords.get("roi") or ""),
        "modality": str(coords.get("modality") or ""),
        "score": card.score,
        "volume": card.measures.volume_ml if card.measures else 0,
        "findings": card.findings,
        "picture": card.picture,
        "numbers": _numbers(card.measures) if card.measures else [],
        "search": " ".join(
            [name, card.sample.sample_id, *(f"{f.code} {f.words}" for f in card.findings)]
        ).lower(),
    }


def _numbers(m: Measures) -> list[tuple[str, str]]:
    unit = f" {m.unit}" if m.unit else ""
    return [
        ("volume", f"{m.volume_ml:.3g} mL"),
        ("voxels", f"{m.voxels:,}".replace(",", " ")),
        ("slices", str(m.slices) + (f" ({m.skipped} skipped)" if m.skipped else "")),
        ("spacing", " × ".join(f"{s:.3g}" for s in m.spacing_mm) + " mm"),
        ("mean ± SD", f"{_short(m.mean)} ± {_short(m.sd)}{unit}"),
        ("range", f"{_short(m.lowest)} … {_short(m.highest)}{unit}"),
    ]


def _short(value: float) -> str:
    """Three figures, and never a power of ten where a whole number does."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"
