"""The patient: weight, height and sex as the header has them, and what activity is normalized by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gclnm.harmonize.pet.header import Header

__all__ = ["NORMALIZERS", "height", "normalizer", "of_body", "weight"]

_WEIGHT_KG = (2.0, 400.0)
_HEIGHT_M = (0.3, 2.5)
_BMI = (10.0, 80.0)
# Where 1.10 W - 128 (W/H)^2 and 1.07 W - 148 (W/H)^2 begin to fall.
_JAMES_BMI = {"M": 43.0, "F": 36.1}


def _james(weight_kg: float, height_cm: float, sex: str) -> float:
    """James' formula, which DICOM calls LBMJAMES128 (PS3.3 C.8.9.1)."""
    a, b = (1.10, 128.0) if sex == "M" else (1.07, 148.0)
    return 1000.0 * (a * weight_kg - b * (weight_kg / height_cm) ** 2)


def _james_120(weight_kg: float, height_cm: float, sex: str) -> float:
    """DICOM's older term LBM: the constant for men as it was misprinted."""
    a, b = (1.10, 120.0) if sex == "M" else (1.07, 148.0)
    return 1000.0 * (a * weight_kg - b * (weight_kg / height_cm) ** 2)


def _janmahasatian(weight_kg: float, height_cm: float, sex: str) -> float:
    """Janmahasatian 2005, DOI 10.2165/00003088-200544100-00004."""
    bmi = weight_kg / (height_cm / 100) ** 2
    a, b = (6680.0, 216.0) if sex == "M" else (8780.0, 244.0)
    return 1000.0 * 9270.0 * weight_kg / (a + b * bmi)


def _ideal(_: float, height_cm: float, sex: str) -> float:
    """Ideal body weight of the SUV manual of the IBSI."""
    low, slope = (48.0, 1.06) if sex == "M" else (45.5, 0.91)
    return 1000.0 * (low + slope * (height_cm - 152.0))


def _surface(weight_kg: float, height_cm: float, _: str) -> float:
    """Du Bois 1916, in cm2."""
    return float(1e4 * 0.007184 * weight_kg**0.425 * height_cm**0.725)


def _weight(weight_kg: float, _height_cm: float, _sex: str) -> float:
    return 1000.0 * weight_kg


NORMALIZERS: Mapping[str, Callable[[float, float, str], float]] = {
    "BW": _weight,
    "LBMJAMES128": _james,
    "LBM": _james_120,
    "LBMJANMA": _janmahasatian,
    "IBW": _ideal,
    "BSA": _surface,
}
"""By SUVType (0054,1006): g, for BSA cm2, of weight (kg), height (cm) and sex (M, F)."""


def normalizer(kind: str, weight_kg: float, height_m: float, sex: str) -> float:
    """What activity per dose is multiplied by: g, for BSA cm2. Any other sex than M and F: mean of both.

    The mean is what the SUV manual of the IBSI calls reasonable.

    Examples
    --------
    >>> [round(normalizer(kind, 71.0, 1.63, "M"), 1) for kind in ("LBMJAMES128", "LBMJANMA", "IBW", "BSA")]
    [53814.3, 52856.0, 59660.0, 17659.9]
    """
    formula = NORMALIZERS[kind]
    sexes = [sex] if sex in ("M", "F") else ["M", "F"]
    return sum(formula(weight_kg, 100.0 * height_m, one) for one in sexes) / len(sexes)


def of_body(header: Header, kind: str) -> float:
    """The normalizer of a kind of SUV from the header's weight, height and sex.

    Raises
    ------
    QuantityError
        One of them that the formula needs is missing or implausible.
    """
    weight_kg = weight(header)
    if kind == "BW":
        return 1000.0 * weight_kg
    height_m = height(header, kind)
    bmi = weight_kg / height_m**2
    if not _bmi_holds(weight_kg, height_m):
        header.refuse(_odd_bmi(weight_kg, height_m), header.supply("weight_kg", "height_m"))
    sex = "" if kind == "BSA" else _sex(header)
    if kind.startswith("LBMJ") or kind == "LBM":
        _james_holds(header, kind, bmi, sex)
    found = normalizer(kind, weight_kg, height_m, sex)
    if found <= 0:
        header.refuse(f"the formula of {kind} gives nothing above zero for this weight and height", _OTHER)
    header.told[f"normalizer_{kind}"] = round(found, 3)
    return found


_OTHER = "Take SUVbw, or SUVlbm by Janmahasatian."


def weight(header: Header) -> float:
    """Body weight in kg; grams are repaired. A body mass index outside 10 to 80 is told.

    Raises
    ------
    QuantityError
        Missing, 0, exchanged with the height, or not plausible: 2 to 400 kg are. Grams that make no
        plausible body mass index are no grams.
    """
    header.same("weight_kg")
    value, fix = header.number("weight_kg"), header.supply("weight_kg")
    if value is None:
        header.refuse("PatientWeight is missing", fix)
    size = header.number("height_m")
    if size is not None and 30 <= size <= 300 and 0.3 <= value <= 2.5:
        header.refuse(f"PatientWeight of {value:g} and PatientSize of {size:g} look exchanged", fix)
    low, high = _WEIGHT_KG
    size_m = None if size is None else _metres(size)
    if value > 1000 and low <= value / 1000 <= high and not header.overridden("weight_kg"):
        if not _bmi_holds(value / 1000, size_m):
            header.refuse(f"PatientWeight of {value:g} is neither kg nor, for this height, grams", fix)
        header.doubt(f"PatientWeight of {value:g} taken as grams", fix)
        value /= 1000
    if not low <= value <= high:
        header.refuse(f"PatientWeight of {value:g} kg is not plausible", fix)
    if size_m is not None and not _bmi_holds(value, size_m):
        header.doubt(_odd_bmi(value, size_m), header.supply("weight_kg", "height_m"))
    header.told["weight_kg"] = value
    return value


def height(header: Header, kind: str) -> float:
    """Height in m; centimetres and millimetres are repaired.

    Raises
    ------
    QuantityError
        Missing, 0 or not plausible: 0.3 to 2.5 m are.
    """
    header.same("height_m")
    value, fix = header.number("height_m"), header.supply("height_m")
    if value is None:
        header.refuse(f"PatientSize is missing, which {kind} needs", fix)
    metres = _metres(value)
    if metres is None or (metres != value and header.overridden("height_m")):
        header.refuse(f"PatientSize of {value:g} m is not plausible", fix)
    if metres != value:
        unit = "centimetres" if value < 1000 else "millimetres"
        header.doubt(f"PatientSize of {value:g} taken as {unit}", fix)
    header.told["height_m"] = metres
    return metres


def _metres(value: float) -> float | None:
    low, high = _HEIGHT_M
    size = value / 1000 if value > 1000 else value / 100 if value > 3 else value
    return size if low <= size <= high else None


def _sex(header: Header) -> str:
    header.same("sex")
    value = header.text("sex")
    value = value if value in ("M", "F") else "O"
    if value == "O":
        header.note("PatientSex is neither M nor F: mean of the formulas of both")
    header.told["sex"] = value
    return value


def _bmi_holds(weight_kg: float, height_m: float | None) -> bool:
    """Whether the body mass index is plausible, or nothing says it."""
    return height_m is None or _BMI[0] <= weight_kg / height_m**2 <= _BMI[1]


def _odd_bmi(weight_kg: float, height_m: float) -> str:
    bmi = weight_kg / height_m**2
    return f"a body mass index of {bmi:.1f} kg/m2 is not plausible: weight or height is wrong"


def _james_holds(header: Header, kind: str, bmi: float, sex: str) -> None:
    """James' formula has a maximum in weight: above it, lean mass falls as weight grows."""
    limit = _JAMES_BMI.get(sex, _JAMES_BMI["F"])
    if kind != "LBMJANMA" and bmi > limit:
        header.note(f"body mass index of {bmi:.1f} kg/m2: James' formula does not hold above {limit:g}")
