"""A PET header that leaves no doubt, as facts, and what becomes of it with changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset

from gclnm.errors import QuantityError
from gclnm.harmonize.pet import PetSettings, SuvFactor, factor

# One half-life of F-18 after the injection at 10:00:00.
START_S = 36000.0 + 6586.2
GOOD: dict[str, Any] = {
    "modality": "PT",
    "manufacturer": "SIEMENS",
    "units": "BQML",
    "decay_correction": "START",
    "corrected_image": "ATTN;DECY;SCAT",
    "series_type": "WHOLE BODY;IMAGE",
    "rescale_intercept": 0.0,
    "weight_kg": 80.0,
    "height_m": 1.8,
    "sex": "M",
    "dose_bq": 4e8,
    "half_life_s": 6586.2,
    "nuclide": "C-111A1",
    "injection_s": 36000.0,
    "injection_clock_s": 36000.0,
    "series_s": START_S,
    "acquisition_s": f"{START_S}",
    "differing": "",
}
# Weight over the dose that is left: half of it.
GOOD_FACTOR = 80_000 / 2e8

Factor = Callable[..., SuvFactor]
Refusal = Callable[..., QuantityError]


@pytest.fixture
def good() -> dict[str, Any]:
    """The header."""
    return dict(GOOD)


@pytest.fixture
def found() -> Factor:
    """The factor of the header with changes; None takes a fact out."""

    def of(settings: PetSettings | None = None, **changes: Any) -> SuvFactor:
        facts = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
        return factor(facts, settings)

    return of


@pytest.fixture
def refused(found: Factor) -> Refusal:
    """The error of the header with changes, as the user sees it."""

    def of(settings: PetSettings | None = None, **changes: Any) -> QuantityError:
        with pytest.raises(QuantityError) as caught:
            found(settings, **changes)
        assert caught.value.code == "no-suv"
        assert caught.value.fix
        return caught.value

    return of


@pytest.fixture
def repaired(found: Factor, refused: Refusal) -> Callable[..., SuvFactor]:
    """The factor of a header that needs a repair; strict settings refuse it."""

    def of(said: str, **changes: Any) -> SuvFactor:
        result = found(**changes)
        assert any(said in words for words in result.told["doubts"])
        error = refused(PetSettings(strict=True), **changes)
        assert "strict" in error.what
        return result

    return of


@pytest.fixture
def pet_dataset() -> Callable[..., Dataset]:
    """A data set of keywords and values; ``private`` holds elements by their tag."""
    return _dataset


def _dataset(record: dict[str, Any], manufacturer: str = "") -> Dataset:
    result = Dataset()
    result.Modality, result.Manufacturer = "PT", manufacturer
    for keyword, value in record.items():
        if keyword == "private":
            for tag, element in value.items():
                _add_private(result, int(tag, 16), element)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            setattr(result, keyword, [_dataset(value[0])])
        elif value is not None:
            setattr(result, keyword, value)
    return result


def _add_private(result: Dataset, tag: int, element: dict[str, Any]) -> None:
    if element.get("creator"):
        block = result.private_block(tag >> 16, element["creator"], create=True)
        block.add_new(tag & 0xFF, element["vr"], element["value"])
    else:
        result.add_new(tag, element["vr"], element["value"])
