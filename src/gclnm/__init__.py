"""gclnm: from the DICOM of many scanners to a versioned, validated radiomics feature store.

The way through, one function a step::

    catalog = gclnm.scan("dicom/")                   # every volume and every ROI, validated
    samples = gclnm.pair(catalog, roi="GTV.*")       # image x ROI, and what could not be paired
    gclnm.plan(samples, "ct")                        # what would run, what is odd, how long
    store = gclnm.open_store("features.icechunk")
    run = gclnm.extract(samples, "ct", store=store)  # parallel, resumes, commits as it goes
    table = store.table("ct")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gclnm._version import __version__

if TYPE_CHECKING:
    from gclnm import harmonize, phantom, prepare, report, schemas, vocabulary
    from gclnm.catalog.catalog import Catalog
    from gclnm.catalog.pair import pair
    from gclnm.catalog.samples import Samples
    from gclnm.catalog.scan import scan
    from gclnm.cohort.extract import Extraction, extract
    from gclnm.cohort.fit import fit
    from gclnm.cohort.plan import Plan, plan
    from gclnm.errors import GclnmError
    from gclnm.images.geometry import Geometry
    from gclnm.images.load import load, read_mask, read_series
    from gclnm.images.sample import Case, MaskRef, Sample, VolumeRef
    from gclnm.images.volume import Mask, Volume
    from gclnm.pipeline import features
    from gclnm.recipe.recipe import Recipe
    from gclnm.report.preview import preview
    from gclnm.store.clinical.put import TableReport
    from gclnm.store.delta import delta, slope
    from gclnm.store.store import FeatureStore, open_store

# Heavy modules load on first use (PEP 562), so that `import gclnm` takes a blink.
_HOME = {
    "Case": "gclnm.images.sample",
    "Catalog": "gclnm.catalog.catalog",
    "Extraction": "gclnm.cohort.extract",
    "FeatureStore": "gclnm.store.store",
    "GclnmError": "gclnm.errors",
    "Geometry": "gclnm.images.geometry",
    "Mask": "gclnm.images.volume",
    "MaskRef": "gclnm.images.sample",
    "Plan": "gclnm.cohort.plan",
    "Recipe": "gclnm.recipe.recipe",
    "Sample": "gclnm.images.sample",
    "Samples": "gclnm.catalog.samples",
    "TableReport": "gclnm.store.clinical.put",
    "Volume": "gclnm.images.volume",
    "VolumeRef": "gclnm.images.sample",
    "delta": "gclnm.store.delta",
    "extract": "gclnm.cohort.extract",
    "features": "gclnm.pipeline",
    "fit": "gclnm.cohort.fit",
    "load": "gclnm.images.load",
    "open_store": "gclnm.store.store",
    "pair": "gclnm.catalog.pair",
    "plan": "gclnm.cohort.plan",
    "preview": "gclnm.report.preview",
    "read_mask": "gclnm.images.load",
    "read_series": "gclnm.images.load",
    "scan": "gclnm.catalog.scan",
    "slope": "gclnm.store.delta",
}
_ROOMS = ("harmonize", "phantom", "prepare", "report", "schemas", "vocabulary")

__all__ = [
    "Case",
    "Catalog",
    "Extraction",
    "FeatureStore",
    "GclnmError",
    "Geometry",
    "Mask",
    "MaskRef",
    "Plan",
    "Recipe",
    "Sample",
    "Samples",
    "TableReport",
    "Volume",
    "VolumeRef",
    "__version__",
    "delta",
    "extract",
    "features",
    "fit",
    "harmonize",
    "load",
    "open_store",
    "pair",
    "phantom",
    "plan",
    "prepare",
    "preview",
    "read_mask",
    "read_series",
    "report",
    "scan",
    "schemas",
    "slope",
    "vocabulary",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"gclnm.{name}")
    else:
        raise AttributeError(f"module 'gclnm' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
