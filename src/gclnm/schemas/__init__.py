"""What every table between two steps looks like: checked here, published as JSON Schema."""

from gclnm.schemas.features import FEATURES, KEYS
from gclnm.schemas.patients import SELECTIONS, STORED_TABLES, TABLE_COLUMNS
from gclnm.schemas.problems import PROBLEMS
from gclnm.schemas.samples import EXCLUDED, SAMPLES, UNPAIRED
from gclnm.schemas.segmentations import SEGMENTATIONS
from gclnm.schemas.table import Column, Table
from gclnm.schemas.volumes import SERIES, VOLUMES

__all__ = ["TABLES", "Column", "Table"]

TABLES: tuple[Table, ...] = (
    VOLUMES,
    SERIES,
    SEGMENTATIONS,
    PROBLEMS,
    SAMPLES,
    UNPAIRED,
    EXCLUDED,
    FEATURES,
    KEYS,
    STORED_TABLES,
    TABLE_COLUMNS,
    SELECTIONS,
)
