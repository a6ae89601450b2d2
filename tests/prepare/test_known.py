"""Voxels without a value: they count nowhere and bleed into nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gclnm
from gclnm import pipeline
from gclnm.engines.quantities import Quantities
from gclnm.engines.quantities.measure import run
from gclnm.errors import EngineError, QuantityError
from gclnm.harmonize import harmonize
from gclnm.harmonize.mr import fit_adc, relative_enhancement
from gclnm.images import Case, Geometry, Mask, Volume
from gclnm.prepare import Resample, resample
from gclnm.prepare.known import among_known, known_voxels
from gclnm.recipe import Recipe

SIZE = (24, 24, 4)
GRID = Geometry(size=SIZE, spacing_mm=(1.5, 1.5, 5.0))
ROI = np.zeros(SIZE[::-1], dtype=bool)
ROI[:, 6:18, 6:18] = True
ADC = Recipe.named("mr-adc").with_(quantities={"adc": "all"})


def signal(b: float) -> Volume:
    """True ADC 1000; one voxel in eight of the ROI has lost its signal, as by metal or motion."""
    array = np.full(ROI.shape, 1000 * np.exp(-b * 1e-3))
    array[:, ::4, ::2] = 0.0
    array[0, 7:11, 7:11] = 0.0
    return Volume(array, GRID, facts={"modality": "MR"})


def lost() -> int:
    return int((ROI & (signal(0.0).array == 0)).sum())


def fitted() -> Volume:
    return fit_adc({b: signal(b) for b in (0.0, 800.0)})


def scanned() -> Volume:
    """The same as a scanner writes it: 0 where there is no value."""
    stored = np.nan_to_num(fitted().array)
    return Volume(stored, GRID, "ADC, unit unknown", {"modality": "MR"})


@pytest.mark.parametrize("made", [fitted, scanned])
@pytest.mark.parametrize("spacing", [(2, 2, 0), (1, 1, 0), (2.3, 2.3, 4)])
def test_an_adc_of_1000_is_1000_beside_voxels_without_one(made, spacing):
    recipe = ADC.with_(prepare__resample__spacing_mm=spacing)
    found = gclnm.features(made(), Mask(ROI, GRID), recipe)
    for name in ("Mean", "Minimum", "Maximum"):
        assert found[f"original_firstorder_{name}"] == pytest.approx(1000, rel=1e-4)
    assert found["native_adc_ADCmean"] == pytest.approx(1000, rel=1e-4)
    assert found.attrs["diagnostics"]["intensity_minimum"] == pytest.approx(1000, rel=1e-4)


def test_shape_is_that_of_the_whole_roi_and_what_lacks_a_value_is_counted():
    without = ADC.with_(prepare={"resample": None, "resegment": None})
    found = gclnm.features(fitted(), Mask(ROI, GRID), without)
    assert found["original_shape_VoxelVolume"] == pytest.approx(ROI.sum() * 1.5 * 1.5 * 5)
    assert found.attrs["diagnostics"]["voxels_resampled"] == ROI.sum()
    assert found.attrs["diagnostics"]["voxels_analysed"] == ROI.sum() - lost()
    assert (
        found.attrs["notes"]["native_adc_ADCmean"] == f"without {lost()} voxels of the ROI that had no value"
    )


def test_the_history_of_a_row_tells_how_many_voxels_have_no_value():
    recipe = ADC.with_(prepare__resample=None)
    case = pipeline.measurable(Case({"image": harmonize(scanned())}, {"roi": Mask(ROI, GRID)}), recipe)
    result = pipeline._measure(case, recipe)
    history = json.loads(pipeline._history(case, recipe, result, pipeline.Inputs({})))
    (step,) = history["intensity mask"]
    assert step["settings"]["voxels"] == [ROI.sum(), ROI.sum() - lost()]


@pytest.mark.parametrize("filters", [{"log": {"sigma_mm": [3]}}, {"wavelet": {}}])
def test_filters_see_no_holes(filters):
    found = gclnm.features(fitted(), Mask(ROI, GRID), ADC.with_(prepare__filters=filters))
    spread = found.filter(regex="^(log|wavelet).*firstorder_Range")
    assert len(spread)
    assert spread.max() < 1


def test_an_enhancement_has_no_value_where_there_was_no_signal():
    before, after = signal(0.0), Volume(signal(0.0).array * 1.4, GRID, facts={"modality": "MR"})
    gain = relative_enhancement(after, before)
    assert np.isnan(gain.array).sum() == gain.facts["without_value"]
    recipe = Recipe.named("mr-adc").with_(quantity=["%"], prepare__resegment=None)
    found = gclnm.features(gain, Mask(ROI, GRID), recipe)
    assert found["original_firstorder_Minimum"] == pytest.approx(40, rel=1e-4)


def test_a_resampled_map_has_holes_only_where_less_than_half_is_known():
    grid = Geometry(size=(8, 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    values = np.array([[[5.0, 5, 5, 5, np.nan, np.nan, np.nan, np.nan]]])
    found = resample(Volume(values, grid, "%", {"without_value": 4}), Resample(spacing_mm=(0.5, 0, 0)))
    assert np.nanmin(found.array) == np.nanmax(found.array) == 5
    assert np.isnan(found.array).sum() == found.facts["without_value"] == 8


def test_nan_that_nobody_meant_is_refused_as_before():
    broken = Volume(np.where(ROI, np.nan, 1000.0), GRID, "1e-6 mm2/s", {"modality": "MR"})
    with pytest.raises(QuantityError) as caught:
        harmonize(broken)
    assert caught.value.code == "not-finite"
    assert known_voxels(broken) is None
    infinite = Volume(np.where(ROI, np.inf, 1000.0), GRID, "1e-6 mm2/s", {"without_value": 1})
    with pytest.raises(EngineError, match="without a finite number"):
        run(Case({"image": infinite}, {"roi": Mask(ROI, GRID)}), Quantities(adc="all"))


def test_an_roi_without_any_value_is_refused():
    adc = fitted()
    hole = np.zeros(ROI.shape, dtype=bool)
    hole[0, 7:11, 7:11] = True
    with pytest.raises(EngineError, match="no voxel after leaving out voxels without a value"):
        gclnm.features(adc, Mask(hole, GRID), "mr-adc")
    with pytest.raises(EngineError, match="no voxel after leaving out"):
        run(Case({"image": adc}, {"roi": Mask(hole, GRID)}), Quantities(adc="all"))
    nothing = fit_adc({b: Volume(signal(0.0).array, GRID, facts={"modality": "MR"}) for b in (0.0, 800.0)})
    with pytest.raises(QuantityError, match="no voxel of the image has a value"):
        harmonize(nothing)


def test_an_roi_whose_voxels_all_have_values_is_left_as_it_is():
    mask = Mask(ROI & (signal(0.0).array > 0), GRID)
    assert among_known(mask, known_voxels(fitted())) is mask
