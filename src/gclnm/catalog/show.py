"""How samples show themselves, in a terminal and in a notebook."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from gclnm.counts import count

if TYPE_CHECKING:
    from gclnm.catalog.samples import Samples

__all__ = ["html_page", "text"]

ROWS = 12
# Columns that a reader looks at first; the others stay in .table.
FIRST = (
    "patient_id",
    "modality",
    "roi",
    "roi_instance",
    "rater",
    "timepoint",
    "roi_name",
    "scanner",
    "paired_by",
)


def text(samples: Samples) -> str:
    """The summary, one fact a line."""
    return "\n".join(lines(samples))


def lines(samples: Samples) -> list[str]:
    """Sentences on what is there, what is not, and what to look at."""
    result = [f"Samples: {_inside(samples)}"]
    if samples.found is not None:
        result += _found(samples.found)
    for severity, word in (("refused", "not paired"), ("info", "for information")):
        rows = samples.unpaired[samples.unpaired["severity"] == severity]
        if len(rows):
            result.append(f"{word}: {len(rows)} ({_counted(rows['code'])}); see .unpaired")
    if len(samples.excluded):
        result.append(f"excluded: {len(samples.excluded)} ({_counted(samples.excluded['reason'])})")
    supplied = [sample.overrides for sample in samples if sample.overrides]
    if supplied:
        names = ", ".join(sorted({name for overrides in supplied for name in overrides}))
        result.append(f"overridden: {names} of {len(supplied)} samples")
    unknown = sum(not sample.coords.get("modality") for sample in samples)
    if unknown:
        result.append(
            f"note: {count(unknown, 'sample has', 'samples have')} no modality: grey values have no unit."
            ' State it: .assign(modality="CT"), or column modality of a manifest.'
        )
    return result + [f"note: {note}" for note in samples.notes]


def _inside(samples: Samples) -> str:
    if not len(samples):
        return "none"
    coords = [sample.coords for sample in samples]
    patients = len({c.get("patient_id") for c in coords})
    modalities = Counter(str(c.get("modality", "")) or "other" for c in coords)
    kinds = ", ".join(f"{name} {n}" for name, n in sorted(modalities.items()))
    rois = list(dict.fromkeys(str(c.get("roi", "")) for c in coords))
    shown = ", ".join(map(repr, rois[:4])) + (f" and {len(rois) - 4} more" if len(rois) > 4 else "")
    return f"{len(samples)} of {patients} patient{'s' * (patients != 1)} ({kinds}), roi {shown}"


def _counted(values: pd.Series[str]) -> str:
    counts = Counter(map(str, values)).most_common()
    shown = ", ".join(f"{value} {n}" for value, n in counts[:5])
    return shown + (f", {len(counts) - 5} more reasons" if len(counts) > 5 else "")


def _found(found: pd.DataFrame) -> list[str]:
    if not len(found):
        return ["no ROI was found"]
    names = [
        f"  {row.name!r}: {row.rois} in {row.patients} patient{'s' * (row.patients != 1)}"
        for row in found.head(ROWS).itertuples(index=False)
    ]
    more = [f"  ... and {len(found) - ROWS} more; see .found"] * (len(found) > ROWS)
    return ["ROI names found; choose with pair(catalog, roi=...):", *names, *more]


def html_page(samples: Samples) -> str:
    """The summary and the first rows as HTML; everything from files is escaped."""
    head, *rest = lines(samples)
    parts = [f"<b>{html.escape(head)}</b>"]
    if samples.found is not None:
        parts.append("<p>ROI names found; choose with <code>pair(catalog, roi=...)</code>:</p>")
        parts.append(_table(samples.found))
    else:
        parts += [f"<br>{html.escape(line)}" for line in rest]
    if len(samples):
        table = samples.table
        shown = [name for name in FIRST if name in table and table[name].astype(str).ne("").any()]
        parts.append(_table(table[shown]))
    refused = samples.unpaired[samples.unpaired["severity"] == "refused"]
    if len(refused):
        parts.append(f"<details><summary>not paired: {len(refused)}</summary>")
        parts.append(_table(refused[["patient_id", "name", "reason", "fix"]]) + "</details>")
    return "<div>" + "".join(parts) + "</div>"


def _table(table: pd.DataFrame) -> str:
    more = f"<p>... and {len(table) - ROWS} more</p>" if len(table) > ROWS else ""
    with pd.option_context("display.max_colwidth", 200):
        return str(table.head(ROWS).to_html(index=False, escape=True, border=0)) + more
