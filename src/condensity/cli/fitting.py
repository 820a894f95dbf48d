"""A model fitted to a table in a file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from condensity.io.read import features_and_target, numeric_column, read_table
from condensity.io.stream import on_disk


def fit_file(
    model: Any,
    data: str,
    targets: Sequence[str],
    features: Sequence[str] | None = None,
    weights: str | None = None,
    groups: str | None = None,
) -> int:
    """Fit a model to a CSV, Parquet or Arrow table, and return its number of rows.

    Parameters
    ----------
    model : unfitted estimator
    data : str
        Path, or '-' for stdin.
    targets : sequence of str
        Names of the columns y.
    features : sequence of str, optional
        Names of the columns X; all but the targets, weights and groups by default.
    weights : str, optional
        The column of sample weights.
    groups : str, optional
        The column of labels of rows that belong together.

    Raises
    ------
    ValueError
        For whatever is wrong with the file, its columns or its values.
    """
    with on_disk(data) as path:
        table = read_table(path)
    weight: np.ndarray | None = None
    if weights is not None:
        table, column = features_and_target(table, [weights])
        weight = numeric_column(column, weights)
    labels: list[Any] | None = None
    if groups is not None:
        table, column = features_and_target(table, [groups])
        labels = column.column(groups).to_pylist()
    X, y = features_and_target(table, targets, features)
    model.fit(X, y, weight, groups=labels)
    return len(y)
