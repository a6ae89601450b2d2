"""Small pictures of a contour for a page: an overview and the first, largest and last slice."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gclnm.report.views import View, crop, slices_of, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Strip", "strip"]

TILE = 150
GAP = 4
CONTOUR = (255, 69, 58)
# Of another reader; told from red by the colour-blind, and seen on black (CT) and on white (PET).
OTHER = (10, 132, 255)


class Strip:
    """A row of pictures as one PNG, and what each shows."""

    def __init__(self, pixels: NDArray[np.uint8], captions: tuple[str, ...]) -> None:
        self.captions = captions
        self.height, self.width = pixels.shape[:2]
        self.png = _png(pixels)

    @property
    def data_uri(self) -> str:
        """The picture for the ``src`` of an ``img``."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def strip(view: View, others: Sequence[NDArray[np.bool_]] = ()) -> Strip:
    """Overview of the largest slice, then first, largest and last slice near the contour.

    Parameters
    ----------
    view
        A loaded sample.
    others
        Masks of other readers on the same grid (z, y, x), drawn beneath in a second colour.
    """
    assert view.volume is not None
    assert view.mask is not None
    first, middle, last = slices_of(view.mask.array)
    x, y, _ = view.volume.geometry.spacing_mm
    levels = window(view)
    near = crop(view.mask.array, (y, x))
    whole = (slice(0, view.mask.array.shape[1]), slice(0, view.mask.array.shape[2]))
    tiles, captions = [], []
    for word, index, box in (
        ("slice", middle, whole),
        ("first", first, near),
        ("largest", middle, near),
        ("last", last, near),
    ):
        tiles.append(_tile(view, others, index, box, levels))
        captions.append(
            f"{word} {index + 1}" if word != "slice" else f"slice {index + 1} of {len(view.mask.array)}"
        )
    gap = np.full((TILE, GAP, 3), 255, dtype=np.uint8)
    joined = [part for tile in tiles for part in (tile, gap)][:-1]
    return Strip(np.concatenate(joined, axis=1), tuple(captions))


def _tile(
    view: View,
    others: Sequence[NDArray[np.bool_]],
    index: int,
    box: tuple[slice, slice],
    levels: tuple[float, float, bool],
) -> NDArray[np.uint8]:
    """One square picture in true proportions, the contours drawn on it."""
    from scipy import ndimage

    assert view.volume is not None
    assert view.mask is not None
    image = np.nan_to_num(view.volume.array[index][box], nan=levels[0])
    x, y, _ = view.volume.geometry.spacing_mm
    # Millimetres of the longer side fill the tile; the shorter is centred.
    side = max(image.shape[0] * y, image.shape[1] * x)
    scale = side / TILE
    row = (np.arange(TILE) + 0.5) * scale / y - 0.5 - (side / y - image.shape[0]) / 2
    column = (np.arange(TILE) + 0.5) * scale / x - 0.5 - (side / x - image.shape[1]) / 2
    where = np.meshgrid(row, column, indexing="ij")
    low, high, inverted = levels
    grey = ndimage.map_coordinates(image, where, order=1, mode="nearest")
    grey = np.clip((grey - low) / (high - low), 0, 1)
    grey = 1 - grey if inverted else grey
    outside = (row[:, None] < -0.5) | (row[:, None] > image.shape[0] - 0.5)
    outside = outside | (column[None, :] < -0.5) | (column[None, :] > image.shape[1] - 0.5)
    grey[outside] = 1.0 if inverted else 0.0
    pixels = np.repeat((grey * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    for mask, colour in (*((other, OTHER) for other in others), (view.mask.array, CONTOUR)):
        pixels[_line(mask[index][box].astype(np.float32), where)] = colour
    return pixels


def _line(mask: NDArray[np.float32], where: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """The line around a mask, sampled at the picture's pixels."""
    from scipy import ndimage

    fine = ndimage.map_coordinates(mask, where, order=1, mode="constant") > 0.5
    if mask.any() and not fine.any():
        # A contour of a voxel or two vanishes between the picture's pixels.
        fine = ndimage.map_coordinates(mask, where, order=0, mode="constant") > 0.5
    line: NDArray[np.bool_] = ndimage.binary_dilation(fine) & ~fine
    return line


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """A palette PNG: a quarter of the bytes of full colour, with the contours' colours kept."""
    from PIL import Image

    palette = np.repeat(np.linspace(0, 255, 63).round().astype(np.uint8)[:, None], 3, axis=1)
    indices = np.rint(pixels[:, :, 0] / 255 * 62).astype(np.uint8)
    for index, colour in enumerate((CONTOUR, OTHER), start=63):
        indices[(pixels == np.array(colour, np.uint8)).all(axis=2)] = index
    image = Image.frombytes("P", (indices.shape[1], indices.shape[0]), indices.tobytes())
    image.putpalette([*palette.ravel().tolist(), *CONTOUR, *OTHER])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
