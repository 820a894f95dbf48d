"""What the command line studies: the four odd data sets or a user's table, and four models for each."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from condensity.datasets.synthetic import ODD_SETS
from condensity.io.read import numeric_columns, read_table
from condensity.report.study import DataSet, Study, fit_model, most_correlated, split_rows

#: Fresh rows on which the models of the demo are scored.
TEST_ROWS = 20_000

#: Rows of a user's table below which a fit and a test mean nothing.
FEWEST_ROWS = 20


def four_models(joint_name: str, random_state: int, **joint_options: Any) -> dict[str, Any]:
    """The blog post's network, its regularised variant, our default and a joint GMM: unfitted, by name."""
    from condensity import JointGMMRegressor, MDNRegressor

    return {
        "blog post's network": MDNRegressor.from_blog(random_state=random_state),
        "regularised": MDNRegressor.from_blog(regularised=True, random_state=random_state),
        "MDN (default)": MDNRegressor(random_state=random_state),
        joint_name: JointGMMRegressor(random_state=random_state, **joint_options),
    }


def odd_data_sets(n_samples: int, random_state: int) -> Iterator[DataSet]:
    """The four odd sets: `n_samples` rows to fit, TEST_ROWS fresh rows with the next seed to test."""
    split = (
        f"{n_samples} rows drawn with seed {random_state} to fit, "
        f"{TEST_ROWS} fresh rows with seed {random_state + 1} to test."
    )
    for name, make in ODD_SETS.items():
        known = make(n_samples, random_state=random_state)
        fresh = make(TEST_ROWS, random_state=random_state + 1)
        rows = known.X, known.y, fresh.X, fresh.y
        yield DataSet(
            name,
            *rows,
            split,
            log_density=known.log_density,
            entropy=known.entropy,
            log_joint_density=known.log_joint_density,
        )


def table_data_set(file: str, target: str, features: str | None, along: str | None, random_state: int) -> DataSet:
    """A user's table, with a random fifth of its rows kept for the test.

    Parameters
    ----------
    file, target : str
    features : str or None
        Names between commas; None means all columns but the target.
    along : str or None
        The feature on the x axis; None means the one most correlated with the target.
    random_state : int

    Returns
    -------
    DataSet

    Raises
    ------
    ValueError
        For anything wrong with the file, the columns or the number of rows.
    """
    X, y, names = numbers_of(file, target, features)
    train, test = split_rows(len(y), random_state)
    split = f"{len(train)} rows to fit and {len(test)} to test, a random fifth chosen with seed {random_state}."
    notes: tuple[str, ...] = ()
    if y.min() == y.max():
        notes = (f"the target {target!r} is constant ({y[0]:g}); every model can only repeat it.",)
    column = _column_along(X[train], y[train], names, along)
    parts = X[train], y[train], X[test], y[test]
    return DataSet(Path(file).name, *parts, split, tuple(names), target, column, notes=notes)


def numbers_of(file: str, target: str, features: str | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """X (n, d), y (n,) and the names of the features of a user's table; errors as `table_data_set`."""
    X, y, names = numeric_columns(read_table(file), target, split_names(features))
    require_enough_rows(file, len(y))
    return X, y, names


def require_enough_rows(file: str, n: int) -> None:
    """Refuse a table in which a fit and a test mean nothing."""
    if n < FEWEST_ROWS:
        raise ValueError(f"{file!r} has {n} rows; fitting and testing need at least {FEWEST_ROWS}.")


def fit_all(data: DataSet, models: dict[str, Any], progress: Callable[[str], object]) -> Study:
    """Fit and measure every model on one data set."""
    study = Study(data)
    for position, (name, model) in enumerate(models.items(), start=1):
        progress(f"{data.name}: fitting {name} ({position} of {len(models)})")
        study.add(fit_model(name, model, data.X, data.y))
    return study


def split_names(features: str | None) -> list[str] | None:
    """Names between commas, quoted as in CSV where they hold a comma themselves."""
    if features is None:
        return None
    try:
        return next(csv.reader([features], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"--features cannot be read as names between commas: {error}.") from error


def _column_along(X: np.ndarray, y: np.ndarray, names: list[str], along: str | None) -> int:
    """Position of the feature on the x axis."""
    if along is None:
        return most_correlated(X, y)
    if along not in names:
        known = ", ".join(map(repr, names[:12]))
        raise ValueError(f"--along names {along!r}, which is not a feature; the features are {known}.")
    return names.index(along)
