"""Findings about a saved model, or about the default network fitted to a table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from condensity.cli.options import Columns
from condensity.cli.training_table import read_training_table
from condensity.data import read_target
from condensity.estimators.loading import load
from condensity.estimators.mdn import MDNRegressor
from condensity.evaluation.comparison import compare_held_out
from condensity.evaluation.diagnostics import Finding
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.read import TableError
from condensity.persistence import is_model_file

#: Rows of a table below which a fit and a test mean nothing.
MIN_ROWS = 20


def is_saved_model(path: Path) -> bool:
    """Whether the file at `path` is a saved model, by its first bytes.

    Raises
    ------
    TableError
        If it cannot be read.
    """
    try:
        return is_model_file(path)
    except OSError as error:
        raise TableError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error


def diagnose_model(path: Path) -> list[Finding]:
    """Findings about the model saved at `path`."""
    return load(path).health_


def diagnose_table(
    data: str,
    columns: Columns,
    progress: Callable[[str], object],
    options: dict[str, Any],
    reading: ReadingOptions = NO_OPTIONS,
) -> list[Finding]:
    """Findings about a network fitted to a table, and its comparison with a joint Gaussian mixture on held-out rows.

    Parameters
    ----------
    data : str
        Path, or '-' for stdin.
    columns : Columns
    progress : callable (str)
    options : dict
        Parameters of `MDNRegressor`.
    reading : ReadingOptions
        How a text file is written.

    Raises
    ------
    ValueError
        For whatever is wrong with the file, its columns or its values, and for fewer than `MIN_ROWS` rows.
    """
    X, y, weight, groups, _ = read_training_table(data, columns, reading)
    if len(y) < MIN_ROWS:
        raise TableError(f"{data!r} has {len(y)} rows; fitting and testing need at least {MIN_ROWS}.")
    y = np.asarray(read_target("y", y))
    y = y[:, 0] if y.shape[1] == 1 else y
    model = MDNRegressor(categorical_features=columns.categories or "from_dtype", **options)
    progress(f"{data}: fitting")
    model.fit(X, y, weight, groups=groups)
    progress(f"{data}: comparing with a joint Gaussian mixture")
    comparison = compare_held_out(model, X, y, options["random_state"], weight=weight, groups=groups)
    return [*model.health_, *([] if comparison is None else [comparison])]
