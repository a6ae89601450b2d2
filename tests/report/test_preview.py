"""The preview shows contours, and what cannot be drawn, without pyplot."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from gclnm.errors import InputError
from gclnm.images import MaskRef, Sample, Step
from gclnm.report.preview import preview
from gclnm.report.views import views, window


def test_a_preview_draws_one_panel_a_sample_as_png(samples: list[Sample]) -> None:
    figure = preview(samples, n=5)
    assert len([ax for ax in figure.axes if ax.get_title()]) == 5
    png = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 20_000
    assert not figure.axes[0].axison


def test_panels_are_spread_over_all_samples_and_named(samples: list[Sample]) -> None:
    titles = [ax.get_title() for ax in preview(samples, n=2).axes]
    assert titles[0] == "P001 · GTV · CT"
    assert titles[1].startswith("P003")


def test_a_sample_that_cannot_be_loaded_shows_why(samples: list[Sample]) -> None:
    lost = replace(samples[0], masks={"roi": MaskRef("rtstruct", "/nowhere/rs.dcm", 1)})
    (ax,) = preview([lost]).axes
    (text,) = ax.texts
    assert len(text.get_text()) > 10
    assert "/nowhere" not in text.get_text()


def test_a_hostile_name_is_drawn_as_it_is(samples: list[Sample]) -> None:
    odd = replace(samples[0], coords={**samples[0].coords, "roi": r"$\frac{1}$ <b>_{"})
    assert preview([odd])._repr_png_().startswith(b"\x89PNG")


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="no sample"):
        preview([])


def test_a_lesion_in_pet_is_not_one_black_and_has_a_bar_with_its_quantity(pet: Sample) -> None:
    panel, bar = preview([pet]).axes
    (view,) = views([pet])
    inside = view.volume.array[view.mask.array]
    low, high = panel.images[0].get_clim()
    assert low == 0
    assert np.mean(inside >= high) <= 0.02
    assert bar.get_ylabel() == "SUVbw"


def test_a_cool_lesion_in_pet_is_shown_among_tissue_and_pet_without_suv_to_its_own_top(pet: Sample) -> None:
    (view,) = views([pet])
    cool = replace(view, volume=view.volume.with_(Step("half"), array=view.volume.array * 0.01))
    assert window(cool) == (0, 4, True)
    counts = replace(
        view, volume=view.volume.with_(Step("x"), array=view.volume.array * 0, quantity="counts")
    )
    assert window(counts) == (0, 1, True)


def test_ct_has_no_bar(samples: list[Sample]) -> None:
    assert len(preview(samples[:1]).axes) == 1


def test_pyplot_is_not_needed(samples: list[Sample]) -> None:
    # Its global list of figures would keep every preview of a session alive.
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
