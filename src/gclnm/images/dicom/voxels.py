"""One DICOM image volume: from classic slices or from frames of one enhanced object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError, ReadError
from gclnm.images.air import AIR_HU, clamp, clamped
from gclnm.images.dicom.assemble import TILED
from gclnm.images.dicom.elements import Groups, frame_count
from gclnm.images.dicom.facts import mr_facts, scanner_facts, spectral_facts
from gclnm.images.dicom.files import quiet, read_dataset
from gclnm.images.dicom.frames import FrameHeader, frame_headers
from gclnm.images.dicom.objects import modality_of
from gclnm.images.dicom.petfacts import pet_facts, slice_facts
from gclnm.images.dicom.pixels import padding_values, stored_frames
from gclnm.images.dicom.quantity import Scale, frame_scale
from gclnm.images.dicom.stack import stack
from gclnm.images.dicom.tiles import Tiling, tiling
from gclnm.images.geometry import Geometry
from gclnm.images.sample import VolumeRef
from gclnm.images.volume import Fact, Step, Volume

__all__ = ["load_dicom"]

_EMPTY = np.empty((0, 0), dtype=np.float32)
# A "padding" value that would be a plausible tissue is more likely a wrong tag than 10,000 missing voxels.
_TISSUE_HU = (-900.0, 3071.0)


@dataclass
class _Counts:
    """What was done to voxels on the way, over all slices."""

    padded: int = 0
    below_air: int = 0
    doubtful_padding: int = 0
    scales: Counter[Scale] = field(default_factory=Counter)
    signal: list[float | None] = field(default_factory=list)
    syntaxes: set[str] = field(default_factory=set)


@quiet()
def load_dicom(ref: VolumeRef) -> Volume:
    """Load the volume that ``ref`` names: sorted by position, rescaled slice by slice, padding masked.

    Raises
    ------
    ReadError
        A file is absent, ends early or cannot be decoded.
    GeometryError
        Slices are missing, doubled, uneven, tilted or of several sizes.
    QuantityError
        Slices hold different quantities.
    """
    where = ref.files[0]
    headers: list[FrameHeader] = []
    slices: list[NDArray[np.float32]] = []
    facts: dict[str, Fact] = {}
    pet: list[dict[str, Fact]] = []
    counts = _Counts()
    for dataset, frames, path in _objects(ref):
        counts.syntaxes.add(dataset.file_meta.TransferSyntaxUID.name)
        groups, known = Groups.of(dataset), frame_headers(dataset, path)
        facts = facts or scanner_facts(dataset) | spectral_facts(groups[frames[0] if len(groups) > 1 else 0])
        if facts["modality"] == "PT":
            pet.append(slice_facts(dataset))
        for array, frame in zip(_arrays(dataset, frames, path), frames, strict=True):
            headers.append(known[frame if len(known) > 1 else 0])
            slices.append(_measured(array, groups[frame if len(groups) > 1 else 0], path, counts))
    geometry, order, notes = _grid(headers, where)
    quantity = _one_quantity(counts, where)
    if pet:
        facts |= pet_facts([pet[index] for index in order] if len(pet) == len(order) else pet)
    signal = _on_one_scale(slices, [counts.signal[k] for k in order], order, where)
    if signal is not None:
        facts["signal_scale"] = signal
    if facts["modality"] == "MR":
        facts |= mr_facts(headers)
    if not geometry.frame_uid and notes:
        facts["geometry_assumed"] = True
    return Volume(
        array=_stacked(slices, order),
        geometry=geometry,
        quantity=quantity,
        facts=facts,
        history=_history(ref, counts, quantity, notes),
    )


def _objects(ref: VolumeRef) -> Iterator[tuple[Dataset, list[int], str]]:
    """Datasets of the volume with the frames to take from each."""
    for path in ref.files:
        dataset = read_dataset(path)
        tiled = _tiling(dataset)
        count = len(tiled.positions) if tiled else frame_count(dataset)
        frames = list(ref.frames) if len(ref.files) == 1 and ref.frames else range(count)
        yield dataset, list(frames), path


def _tiling(dataset: Dataset) -> Tiling | None:
    """Tiles whose places are known: each is a frame."""
    tiled = tiling(dataset) if modality_of(dataset) == "MR" and frame_count(dataset) == 1 else None
    return tiled if tiled and tiled.positions else None


def _arrays(dataset: Dataset, frames: Sequence[int], where: str) -> NDArray[Any]:
    """Stored values of frames, or of tiles of the one frame."""
    tiled = _tiling(dataset)
    if tiled is None:
        return stored_frames(dataset, frames, where)
    if max(frames) >= len(tiled.positions):
        raise ReadError(f"the object has {len(tiled.positions)} tiles, not {max(frames) + 1}", where=where)
    slices: NDArray[Any] = tiled.cut(stored_frames(dataset, (0,), where)[0])[list(frames)]
    return slices


def _measured(stored: NDArray[Any], groups: Groups, where: str, counts: _Counts) -> NDArray[np.float32]:
    """One frame in its quantity, padding set to air (CT) or zero."""
    scale = frame_scale(groups, where)
    counts.scales[scale] += 1
    counts.signal.append(scale.signal)
    values = stored * np.float64(scale.slope) + scale.intercept
    padded = _padding(stored, groups.dataset, scale, counts)
    if padded is not None:
        values[padded] = AIR_HU if scale.quantity == "HU" else 0.0
    if scale.quantity == "HU":
        counts.below_air += clamp(values)
    return values.astype(np.float32)


def _padding(
    stored: NDArray[Any], dataset: Dataset, scale: Scale, counts: _Counts
) -> NDArray[np.bool_] | None:
    """Voxels whose stored value means "no data"."""
    limits = padding_values(dataset)
    if limits is None or stored.dtype.kind == "f":
        return None
    padded = (stored >= limits[0]) & (stored <= limits[1])
    n = int(padded.sum())
    if scale.quantity == "HU" and n:
        ends = sorted(scale.slope * value + scale.intercept for value in limits)
        if ends[1] > _TISSUE_HU[0] and ends[0] < _TISSUE_HU[1]:
            counts.doubtful_padding += n
            return None
    counts.padded += n
    return padded


def _grid(headers: Sequence[FrameHeader], where: str) -> tuple[Geometry, list[int], str]:
    first = headers[0]
    if first.tiles:
        raise ReadError(
            TILED,
            where=where,
            fix="Export the series as enhanced or single-slice DICOM.",
            code=first.tiles,
        )
    if all(h.position is None and h.orientation is None and h.spacing is None for h in headers):
        # Nothing can be placed on such an image, yet its pixels can be looked at.
        size = (first.columns, first.rows, len(headers))
        note = "the header has no positions: an index grid of 1 mm without a frame of reference"
        return Geometry(size=size, spacing_mm=(1.0, 1.0, 1.0)), list(range(len(headers))), note
    found = stack(headers)
    note = ""
    if len(headers) == 1 and np.isnan(found.spacing[2]):
        # Without any word about it 1 mm is as good as another.
        found.spacing = (*found.spacing[:2], 1.0)
        note = "one slice without a thickness: taken as 1 mm"
    return found.geometry(where), found.order, note


def _on_one_scale(
    slices: list[NDArray[np.float32]], signal: Sequence[float | None], order: Sequence[int], where: str
) -> float | None:
    """Bring slices of several signal scales to that of the first; returns it."""
    if len(set(signal)) == 1:
        return signal[0]
    first, known = signal[0], [scale for scale in signal if scale is not None]
    if first is None or len(known) < len(signal):
        raise QuantityError(
            "some slices state the scale of their signal (2005,100E), and some do not",
            where=where,
            fix="Export the whole series again from the scanner's own archive.",
            code="mixed-scales",
        )
    for index, scale in zip(order, known, strict=True):
        slices[index] = slices[index] * np.float32(first / scale)
    return first


def _stacked(slices: list[NDArray[np.float32]], order: Sequence[int]) -> NDArray[np.float32]:
    """Slices in their order; each is let go as it is copied, so that memory holds the volume once."""
    array = np.empty((len(slices), *slices[0].shape), dtype=np.float32)
    for index, source in enumerate(order):
        array[index] = slices[source]
        slices[source] = _EMPTY
    array.flags.writeable = False
    return array


def _one_quantity(counts: _Counts, where: str) -> str:
    quantities = sorted({scale.quantity for scale in counts.scales})
    if len(quantities) > 1:
        raise QuantityError(
            f"slices hold different quantities: {', '.join(quantities)}",
            where=where,
            fix="Load the parts of the series one by one, as the scan lists them.",
            code="mixed-quantities",
        )
    return quantities[0]


def _history(ref: VolumeRef, counts: _Counts, quantity: str, notes: str) -> tuple[Step, ...]:
    slopes = [scale.slope for scale in counts.scales]
    intercepts = [scale.intercept for scale in counts.scales]
    n = sum(counts.scales.values())
    steps = [
        Step("load", {"slices": n, "transfer_syntax": ", ".join(sorted(counts.syntaxes))}, notes),
        Step(
            "rescale",
            {
                "quantity": quantity,
                "slope": [min(slopes), max(slopes)],
                "intercept": [min(intercepts), max(intercepts)],
                "different": len({(scale.slope, scale.intercept) for scale in counts.scales}),
            },
            "; ".join(sorted({scale.rule for scale in counts.scales})),
        ),
    ]
    if len(set(counts.signal)) > 1:
        scales = sorted({scale for scale in counts.signal if scale is not None})
        told = {"different": len(scales), "scale": [scales[0], scales[-1]]}
        steps.append(Step("signal scale", told, "slices of several scales brought to the first one's"))
    fill = AIR_HU if quantity == "HU" else 0.0
    if counts.padded:
        steps.append(Step("padding", {"voxels": counts.padded, "set_to": fill}, "on stored values"))
    if counts.doubtful_padding:
        note = "Pixel Padding Value lies among tissue: left as it is"
        steps.append(Step("padding", {"voxels": counts.doubtful_padding}, note))
    return (*steps, *clamped(counts.below_air))
