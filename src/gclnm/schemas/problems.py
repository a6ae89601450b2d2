"""What a scan could not use or does not trust."""

from __future__ import annotations

from gclnm.schemas.table import Column, Table

__all__ = ["PROBLEMS"]

PROBLEMS = Table(
    "problems",
    (
        Column("severity", "str", "How bad it is.", isin=("error", "warning", "info")),
        Column("code", "str", "Short name of the situation."),
        Column("what", "str", "What is wrong."),
        Column("patient_id", "str", "Patient, as patient_key made it; empty where unknown."),
        Column("where", "str", "Path, volume or object; kept in memory only."),
        Column("fix", "str", "What to do about it."),
    ),
    description="One problem found while scanning.",
)
