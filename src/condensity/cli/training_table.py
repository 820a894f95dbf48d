"""The columns of a table in a file by their part in a fit."""

from typing import Any, NamedTuple

import numpy as np

from condensity.cli.options import Columns
from condensity.io.read import TableError, features_and_target, numeric_column, read_table, require_column
from condensity.io.stream import on_disk


class TrainingTable(NamedTuple):
    """What a model is fitted to.

    Attributes
    ----------
    X, y : pyarrow.Table (n, d), (n, q)
    weight : ndarray (n,) or None
        Sample weights.
    groups : list (n,) or None
        Labels of rows that belong together.
    """

    X: Any
    y: Any
    weight: np.ndarray | None
    groups: list[Any] | None


def read_training_table(data: str, columns: Columns) -> TrainingTable:
    """The parts that `columns` names of a CSV, Parquet or Arrow table at the path `data`, or '-' for stdin.

    Raises
    ------
    TableError
        For whatever is wrong with the file or its columns.
    """
    with on_disk(data) as path:
        table = read_table(path)
    weight: np.ndarray | None = None
    if columns.weights is not None:
        table, column = features_and_target(table, [columns.weights])
        weight = numeric_column(column, columns.weights)
    labels: list[Any] | None = None
    if columns.groups is not None:
        table, column = features_and_target(table, [columns.groups])
        labels = column.column(columns.groups).to_pylist()
    X, y = features_and_target(_without(table, columns), columns.targets, columns.features)
    return TrainingTable(X, y, weight, labels)


def _without(table: Any, columns: Columns) -> Any:
    """The table less the columns to exclude, which have no other part."""
    excluded = columns.exclude or []
    for name in excluded:
        require_column(table.column_names, name)
        if name in (*columns.targets, *(columns.features or ())):
            raise TableError(f"column {name!r} is excluded, so it can be neither target nor feature; name it once.")
    return table.drop_columns(excluded)
