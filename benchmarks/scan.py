"""Headers a second: the first scan of a folder, and the second of the same.

    python benchmarks/scan.py                 # 3,000 made CT slices in 30 series
    python benchmarks/scan.py --files 20000
    python benchmarks/scan.py path/to/dicom   # your own folder

The cache is a temporary one, so that "first" is first; disk caches of the system stay warm.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SLICES = 100
SIDE = 64


def made_slice(series: int, k: int) -> Dataset:
    """A CT slice with the elements that headers of scanners have, and 60 private ones."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientID = f"P{series:04d}"
    dataset.PatientIdentityRemoved = "YES"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.826.1.{series}", f"1.2.826.2.{series}"
    dataset.FrameOfReferenceUID = f"1.2.826.3.{series}"
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "CT", "Maker", "Model"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.KVP, dataset.ConvolutionKernel, dataset.SliceThickness = 120, "STANDARD", 2
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20200101", f"12{k // 60:02d}{k % 60:02d}"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2 * k], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.InstanceNumber = [0.7, 0.7], k + 1
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    block = dataset.private_block(0x0043, "BENCHMARK", create=True)
    for element in range(60):
        block.add_new(element, "LO", f"private value {element}")
    dataset.PixelData = np.zeros((SIDE, SIDE), np.int16).tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def make_tree(folder: Path, files: int) -> None:
    """Write ``files`` slices into folders of one series each."""
    for number in range(files):
        series, k = divmod(number, SLICES)
        path = folder / f"S{series:04d}" / f"{k:03d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pydicom.dcmwrite(path, made_slice(series, k), enforce_file_format=True)


def timed_scan(folder: Path) -> tuple[float, str]:
    """Seconds of one scan, and what it found."""
    import gclnm

    start = time.perf_counter()
    catalog = gclnm.scan(folder, progress=False)
    seconds = time.perf_counter() - start
    return seconds, f"{catalog.n_files} files, {len(catalog.volumes)} volumes"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of DICOM; by default one is made")
    parser.add_argument("--files", type=int, default=3000, help="files to make (default 3000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["GCLNM_CACHE"] = str(Path(temporary) / "cache")
        folder = options.folder
        if folder is None:
            folder = Path(temporary) / "dicom"
            make_tree(folder, options.files)
        timed_scan(Path(__file__).parent)  # imports apart
        results = [("first", *timed_scan(folder)), ("again", *timed_scan(folder))]
        n_files = sum(1 for path in folder.rglob("*") if path.is_file())
    print(f"{'scan':<7}{'seconds':>9}{'files/s':>10}  found  ({os.cpu_count()} cores)")
    for name, seconds, found in results:
        print(f"{name:<7}{seconds:>9.2f}{n_files / seconds:>10.0f}  {found}")


if __name__ == "__main__":
    main()
