"""A figure of contours on the slices where they are largest."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gclnm.counts import count
from gclnm.errors import InputError
from gclnm.report.views import View, crop, slices_of, title, views, window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gclnm.images import Sample

__all__ = ["Preview", "preview"]

CONTOUR = "#ff3b30"


class Preview(Figure):
    """A matplotlib figure that a notebook shows by itself, without pyplot and its global state."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def preview(samples: Sequence[Sample], n: int = 12) -> Preview:
    """Draw the contours of ``n`` samples, spread over all of them, on their largest slices.

    CT is shown from -160 to 240 HU, MR from its 1st to its 99.5th percentile, PET with dark for much, from
    0 to the lesion's 99th percentile (at least SUV 4), with a bar; the aspect is that of the body. A sample
    that cannot be loaded shows the reason.

    Parameters
    ----------
    samples
        What ``gclnm.pair`` returns, or any sequence of samples.
    n
        At most so many panels.

    Returns
    -------
    Preview
        A matplotlib figure; ``.savefig("preview.png")`` keeps it.

    Raises
    ------
    InputError
        When there is no sample.
    """
    if not len(samples) or n < 1:
        raise InputError(
            "there is no sample to draw",
            fix="Look at samples.unpaired for what could not be paired, and why.",
        )
    chosen = [samples[int(i)] for i in np.unique(np.linspace(0, len(samples) - 1, n).round())]
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Preview(figsize=(3.1 * columns, 3.3 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    # In order of volumes, so that each is read once; each panel keeps its place.
    order = sorted(range(len(chosen)), key=lambda i: chosen[i].images["image"].volume_id)
    for place, view in zip(order, views([chosen[i] for i in order]), strict=True):
        _panel(axes[place], view)
    return figure


def _panel(ax: Axes, view: View) -> None:
    ax.set_title(title(view.sample), fontsize=9, parse_math=False)
    if view.volume is None or view.mask is None:
        ax.text(
            0.5,
            0.5,
            view.problem,
            ha="center",
            va="center",
            wrap=True,
            fontsize=8,
            color="#b00020",
            transform=ax.transAxes,
            parse_math=False,
        )
        return
    low, high, inverted = window(view)
    _, middle, _ = slices_of(view.mask.array)
    x, y, z = view.volume.geometry.spacing_mm
    rows, columns = crop(view.mask.array[middle], (y, x), margin_mm=70)
    image, mask = view.volume.array[middle, rows, columns], view.mask.array[middle, rows, columns]
    cmap = "gray_r" if inverted else "gray"
    shown = ax.imshow(image, cmap=cmap, vmin=low, vmax=high, aspect=y / x, interpolation="bilinear")
    if view.modality == "PT":
        bar = ax.figure.colorbar(shown, ax=ax, fraction=0.04, pad=0.02, extend="max")
        bar.set_label(view.volume.quantity, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    ax.contour(mask.astype(float), [0.5], colors=CONTOUR, linewidths=1.2)
    slices = int(view.mask.array.any(axis=(1, 2)).sum())
    volume_ml = view.mask.n_voxels * view.mask.geometry.voxel_volume_mm3 / 1000
    words = f"{volume_ml:.3g} mL, {count(slices, 'slice')} of {z:.3g} mm"
    ax.text(
        0.02, 0.02, words, fontsize=7, color="white", transform=ax.transAxes,
        bbox={"facecolor": "black", "alpha": 0.55, "pad": 1.5, "linewidth": 0},
    )  # fmt: skip
