"""The user's table at the door: read from any library, checked, and turned into float arrays by a schema learned at fit."""

from condensity.data.checks import (
    OUTLIER_DISTANCE,
    require_finite,
    require_moderate,
    warn_about_oddities,
    warn_about_outliers,
)
from condensity.data.columns import RawTable, read_numbers, read_table, read_target
from condensity.data.dependence import warn_about_dependence
from condensity.data.frame import is_frame, take_rows
from condensity.data.schema import Schema
from condensity.data.values import is_missing

__all__ = [
    "OUTLIER_DISTANCE",
    "RawTable",
    "Schema",
    "is_frame",
    "is_missing",
    "read_numbers",
    "read_table",
    "read_target",
    "require_finite",
    "require_moderate",
    "take_rows",
    "warn_about_dependence",
    "warn_about_oddities",
    "warn_about_outliers",
]
