"""CT against the reference: phase, HU, and what spectral headers say; one row a case.

    GCLNM_DATA=/path/to/reference/data python benchmarks/evidence_ct.py

``benchmarks/evidence.py`` prints it with the other sections.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

import gclnm
from gclnm.harmonize import harmonize, spectral
from gclnm.images.dicom import energy
from gclnm.images.dicom.elements import Groups
from gclnm.images.dicom.quantity import frame_scale

Row = dict[str, object]
VENDORS = {"SIEMENS": "Siemens", "GE MEDICAL SYSTEMS": "GE"}


def row(vendor: str, quantity: str, case: str, expected: object, found: object) -> Row:
    """One line of the table."""
    same = "yes" if str(expected) == str(found) else "NO"
    return {
        "vendor": vendor,
        "quantity": quantity,
        "case": case,
        "expected": expected,
        "found": found,
        "equal": same,
    }


def rows(data: Path) -> list[Row]:
    """All cases of the reference data that are about CT."""
    return [*abdomen(data), *perfusion(data), *standard(data), *descriptions(data), *attenuation()]


def abdomen(data: Path) -> Iterator[Row]:
    """Phase and HU range of the abdominal series."""
    expected = json.loads((data / "abdomen" / "expected.json").read_text())
    for case, told in expected.items():
        vendor = VENDORS.get(told["header"]["Manufacturer"], "not stated")
        low, high = told["rescaled_min_max"]
        volume = harmonize(gclnm.read_series(data / "abdomen" / case))
        found = f"{volume.array.min():g} ... {volume.array.max():g}"
        yield row(vendor, "HU, padding as air", case, f"{max(low, -1024):g} ... {high:g}", found)
        catalog = gclnm.scan(data / "abdomen" / case, progress=False)
        phase = catalog.volumes["phase"].iloc[0]
        wanted = "portal_venous" if told["expected_phase"] == "portal_venous" else "unknown"
        yield row(vendor, "contrast phase", case, wanted, phase)


def perfusion(data: Path) -> Iterator[Row]:
    """What is not HU."""
    volume = gclnm.read_series(data / "enhanced" / "ect_perfusion_sample.dcm")
    yield row("sample object", "not HU", "ect_perfusion_sample", "ml/100ml/s", volume.quantity)


def standard(data: Path) -> Iterator[Row]:
    """The examples of PS3.17 JJJJ.5 and KKKK.1."""
    for example in json.loads((data / "enhanced" / "multienergy_header_examples.json").read_text())[
        "examples"
    ]:
        groups, expect = Groups(_header(example)), example["expect"]
        shown = energy.spectral(groups)
        yield row("standard", "kind", example["id"], expect["kind"], shown.kind)
        scale = frame_scale(groups)
        for name, value in expect.items():
            if name.startswith("value_of_stored_"):
                stored = float(name.rsplit("_", 1)[1])
                found = round(scale.slope * stored + scale.intercept, 9)
                yield row("standard", f"stored {stored:g}", example["id"], f"{value:g}", f"{found:g}")
        for name in ("unit", "material"):
            if name in expect:
                yield row("standard", name, example["id"], expect[name], getattr(shown, name))


def _header(example: dict[str, Any]) -> Dataset:
    """An example as a header."""
    header = Dataset()
    header.Modality = "CT"
    for name in ("ImageType", "MultienergyCTAcquisition", "RescaleIntercept", "RescaleSlope", "RescaleType"):
        if name in example:
            setattr(header, name, example[name])
    if "LUTLabel" in example:
        units, substance, quantity, item = Dataset(), Dataset(), Dataset(), Dataset()
        units.CodeValue, substance.CodeValue = example["units"][0], example["substance"][0]
        quantity.ConceptCodeSequence = [substance]
        item.LUTLabel, item.MeasurementUnitsCodeSequence = example["LUTLabel"], [units]
        item.QuantityDefinitionSequence = [quantity]
        item.RealWorldValueSlope = float(example["RealWorldValueSlope"])
        item.RealWorldValueIntercept = float(example["RealWorldValueIntercept"])
        header.RealWorldValueMappingSequence = [item]
    return header


def descriptions(data: Path) -> Iterator[Row]:
    """Series descriptions of the vendors' spectral images."""
    told = json.loads((data / "enhanced" / "spectral_series_descriptions.json").read_text())["rows"]
    for item in told:
        shown = energy.described(item["text"])
        level = "" if item["keV"] is None else f"{item['keV']:g} keV"
        found = "" if shown.energy_kev is None else f"{shown.energy_kev:g} keV"
        expected = " ".join(word for word in (item["kind"], level, item["unit"] or "") if word)
        got = " ".join(word for word in (shown.kind, found, shown.unit) if word)
        yield row(_vendor(item), "kind, level, unit", f"`{item['text']}`", expected, got)


def _vendor(item: dict[str, Any]) -> str:
    """Whose words they are, as far as the reference says."""
    named = next((v for v in ("GE", "Siemens", "Canon") if f"({v})" in item["evidence"]), "")
    named = named or ("Siemens" if "Siemens" in item["evidence"] else "")
    return named or ("any" if item["evidence"].startswith("made") else "Philips")


def attenuation() -> Iterator[Row]:
    """HU that 1 mg/mL of iodine adds, against NISTIR 5632 (Hubbell and Seltzer)."""
    table = Path(__file__).parents[1] / "tests" / "harmonize" / "nist_attenuation.csv"
    for line in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        level, water, iodine = (float(line[name]) for name in ("kev", "water_cm2_g", "iodine_cm2_g"))
        found = f"{spectral.iodine_hu(level):.3g}"
        yield row("NIST", "HU per mg/mL of iodine", f"{level:g} keV", f"{iodine / water:.3g}", found)


def main() -> None:
    """The table in Markdown."""
    root = os.environ.get("GCLNM_DATA")
    if not root:
        sys.exit("set GCLNM_DATA to the folder of the reference data")
    found = rows(Path(root))
    print("| " + " | ".join(found[0]) + " |\n|" + "---|" * len(found[0]))
    for line in found:
        print("| " + " | ".join(str(value) for value in line.values()) + " |")


if __name__ == "__main__":
    main()
