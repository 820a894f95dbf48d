"""Studies of a user's table: four models fitted to it, or a saved one scored on it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from condensity.cli import demo
from condensity.cli.model_columns import ModelColumns
from condensity.cli.options import Columns
from condensity.cli.training_table import read_training_table
from condensity.data import take_rows
from condensity.estimators.loading import load
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.read import TableError
from condensity.io.stream import TableReader, display_name, on_disk
from condensity.plots.along import find_column
from condensity.report.axis import column_for_axis
from condensity.report.study import DataSet, Fit, Study, split_rows, studies_of
from condensity.report.write import evaluation_set, read_targets, read_weights, with_targets

#: Rows of a table below which a fit and a test mean nothing.
MIN_ROWS = 20


def table_studies(
    data: str,
    columns: Columns,
    progress: Callable[[str], object],
    *,
    along: str | None = None,
    random_state: int = 0,
    jobs: int | None = None,
    reading: ReadingOptions = NO_OPTIONS,
) -> list[Study]:
    """Four models, fitted to four fifths of a table and measured on the rest.

    Parameters
    ----------
    data : str
        Path of a CSV, Parquet or Arrow file, or '-' for stdin.
    columns : Columns
    progress : callable (str)
    along : str, optional
        The column on the x axis; the one that the target follows most by default.
    random_state : int
    jobs : int, optional
        Threads.
    reading : ReadingOptions
        How a text file is written.

    Raises
    ------
    ValueError
        For anything wrong with the file, the columns, the values or the number of rows.
    """
    rows = _table_data_set(data, columns, along, random_state, reading)
    models = demo.four_models("joint GMM", random_state, categories=rows.categories, jobs=jobs)
    return studies_of(rows, demo.fit_four(rows, models, progress), along=along)


def _table_data_set(
    data: str, columns: Columns, along: str | None, random_state: int, reading: ReadingOptions
) -> DataSet:
    """A user's table, with a random fifth of its rows kept for the test; parameters and errors as for `table_studies`."""
    table = read_training_table(data, columns, reading)
    names, values = read_targets(table.y)
    X, values, weight, groups, notes = with_targets(table.X, values, read_weights(table.weight, values), table.groups)
    if len(values) < MIN_ROWS:
        raise TableError(f"{data!r} has {len(values)} rows; fitting and testing need at least {MIN_ROWS}.")
    train, test = split_rows(len(values), random_state, groups=groups)
    chosen, kind = columns.categories or "from_dtype", "" if groups is None else "of the groups "
    first = values[train] if values.ndim == 1 else values[train, 0]
    return DataSet(
        Path(data).name,
        X=take_rows(X, train), y=values[train], X_test=take_rows(X, test), y_test=values[test],
        split=f"{len(train)} rows to fit and {len(test)} to test, a random fifth {kind}chosen with seed {random_state}.",
        targets=names,
        along=_column_along(take_rows(X, train), first, chosen, along),
        categories=chosen,
        notes=(*filter(None, [table.decisions]), *notes, *_constant(names, values)),
        weight=None if weight is None else weight[train],
        weight_test=None if weight is None else weight[test],
        groups=None if groups is None else [groups[i] for i in train.tolist()],
    )  # fmt: skip


def saved_model_studies(
    model_file: str,
    data: str,
    weights: str | None = None,
    along: str | None = None,
    reading: ReadingOptions = NO_OPTIONS,
) -> list[Study]:
    """A saved model, measured on all rows of a table; errors as for `table_studies`.

    Parameters
    ----------
    model_file : str
    data : str
        Path of a CSV, Parquet or Arrow file, or '-' for stdin.
    weights : str, optional
        The column of sample weights.
    along : str, optional
        The column on the x axis.
    reading : ReadingOptions
        How a text file is written.
    """
    model = load(model_file)
    columns = ModelColumns(model)
    with on_disk(data) as path:
        reader = TableReader(path, reading, display_name(data))
        features, targets = columns.features(reader.names), columns.require_targets(reader.names)
        others = [*targets, *([] if weights is None else [weights])]
        texts = columns.texts(features)
        table = reader.read([*features, *others], texts=texts, numbers=[*others, *set(features).difference(texts)])
    if not table.num_rows:
        raise TableError(f"{data!r} has a header but no rows; there is nothing to score.")
    weight = None if weights is None else table.column(weights)
    X, name = columns.inputs(table.select(features)), Path(model_file).name
    _require_along(X, along)
    rows = evaluation_set({name: model}, X, table.select(targets), weight, along, name=Path(data).name)
    return studies_of(rows, [Fit(name, model)], along=along)


def _column_along(X: Any, y: np.ndarray, categories: Any, along: str | None) -> int:
    _require_along(X, along)
    return column_for_axis(X, y, categories, along)


def _require_along(X: Any, along: str | None) -> None:
    if along is not None:
        try:
            find_column(X, along)
        except ValueError:
            names = ", ".join(map(repr, X.column_names[:12]))
            raise TableError(f"--along names {along!r}, which is not a feature; the features are {names}.") from None


def _constant(names: Sequence[str], y: np.ndarray) -> list[str]:
    """Notes on targets with one value only."""
    pairs = zip(names, y.reshape(len(y), -1).T, strict=True)
    return [
        f"the target {name!r} is constant ({values[0]:g}); every model can only repeat it."
        for name, values in pairs
        if values.min() == values.max()
    ]
