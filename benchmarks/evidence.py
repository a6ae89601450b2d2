"""What gclnm reads, against what others found in the same files.

    GCLNM_DATA=/path/to/reference/data python benchmarks/evidence.py

Prints a table a topic, in Markdown: the sarcoma cohort end to end, voxel counts of its 48 outlines
against the consensus of the IBSI's nine teams, PET against published SUV volumes, the SUV of every
vendor's header and of the IBSI's reference objects, every CT and MR object of the reference data, what CT
and MR series are against what is known of them, and feature values against pyradiomics called directly.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path

import evidence_ct
import numpy as np
import pandas as pd
from pydicom.dataset import Dataset

import gclnm

MODALITY = {"CT": "CT", "MR": "MR_T1", "PT": "PET"}
RECIPE = {"CT": "ct", "MR": "mr-t1", "PT": "pet"}


def heading(text: str) -> None:
    """A heading, set off."""
    print(f"\n## {text}\n")


def table(rows: list[dict[str, object]]) -> None:
    """Rows as a Markdown table."""
    if rows:
        print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


def cohort(data: Path) -> gclnm.Samples:
    """The main way on the sarcoma cohort: scan, pair, extract, tag, read."""
    heading("The main way on sts: 16 patients, CT, PET and MR")
    catalog = gclnm.scan(data / "sts", progress=False)
    samples = gclnm.pair(catalog, roi="GTV.*")
    refused = int((samples.unpaired["severity"] == "refused").sum())
    found = f"{len(catalog.volumes)} volumes, {len(catalog.segmentations)} ROIs"
    print(f"{found}, {len(catalog.problems)} problems; {len(samples)} samples, {refused} refused\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = gclnm.open_store(Path(folder) / "features.icechunk")
        for modality, recipe in RECIPE.items():
            some = samples.query(f"modality == '{modality}'")
            run = gclnm.extract(some, recipe, store=store, progress=False)
            again = gclnm.extract(some, recipe, store=store, progress=False)
            store.tag(f"evidence-{recipe}")
            read = store.table(recipe, at=f"evidence-{recipe}")
            row = {
                "set": recipe,
                "samples": len(some),
                "rows read back": len(read),
                "failed": len(run.failed),
            }
            values = store.read(recipe)["value"]
            row |= {"features": values.sizes["feature"], "missing values": int(values.isnull().sum())}
            row |= {"seconds": f"{run.seconds:.0f}", "again, seconds": f"{again.seconds:.2f}"}
            rows.append(row)
    table(rows)
    return samples


def outlines(data: Path, samples: gclnm.Samples) -> None:
    """Voxel counts of outlines against the consensus of the IBSI's teams."""
    heading("Outlines: voxels of the mask on the image's grid, against the IBSI's consensus")
    known = pd.read_csv(data / "ibsi" / "ibsi1_phase3_consensus.csv.gz")
    known = known[known["tag"] == "int_mask_vox_count_init_roi"].set_index(["patient", "modality"])[
        "consensus"
    ]
    equal = {modality: [0, 0] for modality in MODALITY}
    for sample in samples:
        who, modality = str(sample.coords["patient_id"]), str(sample.coords["modality"])
        patient = next(name for name in known.index.get_level_values(0).unique() if name in who)
        count = gclnm.load(sample).roi.n_voxels
        equal[modality][0] += int(count == int(known[patient, MODALITY[modality]]))
        equal[modality][1] += 1
    table([{"modality": m, "outlines": n, "equal to the consensus": same} for m, (same, n) in equal.items()])


def pet(data: Path) -> None:
    """SUV and masks against the volumes that the IBSI's validation published."""
    import SimpleITK as sitk

    heading("PET: SUVbw and outlines voxel by voxel, against the published volumes")
    rows = []
    for name, image, outline in (
        ("STS_001, GE, Bq/mL", "sts001_ge_bqml", "sts001_rtstruct"),
        ("STS_002, GE, g/mL", "sts002_ge_gml", "sts002_rtstruct"),
    ):
        folder = data / "pet_real"
        volume = gclnm.harmonize.harmonize(gclnm.read_series(folder / image))
        published = folder / image.replace("ge_bqml", "mirp_suv").replace("ge_gml", "mirp_suv")
        files = sorted(published.glob("*.nii.gz"))
        mask_file = next(path for path in files if "mask" in path.name)
        image_file = next(path for path in files if "mask" not in path.name)
        structure = next((folder / outline).rglob("*.dcm"))
        roi = "GTV_Mass" if "001" in name else None
        mask = gclnm.read_mask(structure, volume, roi)
        reference, wanted = sitk.ReadImage(str(image_file)), sitk.ReadImage(str(mask_file))
        start = np.rint(volume.geometry.to_index([reference.GetOrigin()])[0]).astype(int)
        box = tuple(slice(s, s + n) for s, n in zip(start[::-1], reference.GetSize()[::-1], strict=True))
        suv = np.abs(volume.array[box] - sitk.GetArrayFromImage(reference)).max()
        other = np.count_nonzero(mask.array[box] != (sitk.GetArrayFromImage(wanted) > 0))
        outside = mask.n_voxels - np.count_nonzero(mask.array[box])
        rows.append(
            {
                "case": name,
                "largest difference, SUV": f"{suv:.5f}",
                "mask voxels": mask.n_voxels,
                "differing": int(other + outside),
            }
        )
    table(rows)


def suv_headers(data: Path) -> None:
    """The factor to SUV in every normalization, against published and independent ones."""
    from gclnm.harmonize.pet import PetSettings, factor
    from gclnm.images.dicom.facts import scanner_facts
    from gclnm.images.dicom.petfacts import pet_facts, slice_facts

    heading("SUV of every vendor's header: factor from stored activity")
    kinds = {
        "BW": PetSettings(),
        "LBMJANMA": PetSettings(quantity="SUVlbm"),
        "LBMJAMES128": PetSettings(quantity="SUVlbm", lean_mass="james"),
        "IBW": PetSettings(quantity="SUVibw"),
        "BSA": PetSettings(quantity="SUVbsa"),
    }
    rows = []
    for path in sorted((data / "suv_headers").glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        slices = [header(record, case["manufacturer_header"]) for record in case["instances"]]
        facts = scanner_facts(slices[0]) | pet_facts([slice_facts(one) for one in slices])
        expected = case["expected"]
        wanted = expected.get("factors_all") or {"BW": expected.get("suvbw_factor", "refusal")}
        for kind, settings in kinds.items():
            if kind not in wanted:
                continue
            row = {
                "vendor": case["vendor"],
                "quantity": f"{settings.quantity} ({kind})",
                "case": case["case"],
            }
            try:
                result = factor(facts, settings)
                found, rule = f"{result.factors[0]:.9g}", str(result.told.get("reference", ""))
            except gclnm.GclnmError as error:
                found, rule = f"refused: {error.what}", ""
            value = wanted[kind]
            shown = value if isinstance(value, str) else f"{value:.9g}"
            rows.append(row | {"expected": shown, "found": found, "decay to": rule})
    table(rows)


def header(record: dict[str, object], manufacturer: str) -> Dataset:
    """A data set of the keywords and private elements of a header case."""
    found = Dataset()
    found.Modality, found.Manufacturer = "PT", manufacturer
    for keyword, value in record.items():
        if keyword == "private":
            for tag, element in value.items():
                block = found.private_block(int(tag[:4], 16), element["creator"], create=True)
                block.add_new(int(tag[6:], 16), element["vr"], element["value"])
        elif keyword == "RadiopharmaceuticalInformationSequence":
            setattr(found, keyword, [header(value[0], "")])
        else:
            setattr(found, keyword, value)
    return found


def suv_objects(data: Path) -> None:
    """The digital reference objects of the IBSI's SUV manual, through the reader: 0.20, 1.00, 4.00."""
    heading("SUV of the IBSI's reference objects: minimum, median, maximum in the outline")
    with (data / "suv_dro" / "expected.csv").open(encoding="utf-8") as lines:
        cases = list(csv.DictReader(lines))
    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(data / "suv_dro" / f"{case['object']}.zip") as whole:
                whole.extractall(folder)
            catalog = gclnm.scan(folder, progress=False)
            loaded = gclnm.load(gclnm.pair(catalog, roi="region_1", modality="PT")[0])
            volume = gclnm.harmonize.harmonize(loaded.image)
        inside = volume.array[loaded.roi.array]
        found = (inside.min(), np.median(inside), inside.max())
        row = {"object": case["object"], "encoding": case["encoding"]}
        row |= {"expected": "0.20, 1.00, 4.00", "found": ", ".join(f"{value:.4f}" for value in found)}
        rows.append(row)
    table(rows)


def objects(data: Path) -> None:
    """Every object of the abdominal CT, diffusion, enhanced and raw MR data: loaded, or refused by name."""
    for name in ("abdomen", "enhanced", "dwi", "mr_raw"):
        heading(f"Every object of {name}")
        catalog = gclnm.scan(data / name, progress=False)
        rows = []
        for volume in catalog.volumes.itertuples():
            row = {"patient": volume.patient_id, "modality": volume.modality, "part": volume.split}
            row |= {"flags": volume.flags, "what it is": _loaded(catalog.volume_ref(volume.volume_id))}
            rows.append(row | {"usable": "yes" if volume.usable else f"no: {volume.reason}"})
        table(rows)


def _loaded(ref: gclnm.VolumeRef) -> str:
    from gclnm.images.load import load_volume

    try:
        volume = load_volume(ref)
    except gclnm.GclnmError as error:
        return f"refused: {error.what}"
    return f"{volume.array.shape}, {volume.quantity} {volume.array.min():g} ... {volume.array.max():g}"


def mr(data: Path) -> None:
    """b-values in every dialect, sequence, field strength and ADC against what is known of each MR series."""
    import json

    heading("MR: what is known of each series, and what is found")
    rows: list[dict[str, object]] = []
    expected = json.loads((data / "dwi" / "expected.json").read_text())
    for case, known in expected.items():
        volumes = gclnm.scan(data / "dwi" / case, progress=False).volumes
        b = volumes["b_value_s_mm2"].dropna()
        levels = {round(float(f["b_value"]), 3) for f in known["files"] if f["b_value"] is not None}
        row = {"vendor": known["vendor"], "case": case}
        rows.append(row | _compared("b-values, s/mm2", levels, {round(float(value), 3) for value in b}))
        maps = volumes["b_value_s_mm2"].isna()
        rows.append(row | _compared("sequence", {"DWI"}, set(volumes[~maps]["sequence"])))
        if maps.any():
            rows.append(row | _compared("sequence of the map", {"ADC"}, set(volumes[maps]["sequence"])))
        field = {float(known["header"]["MagneticFieldStrength"])}
        rows.append(row | _compared("field, T", field, set(volumes["field_strength_t"])))
    for case, known in json.loads((data / "mr_raw" / "expected.json").read_text()).items():
        volumes = gclnm.scan(data / "mr_raw" / case, progress=False).volumes
        row = {"vendor": known["header"]["Manufacturer"].split()[0], "case": case}
        said = known["expected_sequence"].split()[0].rstrip(",")
        rows.append(row | _compared("sequence", {said}, set(volumes["sequence"])))
        field = float(known["header"]["MagneticFieldStrength"])
        field = {field / 1e4 if field > 100 else field}
        rows.append(row | _compared("field, T", field, set(volumes["field_strength_t"])))
    table([*rows, *_biased_b(data), _adc_ratio(data)])


def _compared(quantity: str, expected: set[object], found: set[object]) -> dict[str, object]:
    shown = [
        ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in sorted(s)) for s in (expected, found)
    ]
    return {"quantity": quantity, "expected": shown[0], "found": shown[1], "equal": expected == found}


def _biased_b(data: Path) -> list[dict[str, object]]:
    """A GE series with 10^9 added to b, made of one without."""
    import pydicom

    with tempfile.TemporaryDirectory() as folder:
        for file in sorted((data / "dwi" / "ge_signa_pioneer").glob("*.dcm")):
            dataset = pydicom.dcmread(file)
            dataset.pop("DiffusionBValue", None)
            if dataset[0x0043, 0x1039].value[0]:
                dataset[0x0043, 0x1039].value = [1000001000, 8, 0, 0]
            dataset.save_as(Path(folder) / file.name)
        found = set(gclnm.scan(folder, progress=False).volumes["b_value_s_mm2"])
    row = {"vendor": "GE", "case": "made: b + 1,000,000,000"}
    return [row | _compared("b-values, s/mm2", {0.0, 1000.0}, found)]


def _adc_ratio(data: Path) -> dict[str, object]:
    """Our fit against the scanner's own map."""
    from gclnm.harmonize.mr import fit_adc

    files = [data / "dwi" / "siemens_xa30_enhanced" / f"{k:03d}.dcm" for k in (0, 4, 3)]
    plain, weighted, stored = (gclnm.read_series(file) for file in files)
    ours = fit_adc({0.0: plain, 2500.0: weighted}).array
    theirs = gclnm.harmonize.harmonize(stored).array
    tissue = (plain.array > 200) & (weighted.array > 5) & (theirs > 0)
    ratio = f"{np.median(theirs[tissue]) / np.median(ours[tissue]):.3f}"
    row = {"vendor": "Siemens", "case": "siemens_xa30_enhanced", "quantity": "scanner's ADC / ours, medians"}
    return row | {"expected": "0.997", "found": ratio, "equal": ratio == "0.997"}


def parity(samples: gclnm.Samples) -> None:
    """Feature values against pyradiomics called directly on the same image and mask."""
    import logging

    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(logging.CRITICAL)
    heading("Numbers: against pyradiomics called directly, largest relative difference")
    settings = {
        "binWidth": 10,
        "resampledPixelSpacing": [1, 1, 1],
        "interpolator": "sitkLinear",
        "padDistance": 10,
    }
    rows = []
    for sample in samples.query("modality == 'CT'")[:4]:
        recipe = gclnm.Recipe.named("ct").with_(prepare__resegment=None)
        case = gclnm.load(sample)
        ours = gclnm.features(case.image, case.roi, recipe)
        extractor = RadiomicsFeatureExtractor(**settings, additionalInfo=False)
        extractor.enableImageTypes(
            Original={}, LoG={"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]}, Wavelet={"wavelet": "coif1", "level": 1}
        )
        extractor.enableAllFeatures()
        theirs = extractor.execute(case.image.to_sitk(), case.roi.to_sitk())
        shared = [name for name in recipe.features if name in theirs]
        a = ours[shared].to_numpy(float)
        b = np.array([float(np.real(theirs[name])) for name in shared])
        both = np.isnan(a) & np.isnan(b)
        worst = np.max(np.where(both, 0, np.abs(a - b) / np.maximum(np.abs(b), 1e-12)))
        rows.append(
            {
                "patient": sample.coords["patient_id"],
                "features": len(recipe.features),
                "compared": len(shared),
                "largest": f"{worst:.1e}",
            }
        )
    table(rows)


def main() -> None:
    """All of it."""
    root = os.environ.get("GCLNM_DATA")
    if not root:
        sys.exit("set GCLNM_DATA to the folder of the reference data")
    data = Path(root)
    samples = cohort(data)
    outlines(data, samples)
    pet(data)
    suv_headers(data)
    suv_objects(data)
    objects(data)
    heading("CT: phase, HU, spectral headers, coefficients")
    table(evidence_ct.rows(data))
    mr(data)
    parity(samples)


if __name__ == "__main__":
    main()
