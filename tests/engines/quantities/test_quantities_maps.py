"""Iodine and ADC quantities: what they are, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclnm.engines.quantities import Quantities
from gclnm.engines.quantities.measure import run
from gclnm.errors import EngineError, QuantityError
from gclnm.images import Case, Geometry, Mask, Volume

GRID = Geometry(size=(12, 12, 4), spacing_mm=(2.0, 2.0, 5.0))
BOTH = np.zeros(GRID.shape, dtype=bool)
BOTH[1:3, 2:10, 2:10] = True


def case_of(array: np.ndarray, quantity: str, **masks: np.ndarray) -> Case:
    regions = {"roi": BOTH, **masks}
    return Case(
        {"image": Volume(array, GRID, quantity)}, {role: Mask(m, GRID) for role, m in regions.items()}
    )


def values(case: Case, settings: Quantities) -> dict[str, float]:
    return {key.split("_")[2]: value for key, value in run(case, settings).values.items()}


def iodine() -> tuple[np.ndarray, np.ndarray]:
    array = np.random.default_rng(0).normal(2.4, 1.5, GRID.shape)
    aorta = np.zeros(GRID.shape, dtype=bool)
    aorta[:, 0, :3] = True
    array[aorta] = 12.0
    return array, aorta


def test_iodine_counts_negative_noise_in_its_mean() -> None:
    array, aorta = iodine()
    found = values(case_of(array, "mg/mL", aorta=aorta), Quantities(spectral="all"))
    assert array[BOTH].min() < 0
    assert found["IodineMean"] == pytest.approx(array[BOTH].mean(), rel=1e-6)
    assert found["NIC"] == pytest.approx(array[BOTH].mean() / 12.0, rel=1e-6)


@given(unit=st.sampled_from([10.0, 1000.0, 0.001]))
def test_normalized_iodine_survives_a_wrong_unit(unit: float) -> None:
    array, aorta = iodine()
    one = values(case_of(array, "mg/mL", aorta=aorta), Quantities(spectral=["NIC"]))
    other = values(case_of(array * unit, "mg/mL", aorta=aorta), Quantities(spectral=["NIC"]))
    assert one == pytest.approx(other, rel=1e-5)


def test_without_an_aorta_there_is_no_normalized_iodine() -> None:
    found = run(case_of(iodine()[0], "mg/mL", blood=BOTH), Quantities(spectral="all"))
    assert np.isnan(found.values["native_spectral_NIC"])
    assert found.notes == {"native_spectral_NIC": "no ROI of role aorta is paired"}


def adc() -> np.ndarray:
    array = np.full(GRID.shape, 1200.0)
    array[2, 4:7, 4:7] = 700.0
    # Darker still, and not in the ROI as a whole disc: one voxel at its edge, air outside.
    array[1, 2, 2] = 100.0
    array[:, :2] = 5.0
    return array


def test_the_minimum_is_that_of_the_darkest_disc_inside() -> None:
    found = values(case_of(adc(), "1e-6 mm2/s"), Quantities(adc="all"))
    assert found["ADCmin"] == 700.0
    assert found["ADCmean"] == pytest.approx(adc()[BOTH].mean())


def test_a_larger_disc_gives_a_higher_minimum() -> None:
    lows = [
        values(case_of(adc(), "1e-6 mm2/s"), Quantities(adc="all", adc_disc_mm2=area))["ADCmin"]
        for area in (1.0, 40.0, 80.0, 150.0)
    ]
    assert lows == sorted(lows)
    assert lows[0] == 100.0
    assert lows[3] > lows[1]


def test_a_thin_roi_has_no_disc_and_says_so() -> None:
    thin = np.zeros(GRID.shape, dtype=bool)
    thin[1:3, 2:10, 2:4] = True
    found = run(case_of(adc(), "1e-6 mm2/s", roi=thin), Quantities(adc="all"))
    assert found.notes == {"native_adc_ADCmin": "no disc of 40 mm^2 (9 voxels) lies wholly in the ROI"}
    assert np.isfinite(found.values["native_adc_ADCmean"])


def test_a_disc_half_outside_the_image_does_not_lie_in_the_roi() -> None:
    edge = np.zeros(GRID.shape, dtype=bool)
    edge[1, :2, 2:10] = True
    found = run(case_of(adc(), "1e-6 mm2/s", roi=edge), Quantities(adc="all"))
    assert np.isnan(found.values["native_adc_ADCmin"])
    assert "no disc of 40 mm^2" in found.notes["native_adc_ADCmin"]


def test_a_disc_of_one_voxel_is_noted() -> None:
    found = run(case_of(adc(), "1e-6 mm2/s"), Quantities(adc="all", adc_disc_mm2=4))
    assert found.values["native_adc_ADCmin"] == 100.0
    assert found.notes["native_adc_ADCmin"] == "a disc of 4 mm^2 is one voxel here: the lowest voxel"


def test_a_disc_does_not_reach_into_another_slice() -> None:
    case = case_of(adc(), "1e-6 mm2/s")
    array = case.image.array.copy()
    array[1] += 500
    assert values(case_of(array, "1e-6 mm2/s"), Quantities(adc="all"))["ADCmin"] == 700.0


@pytest.mark.parametrize(
    ("settings", "quantity"),
    [(Quantities(pet="all"), "Bq/mL"), (Quantities(spectral="all"), "HU"), (Quantities(adc="all"), "ms")],
)
def test_another_quantity_is_refused(settings: Quantities, quantity: str) -> None:
    with pytest.raises(QuantityError, match=f"the image is in {quantity}"):
        run(case_of(adc(), quantity), settings)


def test_an_empty_roi_and_one_without_numbers_are_refused() -> None:
    with pytest.raises(EngineError) as empty:
        run(case_of(adc(), "1e-6 mm2/s", roi=np.zeros(GRID.shape)), Quantities(adc="all"))
    assert empty.value.code == "empty-roi"
    broken = adc()
    broken[1, 5, 5] = np.nan
    with pytest.raises(EngineError) as holes:
        run(case_of(broken, "1e-6 mm2/s"), Quantities(adc="all"))
    assert holes.value.code == "not-finite"
