"""Small samples on disk: noise with a ball in it, as NIfTI, and a recipe that takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gclnm.images import Geometry, MaskRef, Sample, VolumeRef
from gclnm.images.volume import to_sitk
from gclnm.recipe.recipe import Recipe

if TYPE_CHECKING:
    from distributed import Client

MakeSamples = Callable[..., list[Sample]]


def write_case(folder: Path, name: str, *, seed: int, rois: int = 1, size: int = 24) -> tuple[Path, Path]:
    """An image and a label map of ``rois`` balls, and where they are."""
    import SimpleITK

    noise = np.random.default_rng(seed).normal(40.0, 60.0, (size, size, size))
    z, y, x = np.indices((size, size, size))
    labels = np.zeros((size, size, size), dtype=np.uint8)
    for label in range(1, rois + 1):
        centre = size * label / (rois + 1)
        labels[(z - size / 2) ** 2 + (y - size / 2) ** 2 + (x - centre) ** 2 < 16] = label
    grid = Geometry(size=(size, size, size), spacing_mm=(1.0, 1.0, 1.5))
    image, mask = folder / f"{name}.nii.gz", folder / f"{name}-mask.nii.gz"
    SimpleITK.WriteImage(to_sitk(noise.astype(np.float32), grid), str(image))
    SimpleITK.WriteImage(to_sitk(labels, grid), str(mask))
    return image, mask


def sample_of(image: Path, mask: Path, name: str, label: int = 1, **coords: Any) -> Sample:
    """The sample of one label."""
    return Sample(
        images={"image": VolumeRef(f"id-{name}", "image", (str(image),), modality="MR")},
        masks={"roi": MaskRef("labelmap", str(mask), label)},
        coords={
            "patient_id": name,
            "roi": "ball",
            "roi_instance": str(label),
            "modality": "MR",
            "phase": "unknown",
            **coords,
        },
    )


@pytest.fixture
def make_samples(tmp_path: Path) -> MakeSamples:
    """Write ``n`` patients with ``rois`` balls each and give their samples."""

    def make(n: int = 3, *, rois: int = 1, **options: Any) -> list[Sample]:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        samples = []
        for index in range(n):
            image, mask = write_case(folder, f"p{index}", seed=index, rois=rois, **options)
            samples += [sample_of(image, mask, f"p{index}", label) for label in range(1, rois + 1)]
        return samples

    return make


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Few features of every kind, on the image's own grid."""
    return Recipe(
        name="tiny",
        prepare={"discretise": {"bin_width": 10}},
        compute={
            "shape": ["MeshVolume", "Sphericity"],
            "firstorder": ["Mean", "Entropy"],
            "glcm": ["JointEntropy", "MCC"],
            "min_voxels": 8,
        },
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A Dask client whose two workers are threads of this process: quick, and open to monkeypatching."""
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as made:
        yield made
