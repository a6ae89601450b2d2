"""One image of several: which function is called with what, what the history keeps, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gclnm.errors import GclnmError, InputError, QuantityError
from gclnm.harmonize import HarmonizeSettings, derive, mr
from gclnm.harmonize.spectral import iodine_hu
from gclnm.images import Geometry, Volume
from gclnm.images.volume import Step

GRID = Geometry(size=(3, 2, 2), spacing_mm=(1.0, 1.0, 2.0))


def level(kev: float, iodine: float = 2.0, **facts: Any) -> Volume:
    """Water with iodine as it looks at an energy."""
    values = np.full(GRID.shape, iodine_hu(kev) * iodine)
    return Volume(
        values, GRID, "HU", {"modality": "CT", "energy_kev": kev, **facts}, (Step(f"read {kev:g}"),)
    )


def weighted(b: float, value: float = 1.0) -> Volume:
    facts = {"modality": "MR", "b_value_s_mm2": b}
    return Volume(np.full(GRID.shape, value), GRID, "arbitrary", facts)


@pytest.mark.parametrize("wanted", [40, 55, 70, 100, 140])
def test_a_level_between_two_is_that_of_the_same_water_and_iodine(wanted: float) -> None:
    made = derive({"image": level(40), "high": level(140)}, f"vmi {wanted:g} keV")
    np.testing.assert_allclose(made.array, 2 * iodine_hu(wanted), rtol=1e-5)
    assert made.quantity == "HU"
    assert made.facts["energy_kev"] == wanted


def test_outside_the_pair_only_by_the_flag() -> None:
    pair = {"image": level(60), "high": level(140)}
    with pytest.raises(QuantityError) as caught:
        derive(pair, "vmi 40 keV")
    assert caught.value.code == "outside-pair"
    assert derive(pair, "vmi 40 keV", extrapolate=True).facts["energy_kev"] == 40


def test_maps_of_iodine_and_water_give_a_level_too() -> None:
    iodine, water = (Volume(np.full(GRID.shape, c), GRID, "mg/mL") for c in (2.0, 1000.0))
    made = derive({"image": iodine, "water": water}, "vmi 70 keV")
    np.testing.assert_allclose(made.array, 2 * iodine_hu(70), rtol=1e-5)


def test_the_history_keeps_what_was_done_to_every_partner() -> None:
    made = derive({"image": level(40), "high": level(140)}, "vmi 70 keV")
    names = [step.name for step in made.history]
    assert names == ["read 40", "monoenergetic", "partner"]
    assert made.history[-1].to_dict()["settings"] == {"role": "high", "history": [{"step": "read 140"}]}


def test_an_adc_map_is_fitted_to_images_by_rising_b_and_directions_are_averaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def fit(by_b: dict[float, Volume], settings: object) -> Volume:
        asked.append({b: float(volume.array[0, 0, 0]) for b, volume in by_b.items()})
        return next(iter(by_b.values())).with_(Step("adc"), quantity="1e-6 mm2/s")

    monkeypatch.setattr(mr, "fit_adc", fit, raising=False)
    monkeypatch.setattr(mr, "trace", lambda volumes: weighted(800.0, float(len(volumes))), raising=False)
    images = {"image": weighted(50.0, 7.0), "b=800/1": weighted(800.0), "b=800/2": weighted(800.0)}
    made = derive({**images, "b=400": weighted(400.0, 5.0)}, "adc", HarmonizeSettings())
    assert made.quantity == "1e-6 mm2/s"
    assert [list(by_b.items()) for by_b in asked] == [[(50.0, 7.0), (400.0, 5.0), (800.0, 2.0)]]


@pytest.mark.parametrize(
    ("derivation", "name"), [("subtraction", "subtract"), ("enhancement", "relative_enhancement")]
)
def test_contrast_is_after_against_before(
    derivation: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        mr,
        name,
        lambda post, pre: post.with_(Step(name), array=post.array - pre.array),
        raising=False,
    )
    made = derive({"image": weighted(0.0, 5.0), "pre": weighted(0.0, 2.0)}, derivation)
    assert made.array[0, 0, 0] == 3.0


@pytest.mark.parametrize(
    ("volumes", "derivation", "code"),
    [
        ({"image": level(40)}, "vmi 70 keV", "no-partner"),
        ({"image": level(40), "high": Volume(np.zeros(GRID.shape), GRID, "HU")}, "vmi 70 keV", "no-partner"),
        ({"image": weighted(0.0)}, "subtraction", "no-partner"),
        ({"image": weighted(0.0), "b=0": weighted(0.0)}, "adc", "b-values"),
        ({"image": level(40)}, "vmi 70", "unknown-derivation"),
        ({"image": level(140), "high": level(40)}, "vmi 70 keV", "bad-pair"),
    ],
)
def test_what_is_missing_is_named(volumes: dict[str, Volume], derivation: str, code: str) -> None:
    with pytest.raises(GclnmError) as caught:
        derive(volumes, derivation)
    assert caught.value.code == code
    assert caught.value.fix or isinstance(caught.value, InputError)
