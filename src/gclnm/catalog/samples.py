"""The samples of a study: a frozen list with a table, what was not paired, and what was left out."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import pandas as pd

from gclnm.catalog import choose, show
from gclnm.catalog.expressions import rows_where, values_there, with_values
from gclnm.catalog.pairing.build import NUMBERS, TEXTS, not_made_row, recoordinated, unpaired_table
from gclnm.errors import InputError
from gclnm.images.sample import Coordinate, Sample
from gclnm.schemas.samples import EXCLUDED, SAMPLES, UNPAIRED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gclnm.recipe.expand import Expansion

__all__ = ["Samples"]

Where: TypeAlias = "str | os.PathLike[str] | Sequence[str] | Sequence[bool] | NDArray[Any] | pd.Series[Any]"
Order: TypeAlias = Mapping[str, Sequence[Any] | Literal["smallest", "largest"]]


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Sequence[Sample]):
    """The future rows of a feature set, in order, with what is not among them and why.

    A sequence of ``Sample``: it has a length, is iterated, and a slice of it is a ``Samples``. Every
    method returns a new object.

    Parameters
    ----------
    samples
        The samples; no two with the same ``sample_id``.
    unpaired
        What could not be paired: ``severity``, ``kind``, ``patient_id``, ``name``, ``code``,
        ``reason``, ``fix``, ``id``.
    excluded
        What the user left out: ``sample_id``, ``reason`` and the coordinates.
    notes
        Sentences that the user should read.
    names
        By ``sample_id``: name of the ROI in its file and ``segmentation_id``. Shown, never stored.
    found
        The ROI names of a catalog, when no ROI was asked for.

    Attributes
    ----------
    ids
        ``sample_id`` of each, in order.

    Raises
    ------
    InputError
        When two samples have the same ``sample_id``; it names what would tell them apart.

    Examples
    --------
    >>> from gclnm.images import MaskRef, VolumeRef
    >>> image = VolumeRef("1.2.3", "dicom", ("0.dcm",), modality="CT")
    >>> mask = MaskRef("rtstruct", "rs.dcm", 1)
    >>> who = {"patient_id": "p1", "roi": "GTV", "modality": "CT"}
    >>> samples = Samples((Sample({"image": image}, {"roi": mask}, who),))
    >>> samples
    Samples: 1 of 1 patient (CT 1), roi 'GTV'
    >>> samples.query("modality == 'MR'")
    Samples: none
    note: no sample fulfils "modality == 'MR'" (modality: CT 1).
    """

    samples: tuple[Sample, ...] = ()
    unpaired: pd.DataFrame = field(default_factory=UNPAIRED.empty)
    excluded: pd.DataFrame = field(default_factory=EXCLUDED.empty)
    notes: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    found: pd.DataFrame | None = None
    ids: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", tuple(self.samples))
        object.__setattr__(self, "ids", tuple(sample.sample_id for sample in self.samples))
        _refuse_duplicates(self.samples, self.ids)

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Samples: ...

    def __getitem__(self, index: int | slice) -> Sample | Samples:
        if isinstance(index, slice):
            return self._keep(range(len(self))[index])
        return self.samples[index]

    def __add__(self, other: Samples) -> Samples:
        """Both, in order; refused when a sample is in both."""
        if not isinstance(other, Samples):
            return NotImplemented
        return Samples(
            self.samples + other.samples,
            unpaired=_stacked(self.unpaired, other.unpaired),
            excluded=_stacked(self.excluded, other.excluded),
            notes=tuple(dict.fromkeys(self.notes + other.notes)),
            names={**self.names, **other.names},
        )

    @property
    def table(self) -> pd.DataFrame:
        """One row a sample: ``sample_id``, the coordinates, ``volume_id`` (a copy, checked)."""
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        if not self.samples:
            return SAMPLES.empty()
        records = [self._record(*pair) for pair in zip(self.ids, self.samples, strict=True)]
        return SAMPLES.validate(pd.DataFrame.from_records(records))

    def _record(self, sample_id: str, sample: Sample) -> dict[str, Any]:
        record: dict[str, Any] = dict.fromkeys(SAMPLES.names, "")
        record |= dict.fromkeys(NUMBERS, float("nan"))
        record |= {key: _plain(key, value) for key, value in sample.coords.items()}
        name, segmentation_id = self.names.get(sample_id, ("", ""))
        record |= {"sample_id": sample_id, "roi_name": name, "segmentation_id": segmentation_id}
        image = sample.images.get("image")
        record["volume_id"] = image.volume_id if image else ""
        return record

    def query(self, expression: str = "", **coordinates: str | float) -> Samples:
        """The samples whose row of ``.table`` fulfils an expression of ``DataFrame.query``.

        ``query(modality="MR", field_strength_t=3.0)`` asks for coordinates of these values; a field
        strength is that of its class (2.89 T is 3.0 T). Both ways may be combined. Text columns compare
        as text: ``patient_id == 12`` is ``patient_id == '12'``. ``@name`` is a variable of yours;
        ``modality == 'PET'`` finds ``PT``. Where none fulfils it a note names the values that there are.
        The expression is run by pandas: do not take one from a stranger.

        Raises
        ------
        InputError
            When a column is unknown (with the nearest name) or the expression is not understood.
        """
        expression = with_values(expression, coordinates)
        found = self._keep(rows_where(self._table, expression, level=1))
        if len(found) or not len(self):
            return found
        there = values_there(self._table, expression)
        note = f"no sample fulfils {expression!r}{f' ({there})' if there else ''}."
        return replace(found, notes=(*found.notes, note))

    def one_per(self, keys: str | Sequence[str], *, prefer: Order | None = None) -> Samples:
        """One sample for each combination of ``keys``; the others move to ``.excluded``.

        Parameters
        ----------
        keys
            Columns of ``.table``.
        prefer
            By column, in order of importance: the values from most to least wanted, or
            ``"smallest"`` or ``"largest"``. Without it no combination may have two samples.

        Raises
        ------
        InputError
            When ``prefer`` leaves two samples equally good: which is taken would be chance. It
            names the columns in which they differ.

        Examples
        --------
        ``samples.one_per(["patient_id", "roi"], prefer={"kernel": ["STANDARD", "SOFT"],
        "slice_thickness_mm": "smallest"})``
        """
        wanted = [keys] if isinstance(keys, str) else list(keys)
        kept = set(choose.one_per(self._table, wanted, prefer or {}))
        rule = f"one per {', '.join(wanted)}" + (f": preferred by {', '.join(prefer)}" if prefer else "")
        return self._leave_out({i: rule for i in range(len(self)) if i not in kept})

    def exclude(self, where: Where, reason: str = "") -> Samples:
        """Leave samples out, and record why in ``.excluded``.

        Parameters
        ----------
        where
            An expression as for ``query``; a sequence of booleans; sample_ids; or the path of a CSV
            with columns ``sample_id`` and ``reason``, as the contour report exports it. Ids in the CSV
            that are not among these samples are noted: it may be about more of the study.
        reason
            Why, in your words; a CSV's own reasons come first.

        Raises
        ------
        InputError
            When a reason is missing, no sample fulfils the expression, a given ``sample_id`` is not
            among the samples, or none of the CSV's is.

        Notes
        -----
        A row that is in a store already stays there: read it with
        ``table[table["sample_id"].isin(kept.ids)]``.
        """
        notes: tuple[str, ...] = ()
        if isinstance(where, str) and not where.lower().endswith(".csv") and where not in self.ids:
            chosen = dict.fromkeys(rows_where(self._table, where, level=1), reason)
            if not chosen:
                raise _nothing_excluded(self._table, where)
        else:
            chosen, notes = choose.exclusions(where, self.ids, reason, set(self.excluded["sample_id"]))
        if any(not text.strip() for text in chosen.values()):
            raise InputError(
                "an exclusion needs a reason",
                where="exclude(where, reason)",
                fix='For example reason="motion artefact". It is kept and feeds the flow chart.',
            )
        left = self._leave_out(chosen)
        return replace(left, notes=tuple(dict.fromkeys((*left.notes, *notes)))) if notes else left

    def assign(
        self, **coordinates: Coordinate | Mapping[str, Any] | Callable[[Mapping[str, Any]], Any]
    ) -> Samples:
        """New or corrected coordinates: a value for all, a mapping, or a function of a row of ``.table``.

        A mapping goes from a ``sample_id``, ``volume_id``, ``series_uid``, ``study_uid`` or ``patient_id`` to
        the value; samples that it does not name keep theirs. A phase or energy level that is given so has
        ``phase_source`` or ``energy_source`` ``user``.

        ``modality`` also tells how an image file (NIfTI, NRRD, MetaImage) is read: ``"CT"`` is HU.

        Examples
        --------
        ``samples.assign(timepoint=lambda row: visits[row["study_uid"]], centre="A")``
        ``samples.assign(phase={"1.2.840.1": "arterial", "1.2.840.2": "portal_venous"})``
        """
        rows = self._table.to_dict("records")
        changes: list[dict[str, Any]] = [{} for _ in rows]
        for name, rule in coordinates.items():
            if isinstance(rule, Mapping):
                choose.mapped(name, rule, rows, changes)
                continue
            for row, change in zip(rows, changes, strict=True):
                change[name] = rule({str(k): v for k, v in row.items()}) if callable(rule) else rule
        return self._with(changes)

    def with_coords(
        self, table: pd.DataFrame | str | os.PathLike[str], on: str | Sequence[str] | None = None
    ) -> Samples:
        """Coordinates from a table (or its CSV file): time points, centres, readers ...

        Parameters
        ----------
        table
            Columns that are filled in ``.table`` too (patient, study, series, modality, ROI, reader,
            time point) say which samples a row is about, as text, so that patient 12 and ``"12"``
            are the same; the others become coordinates.
        on
            The columns to match by, when not all of these.

        Raises
        ------
        InputError
            When no column or no row matches, or two rows are about the same sample.
        """
        changes, notes = choose.joined(self._table, table, [on] if isinstance(on, str) else on)
        found = self._with(changes)
        return replace(found, notes=(*found.notes, *notes))

    @classmethod
    def from_table(cls, table: pd.DataFrame | str | os.PathLike[str]) -> Samples:
        """Samples of a table that names image and mask files, without a catalog of a whole tree.

        Columns ``image`` (file, or folder of one DICOM series), ``mask`` (file), and, where there
        are any, ``label`` (number or name), ``roi``, ``roi_instance``, ``rater``, ``patient_id``,
        ``modality``, ``timepoint``; further columns become coordinates. Relative paths start at the
        CSV file, or at the working directory.
        """
        from gclnm.catalog.pairing.manifest import from_table

        return from_table(table)

    def override(
        self, table: pd.DataFrame | str | os.PathLike[str], on: str | Sequence[str] | None = None
    ) -> Samples:
        """Facts that headers lack or have wrong, from a table or its CSV file: weight, dose, unit of a map.

        Parameters
        ----------
        table
            Columns of ``.table`` say which samples a row is about, as for ``with_coords``; the others are
            facts by name (``gclnm.harmonize.OVERRIDES`` lists them with units and bounds). An empty cell
            leaves the header's.
        on
            The columns to match by, when not all of these.

        Raises
        ------
        InputError
            When a column is no fact that can be overridden (with the nearest), a value is no number or
            out of its bounds, or no row matches: all wrong values at once.

        Examples
        --------
        ``samples.override(pd.DataFrame({"patient_id": ["P1"], "weight_kg": [70.0]}))``
        """
        from gclnm.catalog.supplied import supplied

        facts, notes = supplied(self._table, table, [on] if isinstance(on, str) else on)
        changed = tuple(
            replace(sample, overrides={**sample.overrides, **new}) if new else sample
            for sample, new in zip(self.samples, facts, strict=True)
        )
        return replace(self, samples=changed, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def expanded(self, expansion: Expansion) -> Samples:
        """The rows that a recipe asks for instead; what cannot be made joins ``.unpaired``."""
        names = dict(self.names)
        by_image = {
            (s.images["image"].volume_id, s.masks.get("roi")): names[key]
            for key, s in zip(self.ids, self.samples, strict=True)
            if key in names
        }
        for sample in expansion.samples:
            known = by_image.get((sample.images["image"].volume_id, sample.masks.get("roi")))
            if known is not None:
                names[sample.sample_id] = known
        rows = [not_made_row(refusal) for refusal in expansion.refused]
        unpaired = _stacked(self.unpaired, unpaired_table(rows)) if rows else self.unpaired
        return replace(self, samples=expansion.samples, unpaired=unpaired, names=names)

    def _keep(self, positions: Sequence[int]) -> Samples:
        chosen = tuple(self.samples[i] for i in positions)
        names = {self.ids[i]: self.names[self.ids[i]] for i in positions if self.ids[i] in self.names}
        return replace(self, samples=chosen, names=names)

    def _leave_out(self, reasons: Mapping[int, str]) -> Samples:
        if not reasons:
            return self
        rows = self._table.iloc[sorted(reasons)].drop(columns=["segmentation_id"])
        rows.insert(1, "reason", [reasons[i] for i in sorted(reasons)])
        kept = self._keep([i for i in range(len(self)) if i not in reasons])
        return replace(kept, excluded=_stacked(self.excluded, rows))

    def _with(self, changes: Sequence[Mapping[str, Any]]) -> Samples:
        samples, names = [], {}
        for old_id, sample, change in zip(self.ids, self.samples, changes, strict=True):
            changed = recoordinated(sample, change)
            samples.append(changed)
            if old_id in self.names:
                names[changed.sample_id] = self.names[old_id]
        return replace(self, samples=tuple(samples), names=names)

    def __repr__(self) -> str:
        return show.text(self)

    def _repr_html_(self) -> str:
        return show.html_page(self)


def _nothing_excluded(table: pd.DataFrame, expression: str) -> InputError:
    there = values_there(table, expression)
    return InputError(
        "no sample fulfils the condition: nothing would be left out",
        where=f"exclude({expression!r})",
        fix=f"The samples have {there}." if there else "See .table for what there is.",
        code="no-match",
    )


def _stacked(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    parts = [part for part in (a, b) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else a


def _plain(name: str, value: Coordinate) -> Any:
    if value is None:
        return "" if name in TEXTS else float("nan") if name in NUMBERS else None
    return str(value) if name in TEXTS else value


def _refuse_duplicates(samples: Sequence[Sample], ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    repeated = {key for key, n in Counter(ids).items() if n > 1}
    groups: dict[str, list[Sample]] = defaultdict(list)
    for key, sample in zip(ids, samples, strict=True):
        if key in repeated:
            groups[key].append(sample)
    first, second = next(iter(groups.values()))[:2]
    if first == second:
        what, fix = "the same sample is given twice", "Give it once."
    else:
        what = "two samples have the same patient, volumes, roi, roi_instance and rater"
        differ = [k for k in first.coords if first.coords[k] != second.coords.get(k)]
        differ += ["mask"] if dict(first.masks) != dict(second.masks) else []
        fix = (
            f"They differ in {', '.join(differ)}: give them a roi_instance (a group (?P<instance>...) in the"
            " pattern) or a rater (rater=, .assign(rater=...))."
        )
    raise InputError(
        what,
        where=f"patient {first.coords.get('patient_id')!r}, roi {first.coords.get('roi')!r}"
        + (f" and {len(groups) - 1} more" if len(groups) > 1 else ""),
        fix=fix,
        code="duplicate-sample",
    )
